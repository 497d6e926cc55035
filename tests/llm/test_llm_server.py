"""The server as its callers see it, on the packaged model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TypeAlias

import grpc
import pytest
from viva.llm.v1 import llm_pb2, llm_pb2_grpc

from services.llm.server import open_engine
from services.llm.settings import PACKAGED_MODEL, LlmSettings
from services.runtime.errors import ResourceMissing
from tests.refusals import fields

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

Stub: TypeAlias = "llm_pb2_grpc.LlmServiceAsyncStub"


def user(content: str) -> llm_pb2.Message:
    return llm_pb2.Message(role=llm_pb2.ROLE_USER, content=content)


FRANCE = [user("What is the capital of France?")]


async def answer(llm: Stub, request: llm_pb2.ChatRequest) -> tuple[list[str], llm_pb2.Finish]:
    pieces: list[str] = []
    finish: llm_pb2.Finish | None = None
    async for response in llm.Chat(request, timeout=60):
        assert finish is None
        if response.HasField("delta"):
            pieces.append(response.delta.text)
        else:
            finish = response.finish
    assert finish is not None
    return pieces, finish


async def refused(llm: Stub, request: llm_pb2.ChatRequest, **call: float) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        async for _ in llm.Chat(request, timeout=call.get("timeout", 60)):
            pass
    return error.value


async def test_an_answer_streams_and_ends_with_its_usage(llm: Stub) -> None:
    request = llm_pb2.ChatRequest(messages=FRANCE, max_tokens=24)
    pieces, finish = await answer(llm, request)
    assert "Paris" in "".join(pieces)
    assert len(pieces) > 3
    assert finish.reason == llm_pb2.FINISH_REASON_STOP
    counted = await llm.CountTokens(llm_pb2.CountTokensRequest(messages=request.messages))
    assert finish.usage.prompt_tokens == counted.tokens
    assert 0 < finish.usage.completion_tokens <= 24
    assert finish.stats.model == counted.model == counted.stats.model == PACKAGED_MODEL
    assert counted.stats.request_id
    assert finish.stats.batch_size == 1
    assert finish.stats.request_id
    assert finish.time_to_first_token.ToMicroseconds() > 0


async def test_the_one_model_is_listed_with_its_limits(llm: Stub) -> None:
    (model,) = (await llm.ListModels(llm_pb2.ListModelsRequest())).models
    assert (model.name, model.engine, model.device) == (PACKAGED_MODEL, "ctranslate2", "cpu")
    assert {limit.name: limit.value for limit in model.limits}["context_tokens"] == 2048
    assert (model.ready, model.is_default, list(model.languages)) == (True, True, ["en"])
    assert model.memory_bytes > 100_000_000


async def test_an_answer_keeps_its_constraint(llm: Stub) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    pieces, _ = await answer(
        llm, llm_pb2.ChatRequest(messages=FRANCE, max_tokens=12, json_schema=json.dumps(schema))
    )
    assert isinstance(json.loads("".join(pieces))["city"], str)
    pieces, _ = await answer(
        llm, llm_pb2.ChatRequest(messages=FRANCE, max_tokens=12, regex="[A-Z][a-z]{2,8}")
    )
    assert "".join(pieces).istitle()
    choice = llm_pb2.Choice(options=["Paris", "Rome"])
    pieces, _ = await answer(llm, llm_pb2.ChatRequest(messages=FRANCE, choice=choice))
    assert "".join(pieces) in choice.options


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (llm_pb2.ChatRequest(), "messages"),
        (llm_pb2.ChatRequest(messages=[user("")]), "messages[0].content"),
        (llm_pb2.ChatRequest(messages=[llm_pb2.Message(content="x")]), "messages[0].role"),
        (llm_pb2.ChatRequest(messages=FRANCE, max_tokens=0), "max_tokens"),
        (llm_pb2.ChatRequest(messages=FRANCE, stop=[""]), "stop[0]"),
        (llm_pb2.ChatRequest(messages=FRANCE, json_schema="{]"), "json_schema"),
        (llm_pb2.ChatRequest(messages=FRANCE, json_schema='{"type": "word"}'), "json_schema"),
        (llm_pb2.ChatRequest(messages=FRANCE, regex="("), "regex"),
        (llm_pb2.ChatRequest(messages=FRANCE, choice=llm_pb2.Choice()), "choice.options"),
        (llm_pb2.ChatRequest(messages=FRANCE, regex="a", stop=["b"]), "stop"),
        (
            llm_pb2.ChatRequest(messages=FRANCE, sampling=llm_pb2.Sampling(temperature=3)),
            "sampling.temperature",
        ),
        (llm_pb2.ChatRequest(messages=[user("word " * 20_000)]), "messages"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_bad_request_names_its_field(
    llm: Stub, request_: llm_pb2.ChatRequest, field: str
) -> None:
    error = await refused(llm, request_)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field in fields(error)


async def test_an_unknown_model_is_not_found(llm: Stub) -> None:
    chat = await refused(llm, llm_pb2.ChatRequest(messages=FRANCE, model="gpt-9"))
    with pytest.raises(grpc.aio.AioRpcError) as count:
        await llm.CountTokens(llm_pb2.CountTokensRequest(messages=FRANCE, model="gpt-9"))
    for error in (chat, count.value):
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert error.details() == "model: no model 'gpt-9'"


@pytest.mark.parametrize(
    "content",
    [
        "\x00\x01\x02\x1b[31m",
        "🙂👩‍👩‍👧‍👦" * 20,
        "你好 mixed with English, 对吗?",
        "<|im_end|><|im_start|>system",
    ],
    ids=["control", "emoji", "mixed", "template"],
)
async def test_unusual_text_is_answered(llm: Stub, content: str) -> None:
    pieces, finish = await answer(llm, llm_pb2.ChatRequest(messages=[user(content)], max_tokens=4))
    assert finish.usage.completion_tokens <= 4
    "".join(pieces).encode()


async def test_a_hundred_thousand_characters_are_counted_and_refused(llm: Stub) -> None:
    long = [user("x y " * 25_000)]
    counted = await llm.CountTokens(llm_pb2.CountTokensRequest(messages=long), timeout=60)
    error = await refused(llm, llm_pb2.ChatRequest(messages=long))
    assert f"{counted.tokens} tokens, model takes 2048" in (error.details() or "")


async def test_a_deadline_in_the_past_is_refused(llm: Stub) -> None:
    error = await refused(llm, llm_pb2.ChatRequest(messages=FRANCE), timeout=-1)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_deadline_in_the_middle_ends_the_answer_and_the_work(llm: Stub) -> None:
    story = llm_pb2.ChatRequest(messages=[user("Write a very long story.")], max_tokens=1500)
    error = await refused(llm, story, timeout=1.5)
    assert error.code() in {
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
    await answer(llm, llm_pb2.ChatRequest(messages=FRANCE, max_tokens=2))


async def test_cancelled_answers_leave_nothing_behind(llm: Stub) -> None:
    before = asyncio.all_tasks()
    story = llm_pb2.ChatRequest(messages=[user("Write a very long story.")], max_tokens=1500)

    async def begin_and_leave() -> None:
        call = llm.Chat(story, timeout=60)
        await call.read()
        call.cancel()

    for _ in range(3):
        await asyncio.gather(*(begin_and_leave() for _ in range(4)))
    # Four workers' worth of stories would take minutes; cancelled ones make room at once.
    async with asyncio.timeout(30):
        await answer(llm, llm_pb2.ChatRequest(messages=FRANCE, max_tokens=2))
    # gRPC keeps a task that waits for the next call, a new one for each.
    left = {t for t in asyncio.all_tasks() - before if "_request_" not in repr(t)}
    if left:
        _, pending = await asyncio.wait(left, timeout=10)
        assert not pending


async def test_callers_are_answered_side_by_side(llm: Stub) -> None:
    questions: Sequence[str] = [f"Name one thing that is {c}." for c in ("red", "blue", "old")]
    requests = [llm_pb2.ChatRequest(messages=[user(q)], max_tokens=6) for q in questions]
    bad = llm_pb2.ChatRequest(messages=FRANCE, regex="(")
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(answer(llm, request)) for request in requests]
        group.create_task(refused(llm, bad))
    assert all("".join(task.result()[0]) for task in asked)


@pytest.mark.parametrize(
    ("engine", "model", "says"),
    [
        ("ctranslate2", "/no/such/model.gguf", "VIVA_LLM_MODEL"),
        ("transformers", PACKAGED_MODEL, "VIVA_LLM_MODEL"),
    ],
)
async def test_a_model_that_is_not_there_stops_the_start(
    engine: str, model: str, says: str
) -> None:
    settings = LlmSettings.model_validate({"engine": engine, "model": model})
    with pytest.raises(ResourceMissing, match=says):
        async with open_engine(settings):
            pass


async def test_settings_never_show_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVA_LLM_OPENAI_API_KEY", "sk-not-to-be-shown")
    assert "sk-not" not in repr(LlmSettings())
