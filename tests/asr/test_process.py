"""The recognition server as a process: killed, stopped, and left by its clients in mid-stream."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import numpy as np
import pytest
import pytest_asyncio
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.asr.engines.engine import Float32
from services.runtime.audio import pcm
from services.runtime.channel import open_channel
from tests.asr.audio import encoded, read_wav, silence, words
from tests.asr.calls import chunk
from tests.recordings import librivox
from tests.server_process import (
    GUARD_SECONDS,
    NOT_SERVING,
    ServerProcess,
    client_process,
    code_of,
    failed_start,
    server_process,
)

pytestmark = pytest.mark.slow

SERVICE = "viva.asr.v1.AsrService"
RAW = serving_pb2.AudioFormat(sample_rate_hz=16_000)
CLIENT = Path(__file__).with_name("vanishing_client.py")
Request = asr_pb2.StreamingRecognizeRequest

# A call whose `read` gives the next message, or EOF, which is false.
Call: TypeAlias = Any


@asynccontextmanager
async def asr(**settings: str) -> AsyncIterator[ServerProcess]:
    """The real server with the smaller packaged model."""
    async with server_process("asr", SERVICE, MODEL="tiny.en", **settings) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[ServerProcess]:
    """A server for the tests that leave it whole."""
    async with asr() as server:
        yield server


def speech() -> Float32:
    """A sentence, "… made amiable himself", with the silence that ends a turn."""
    return np.concatenate([read_wav(librivox()[4].path), silence(1)])


async def begin(channel: grpc.aio.Channel, *, seconds: float = 2.0) -> Call:
    """A stream in progress: the beginning of the sentence was sent, and speech was heard."""
    streaming: Any = asr_pb2_grpc.AsrServiceStub(channel).StreamingRecognize
    call = streaming(timeout=GUARD_SECONDS)
    await call.write(Request(config=asr_pb2.StreamingRecognitionConfig(format=RAW)))
    await say(call, speech()[: round(seconds * 16_000)])
    while not (await call.read()).HasField("speech_started"):
        pass
    return call


async def say(call: Call, samples: Float32) -> None:
    for start in range(0, len(samples), 1600):
        await call.write(chunk(pcm.s16le_from_float(samples[start : start + 1600])))


async def finish(call: Call, *, seconds: float = 2.0) -> str:
    """Says the rest; what was understood."""
    await say(call, speech()[round(seconds * 16_000) :])
    await call.done_writing()
    texts = []
    while event := await call.read():
        if event.HasField("end_of_turn"):
            texts.append(event.end_of_turn.text)
    return " ".join(texts)


async def test_a_server_killed_in_mid_stream_is_told_as_unavailable() -> None:
    async with asr() as server, server.channel() as channel:
        stream = await begin(channel)
        hour = encoded(silence(1800), 16_000, "FLAC")
        whole = asr_pb2_grpc.AsrServiceStub(channel).Recognize(
            asr_pb2.RecognizeRequest(audio=hour), timeout=GUARD_SECONDS
        )
        await server.until_load(lambda calls, _: calls == 2)

        server.process.kill()

        assert await code_of(stream) == grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await whole
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        # The caller's side has ended too: nothing waits to be written.
        with pytest.raises((grpc.aio.AioRpcError, asyncio.InvalidStateError)):
            await say(stream, speech())


async def test_a_stream_in_progress_is_finished_by_a_server_that_stops() -> None:
    settings = {"LAME_DUCK_SECONDS": "0.2", "VIVA_DRAIN_SECONDS": "60"}
    async with asr(**settings) as server, server.channel() as channel:
        stream = await begin(channel)
        server.process.send_signal(signal.SIGTERM)
        await server.until_health(channel, NOT_SERVING)

        said = await finish(stream)

        assert "himself" in words(said)
        assert await stream.code() == grpc.StatusCode.OK
        assert await server.stopped() == 0


async def test_a_stream_is_ended_after_its_turn_by_a_server_that_stops() -> None:
    async with asr(LAME_DUCK_SECONDS="0") as server, server.channel() as channel:
        stream = await begin(channel)
        server.process.send_signal(signal.SIGTERM)
        await server.until_health(channel, NOT_SERVING)

        await say(stream, speech()[2 * 16_000 :])
        await say(stream, silence(3))
        while not (event := await stream.read()).HasField("end_of_turn"):
            pass

        assert "himself" in words(event.end_of_turn.text)
        assert await code_of(stream) == grpc.StatusCode.UNAVAILABLE
        assert "DRAINING" in repr(await stream.trailing_metadata())
        assert await server.stopped() == 0


async def test_a_stream_that_goes_on_beyond_the_grace_is_told_and_the_server_ends() -> None:
    settings = {"LAME_DUCK_SECONDS": "0", "VIVA_DRAIN_SECONDS": "0.2"}
    async with asr(**settings) as server, server.channel() as channel:
        stream = await begin(channel)

        server.process.send_signal(signal.SIGTERM)

        assert await code_of(stream) == grpc.StatusCode.UNAVAILABLE
        assert await server.stopped() == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_whose_process_dies_leaves_nothing_and_disturbs_nobody(
    shared: ServerProcess,
) -> None:
    async with shared.channel() as channel:
        assert "himself" in words(await finish(await begin(channel)))
        calls, tasks = await shared.load()
        assert calls == 0
        other = await begin(channel)
        async with client_process(CLIENT, shared.address, str(librivox()[0].path)) as client:
            assert client.stdout is not None
            assert await client.stdout.readline() == b"speaking\n"
            await shared.until_load(lambda calls, _: calls == 2)

            client.kill()

            await shared.until_load(lambda calls, _: calls == 1)
            assert "himself" in words(await finish(other))
            await shared.until_load(lambda now, alive: now == 0 and alive <= tasks)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_channel_that_closes_in_mid_stream_leaves_nothing_and_disturbs_nobody(
    shared: ServerProcess,
) -> None:
    async with shared.channel() as channel:
        assert "himself" in words(await finish(await begin(channel)))
        _, tasks = await shared.load()
        other = await begin(channel)
        async with open_channel(shared.address) as doomed:
            streams = [await begin(doomed) for _ in range(5)]
            await shared.until_load(lambda calls, _: calls == 6)
        await shared.until_load(lambda calls, _: calls == 1)
        assert "himself" in words(await finish(other))
        await shared.until_load(lambda now, alive: now == 0 and alive <= tasks)
        assert {await stream.code() for stream in streams} == {grpc.StatusCode.CANCELLED}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("PORT", "none"),
        ("MODEL", "/none"),
        ("DEVICE", "tpu"),
        ("COMPUTE_TYPE", "int3"),
        ("EXTRA_MODELS", '["a/base", "b/base"]'),
    ],
)
async def test_a_wrong_setting_is_named_by_its_variable(setting: str, value: str) -> None:
    said = await failed_start("asr", **{"PORT": "0", "MODEL": "tiny.en", setting: value})

    assert f"VIVA_ASR_{setting}" in said
    assert "Traceback" not in said
