"""The embedding server over the wire, with its real model: answers, refusals, other callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import numpy as np
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from prometheus_client import REGISTRY
from sentence_transformers import SentenceTransformer
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.embed.server import build
from services.embed.settings import EmbedSettings
from services.runtime.channel import open_channel, outgoing
from services.runtime.server import serving
from services.runtime.settings import DEFAULT_MAX_MESSAGE_BYTES
from tests.embed.conftest import SENTENCES
from tests.refusals import details, status_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

Stub: TypeAlias = "embed_pb2_grpc.EmbedServiceAsyncStub"
MODEL = "all-MiniLM-L6-v2"
TRUNCATE = embed_pb2.OVERFLOW_TRUNCATE


async def embed(stub: Stub, *inputs: str, **more: Any) -> embed_pb2.EmbedResponse:
    return await stub.Embed(embed_pb2.EmbedRequest(inputs=inputs, **more), **outgoing(60))


def matrix(response: embed_pb2.EmbedResponse) -> np.ndarray:
    return np.array([embedding.values for embedding in response.embeddings])


def violations(error: grpc.aio.AioRpcError) -> dict[str, str]:
    [bad] = details(status_of(error), error_details_pb2.BadRequest)
    return {v.field: v.description for v in bad.field_violations}


async def refused(stub: Stub, *inputs: str, **more: Any) -> dict[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await embed(stub, *inputs, **more)
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return violations(failure.value)


async def test_vectors_are_those_of_the_reference(
    stub: Stub, reference: SentenceTransformer
) -> None:
    answer = await embed(stub, *SENTENCES)
    found, expected = matrix(answer), reference.encode(list(SENTENCES))
    assert answer.dimensions == 384
    assert (found * expected).sum(axis=1).min() >= 0.99
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    tokens = [len(reference.tokenize([text])["input_ids"][0]) for text in SENTENCES]
    assert [embedding.tokens for embedding in answer.embeddings] == tokens


async def test_an_answer_says_what_it_cost(stub: Stub) -> None:
    request = embed_pb2.EmbedRequest(inputs=["abc"])
    answer = await stub.Embed(request, timeout=10, metadata=(("x-request-id", "r-1"),))
    assert (answer.stats.model, answer.stats.request_id) == (MODEL, "r-1")
    assert answer.stats.batch_size >= 1
    assert answer.stats.compute_time.ToMicroseconds() > 0


async def test_vectors_are_shortened_then_normalised(stub: Stub) -> None:
    whole = matrix(await embed(stub, "abc", normalize=False))[0]
    short = await embed(stub, "abc", dimensions=16)
    assert short.dimensions == 16
    expected = whole[:16] / np.linalg.norm(whole[:16])
    assert np.allclose(matrix(short)[0], expected, atol=1e-5)
    assert abs(np.linalg.norm(whole) - 1) > 0.1


async def test_more_dimensions_than_the_model_has_are_refused(stub: Stub) -> None:
    assert await refused(stub, "abc", dimensions=385) == {
        "dimensions": "385; the model's vectors have 384"
    }


async def test_a_text_that_is_too_long_is_refused_by_name(stub: Stub) -> None:
    assert await refused(stub, "a", "b", "c", "word " * 410) == {
        "inputs[3]": "412 tokens; the model takes 256"
    }


async def test_a_text_that_is_too_long_is_cut_when_asked(stub: Stub) -> None:
    answer = await embed(stub, "word " * 410, "short", overflow=TRUNCATE)
    assert [(e.tokens, e.truncated) for e in answer.embeddings] == [(256, True), (3, False)]


async def test_the_longest_text_the_contract_allows_is_served(stub: Stub) -> None:
    answer = await embed(stub, "面试 interview " * 4681, overflow=TRUNCATE)
    assert answer.embeddings[0].truncated


@pytest.mark.parametrize("text", ["", "x" * 100_000, " \n\t", "\0\x1b\x07", "\u200b"], ids=ascii)
async def test_text_that_cannot_be_embedded_is_refused_by_name(stub: Stub, text: str) -> None:
    assert list(await refused(stub, "fine", text)) == ["inputs[1]"]


async def test_no_texts_are_refused(stub: Stub) -> None:
    assert list(await refused(stub)) == ["inputs"]


async def test_too_many_texts_are_refused(stub: Stub) -> None:
    assert list(await refused(stub, *["a"] * 513)) == ["inputs"]


async def test_hundreds_of_faults_are_still_an_answer(stub: Stub) -> None:
    assert len(await refused(stub, *[""] * 512)) == 16
    assert len(await refused(stub, *["\0"] * 512)) == 16


@pytest.mark.parametrize(
    "text",
    ["🎉🚀👩‍💻", "你好，介绍一下你自己。", "Kafka 的 offset", "dead\0lock\x1b[31m"],
    ids=ascii,
)
async def test_any_script_is_embedded(stub: Stub, text: str) -> None:
    assert np.isfinite(matrix(await embed(stub, text))).all()


async def test_an_unknown_purpose_is_refused(stub: Stub) -> None:
    assert list(await refused(stub, "a", purpose=77)) == ["purpose"]


@pytest.mark.parametrize("method", ["Embed", "Similarity", "Rerank"])
async def test_an_unknown_model_is_not_found(stub: Stub, method: str) -> None:
    requests = {
        "Embed": embed_pb2.EmbedRequest(model="none", inputs=["a"]),
        "Similarity": embed_pb2.SimilarityRequest(model="none", text="a", others=["b"]),
        "Rerank": embed_pb2.RerankRequest(model="none", query="a", documents=["b"]),
    }
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await getattr(stub, method)(requests[method], **outgoing(10))
    assert failure.value.code() is grpc.StatusCode.NOT_FOUND
    assert failure.value.details() == "model: no model 'none'"


async def test_similarity_is_the_cosine(stub: Stub, reference: SentenceTransformer) -> None:
    text, others = "What is a deadlock?", ["Locks in a cycle.", "Cats.", "What is a deadlock?"]
    answer = await stub.Similarity(
        embed_pb2.SimilarityRequest(text=text, others=others), **outgoing(10)
    )
    expected = reference.encode(others) @ reference.encode(text)
    assert np.allclose(answer.scores, expected, atol=1e-3)
    assert answer.scores[2] == pytest.approx(1, abs=1e-6)


async def test_similarity_names_the_text_at_fault(stub: Stub) -> None:
    for request, field in (
        (embed_pb2.SimilarityRequest(text=" ", others=["a"]), "text"),
        (embed_pb2.SimilarityRequest(text="a", others=["a", " "]), "others[1]"),
        (embed_pb2.SimilarityRequest(text="a"), "others"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.Similarity(request, **outgoing(10))
        assert list(violations(failure.value)) == [field]


async def test_reranking_puts_the_best_first_and_keeps_the_order_of_equals(stub: Stub) -> None:
    documents = ["Cats sleep.", "Deadlock: locks that wait in a cycle.", "Cats sleep."]
    request = embed_pb2.RerankRequest(query="what is a deadlock", documents=documents * 20)
    answer = await stub.Rerank(request, **outgoing(10))
    order = [result.index for result in answer.results]
    answers = [n for n in range(60) if n % 3 == 1]
    assert order == answers + [n for n in range(60) if n % 3 != 1]
    assert len({result.score for result in answer.results}) == 2


async def test_reranking_returns_the_best_few_when_asked(stub: Stub) -> None:
    request = embed_pb2.RerankRequest(query="cats", documents=["dogs", "cats", "owls"], top_n=1)
    answer = await stub.Rerank(request, **outgoing(10))
    assert [result.index for result in answer.results] == [1]


async def test_the_model_is_listed_with_its_limits(stub: Stub) -> None:
    answer = await stub.ListModels(embed_pb2.ListModelsRequest(), **outgoing(10))
    (model,) = answer.models
    assert (model.name, model.version, model.engine) == (MODEL, "0.1.0", "ctranslate2")
    assert {limit.name: limit.value for limit in model.limits} == {
        "input_tokens": 256,
        "dimensions": 384,
    }
    assert model.ready
    assert model.is_default
    assert list(model.languages) == ["en"]


async def test_a_message_over_the_limit_is_refused_and_others_are_served(stub: Stub) -> None:
    huge = ["x" * 60_000] * (DEFAULT_MAX_MESSAGE_BYTES // 60_000 + 1)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await embed(stub, *huge)
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len((await embed(stub, "fine")).embeddings) == 1


@pytest.mark.parametrize("seconds", [-1, 0, 0.001])
async def test_a_deadline_that_cannot_be_met_is_told_at_once(stub: Stub, seconds: float) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stub.Embed(embed_pb2.EmbedRequest(inputs=[SENTENCES[5]]), timeout=seconds)
    # Past, or refused because the server knows how long it takes.
    assert failure.value.code() in {
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
    assert len((await embed(stub, "fine")).embeddings) == 1


def _long_texts(count: int) -> list[str]:
    return [f"case {n} " + "word " * 200 for n in range(count)]


async def test_work_that_no_idle_server_could_do_in_time_is_told_what_it_takes(stub: Stub) -> None:
    request = embed_pb2.EmbedRequest(inputs=_long_texts(512))
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stub.Embed(request, timeout=1.0)
    assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    [info] = details(status_of(failure.value), error_details_pb2.ErrorInfo)
    assert info.reason == "DEADLINE_TOO_SHORT"
    assert float(info.metadata["needed_seconds"]) > 1


async def test_a_large_request_does_not_starve_small_ones(stub: Stub) -> None:
    finished: list[str] = []

    async def large() -> None:
        kinds = ("short", SENTENCES[0], SENTENCES[2])
        inputs = [f"{text} {n}" for n in range(170) for text in kinds]
        request = embed_pb2.EmbedRequest(inputs=inputs)
        await stub.Embed(request, **outgoing(60, caller="large"))
        finished.append("large")

    async def small(number: int) -> None:
        request = embed_pb2.EmbedRequest(inputs=[f"short text {number}"])
        await stub.Embed(request, **outgoing(60, caller=f"small {number}"))
        finished.append("small")

    async with asyncio.TaskGroup() as group:
        group.create_task(large())
        for number in range(8):
            group.create_task(small(number))
    assert finished[-1] == "large"


async def test_batch_work_waits_for_interactive_work(stub: Stub) -> None:
    finished: list[int] = []

    async def call(priority: serving_pb2.Priority.ValueType, count: int) -> None:
        inputs = [f"{count} {n} {SENTENCES[0]}" for n in range(count)]
        request = embed_pb2.EmbedRequest(inputs=inputs, priority=priority)
        await stub.Embed(request, **outgoing(60, caller="one"))
        finished.append(priority)

    async with asyncio.TaskGroup() as group:
        group.create_task(call(serving_pb2.PRIORITY_BATCH, 480))
        group.create_task(call(serving_pb2.PRIORITY_INTERACTIVE, 4))
    assert finished == [serving_pb2.PRIORITY_INTERACTIVE, serving_pb2.PRIORITY_BATCH]


async def test_a_cancelled_request_leaves_the_queue_empty(stub: Stub) -> None:
    calls = [
        stub.Embed(embed_pb2.EmbedRequest(inputs=_long_texts(64)), timeout=60) for _ in range(4)
    ]
    await embed(stub, "while they run")
    for call in calls:
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    await embed(stub, "after them")
    assert REGISTRY.get_sample_value("viva_queue_length", {"scheduler": "embed"}) == 0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reranking_stub(data_dir: Path, reranker_folder: Path) -> AsyncIterator[Stub]:
    settings = EmbedSettings(
        port=0, data_dir=data_dir, lame_duck_seconds=0, rerank_model=str(reranker_folder)
    )
    async with (
        serving(settings, "embed", lambda: build(settings)) as running,
        open_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield embed_pb2_grpc.EmbedServiceStub(channel)


async def test_a_configured_reranker_reranks(reranking_stub: Stub, reranker_folder: Path) -> None:
    documents = ["cats", "locks in order", "deadlock: a cycle.", "cats"]
    request = embed_pb2.RerankRequest(query="what is a deadlock?", documents=documents)
    answer = await reranking_stub.Rerank(request, **outgoing(10))
    assert answer.stats.model == reranker_folder.name
    scores = [result.score for result in answer.results]
    assert scores == sorted(scores, reverse=True)
    places = {result.index: place for place, result in enumerate(answer.results)}
    assert places[3] == places[0] + 1
    request.documents.append("a " * 100)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await reranking_stub.Rerank(request, **outgoing(10))
    assert list(violations(failure.value)) == ["documents[4]"]


async def test_the_encoder_reranks_when_named(reranking_stub: Stub) -> None:
    request = embed_pb2.RerankRequest(model=MODEL, query="cats", documents=["dogs", "cats"])
    answer = await reranking_stub.Rerank(request, **outgoing(10))
    assert answer.stats.model == MODEL
    assert [result.index for result in answer.results] == [1, 0]


async def test_a_reranker_does_not_embed(reranking_stub: Stub, reranker_folder: Path) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await embed(reranking_stub, "a", model=reranker_folder.name)
    assert failure.value.code() is grpc.StatusCode.NOT_FOUND


async def test_encoder_and_reranker_are_listed(reranking_stub: Stub, reranker_folder: Path) -> None:
    answer = await reranking_stub.ListModels(embed_pb2.ListModelsRequest(), **outgoing(10))
    assert [(model.name, model.is_default) for model in answer.models] == [
        (MODEL, True),
        (reranker_folder.name, False),
    ]
