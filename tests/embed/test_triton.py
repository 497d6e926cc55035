"""The engine triton against a real Triton server on the generated repository."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sentence_transformers import SentenceTransformer
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.embed.engines.ctranslate2 import prepare
from services.embed.engines.selection import load_encoder, model_files, tokenization
from services.embed.engines.triton import TritonEncoder
from services.embed.engines.triton_repository import write_repository
from services.embed.server import SERVICE, build
from services.embed.settings import EmbedSettings
from services.embed.tokenization import NamedText, Overflow, Purpose
from services.runtime.channel import open_channel, outgoing
from services.runtime.errors import ResourceMissing, Unavailable
from services.runtime.server import serving
from services.runtime.weights import WeightsStore
from tests.embed.conftest import SENTENCES
from tests.embed.test_engines import least_cosine
from tests.triton.server import Triton, running_triton


@pytest.fixture(scope="module")
def repository(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = EmbedSettings(data_dir=data_dir)
    files = model_files(settings)
    weights = prepare(
        WeightsStore(data_dir / "models"),
        files,
        settings.choice().name,
        settings.choice().compute_type,
    )
    folder = tmp_path_factory.mktemp("repository")
    write_repository(folder, name="encoder", weights=weights, dimensions=384, pooling=files.pooling)
    return folder


@pytest.fixture(scope="module")
def triton(repository: Path) -> Iterator[Triton]:
    with running_triton(repository) as running:
        yield running


def settings(triton: Triton, data_dir: Path) -> EmbedSettings:
    return EmbedSettings(
        engine="triton",
        triton_address=triton.grpc_address,
        data_dir=data_dir,
        port=0,
        lame_duck_seconds=0,
    )


def test_triton_agrees_with_sentence_transformers(
    triton: Triton, data_dir: Path, reference: SentenceTransformer
) -> None:
    chosen = settings(triton, data_dir)
    files = model_files(chosen)
    encoder = load_encoder(chosen, files)
    texts = tokenization(files).tokenize(
        [NamedText("", text) for text in SENTENCES], Purpose.PASSAGE, Overflow.REFUSE
    )
    vectors = encoder.encode(texts)
    assert vectors.shape == (len(SENTENCES), encoder.dimensions)
    assert least_cosine(vectors, reference.encode(list(SENTENCES))) > 0.9999
    assert (encoder.info.engine, encoder.info.device) == ("triton", triton.grpc_address)
    encoder.close()


async def test_the_server_serves_from_triton(triton: Triton, data_dir: Path) -> None:
    chosen = settings(triton, data_dir)
    async with (
        serving(chosen, "embed", lambda: build(chosen)) as running,
        open_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        stub = embed_pb2_grpc.EmbedServiceStub(channel)
        answer = await stub.Embed(embed_pb2.EmbedRequest(inputs=["a", "b"]), **outgoing(10))
        assert answer.dimensions == len(answer.embeddings[0].values) == 384
        listed = await stub.ListModels(embed_pb2.ListModelsRequest(), **outgoing(10))
        assert [(m.engine, m.device) for m in listed.models] == [("triton", triton.grpc_address)]


async def test_a_triton_that_died_is_unavailable_with_a_retry(
    repository: Path, data_dir: Path
) -> None:
    with running_triton(repository) as mortal:
        chosen = settings(mortal, data_dir)
        async with (
            serving(chosen, "embed", lambda: build(chosen)) as running,
            open_channel(f"127.0.0.1:{running.port}") as channel,
        ):
            stub = embed_pb2_grpc.EmbedServiceStub(channel)
            mortal.process.send_signal(signal.SIGKILL)
            mortal.process.wait()
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await stub.Embed(embed_pb2.EmbedRequest(inputs=["a"]), **outgoing(10))
            assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_triton_that_hangs_takes_the_server_out_of_service_until_it_goes_on(
    repository: Path, data_dir: Path
) -> None:
    with running_triton(repository) as stopped:
        chosen = settings(stopped, data_dir).model_copy(update={"triton_timeout_seconds": 1.0})
        async with (
            serving(chosen, "embed", lambda: build(chosen)) as running,
            open_channel(f"127.0.0.1:{running.port}") as channel,
        ):
            stub = embed_pb2_grpc.EmbedServiceStub(channel)
            watch = health_pb2_grpc.HealthStub(channel).Watch(
                health_pb2.HealthCheckRequest(service=SERVICE)
            )
            states = (state.status async for state in watch)
            assert await anext(states) == health_pb2.HealthCheckResponse.SERVING
            stopped.process.send_signal(signal.SIGSTOP)
            for _ in range(3):
                with pytest.raises(grpc.aio.AioRpcError) as failure:
                    await stub.Embed(embed_pb2.EmbedRequest(inputs=["a"]), **outgoing(10))
                assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
            assert await anext(states) == health_pb2.HealthCheckResponse.NOT_SERVING
            stopped.process.send_signal(signal.SIGCONT)
            async with asyncio.timeout(20):
                assert await anext(states) == health_pb2.HealthCheckResponse.SERVING
            watch.cancel()


def test_a_triton_that_does_not_answer_in_time_is_unavailable(
    repository: Path, data_dir: Path
) -> None:
    with running_triton(repository) as stopped:
        chosen = settings(stopped, data_dir)
        encoder = TritonEncoder(stopped.grpc_address, "encoder", timeout=1.0)
        text = tokenization(model_files(chosen)).tokenize(
            [NamedText("", "a")], Purpose.PASSAGE, Overflow.REFUSE
        )
        stopped.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(Unavailable, match="does not answer"):
                encoder.encode(text)
        finally:
            stopped.process.send_signal(signal.SIGCONT)
        encoder.close()


def test_a_model_triton_does_not_have_stops_the_start(triton: Triton) -> None:
    with pytest.raises(ResourceMissing, match=r"'other'.*VIVA_EMBED_TRITON_MODEL"):
        TritonEncoder(triton.grpc_address, "other", timeout=5)


def test_an_absent_triton_stops_the_start() -> None:
    with pytest.raises(ResourceMissing, match="VIVA_EMBED_TRITON_ADDRESS"):
        TritonEncoder("127.0.0.1:1", "encoder", timeout=1)
