"""The text-to-speech server as a process: killed, stopped, left by its clients in mid-stream."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from viva.tts.v1 import tts_pb2

from services.runtime.channel import open_channel
from tests.server_process import (
    NOT_SERVING,
    ServerProcess,
    client_process,
    code_of,
    failed_start,
    server_process,
)
from tests.tts.calls import Call, Stub, config, converse, hear, text

pytestmark = pytest.mark.slow

SERVICE = "viva.tts.v1.TtsService"
CLIENT = Path(__file__).with_name("vanishing_client.py")
LONG = "This is one of many sentences that are said one after another. " * 200


@asynccontextmanager
async def tts(**settings: str) -> AsyncIterator[ServerProcess]:
    """The real server with the quick packaged voice."""
    own = {"ENGINES": '["piper"]', "FREQUENT_LINES": os.devnull} | settings
    async with server_process("tts", SERVICE, **own) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[ServerProcess]:
    """A server for the tests that leave it whole."""
    async with tts() as server:
        yield server


async def begin(channel: grpc.aio.Channel, line: str = "Thank you for that. ") -> Call:
    """A stream in progress: its first phrase is heard, and its text has not ended."""
    call = converse(Stub(channel))
    await call.write(config())
    await call.write(text("a", line))
    assert (await call.read()).chunk.audio
    return call


async def finish(call: Call) -> list[str]:
    """Says the rest; the words heard of it."""
    await call.write(text("a", "Now the next question.", last=True))
    await call.done_writing()
    return [word.text for word in (await hear(call))["a"].words]


NEXT = ["Now", "the", "next", "question"]


async def test_a_server_killed_in_mid_stream_is_told_as_unavailable() -> None:
    async with tts() as server, server.channel() as channel:
        stream = await begin(channel)
        whole: Call = Stub(channel).Synthesize(tts_pb2.SynthesizeRequest(text=LONG))
        assert (await whole.read()).chunk.audio

        server.process.kill()

        assert await code_of(stream) == grpc.StatusCode.UNAVAILABLE
        assert await code_of(whole) == grpc.StatusCode.UNAVAILABLE
        # The caller's side has ended too: nothing waits to be written.
        with pytest.raises((grpc.aio.AioRpcError, asyncio.InvalidStateError)):
            await stream.write(text("a", "Is anybody there?"))


async def test_a_stream_in_progress_is_finished_by_a_server_that_stops() -> None:
    settings = {"LAME_DUCK_SECONDS": "0.2", "VIVA_DRAIN_SECONDS": "60"}
    async with tts(**settings) as server, server.channel() as channel:
        stream = await begin(channel)
        server.process.send_signal(signal.SIGTERM)
        await server.until_health(channel, NOT_SERVING)

        assert (await finish(stream))[-4:] == NEXT
        assert await stream.code() == grpc.StatusCode.OK
        assert await server.stopped() == 0


async def test_a_stream_is_ended_after_its_segment_by_a_server_that_stops() -> None:
    async with tts(LAME_DUCK_SECONDS="0") as server, server.channel() as channel:
        stream = await begin(channel)
        server.process.send_signal(signal.SIGTERM)
        await server.until_health(channel, NOT_SERVING)

        await stream.write(text("a", "Now the next question.", last=True))
        while not (message := await stream.read()).HasField("done"):
            pass

        assert message.done.segment_id == "a"
        assert await code_of(stream) == grpc.StatusCode.UNAVAILABLE
        assert "DRAINING" in repr(await stream.trailing_metadata())
        assert await server.stopped() == 0


async def test_a_segment_of_which_nothing_was_heard_is_finished_by_a_server_that_stops() -> None:
    async with tts(LAME_DUCK_SECONDS="0") as server, server.channel() as channel:
        stream, idle = await begin(channel), await begin(channel)
        for call in (idle, stream):
            await call.write(text("a", "Go on.", last=True))
        await stream.write(text("b", "Now the next"))
        for call in (idle, stream):
            while not (await call.read()).HasField("done"):
                pass
        server.process.send_signal(signal.SIGTERM)
        assert await code_of(idle) == grpc.StatusCode.UNAVAILABLE

        # A new segment ends the text of the one before; it is not begun itself.
        await stream.write(text("c", "Never said.", last=True))
        await stream.done_writing()
        spoken = []
        while not (message := await stream.read()).HasField("done"):
            spoken += [word.text for word in message.chunk.words]

        assert message.done.segment_id == "b"
        assert spoken == ["Now", "the", "next"]
        assert await code_of(stream) == grpc.StatusCode.UNAVAILABLE
        assert "DRAINING" in repr(await stream.trailing_metadata())


@pytest.mark.parametrize("line", ["Thank you for that. ", LONG], ids=["waiting", "speaking"])
async def test_a_stream_that_goes_on_beyond_the_grace_is_told_and_the_server_ends(
    line: str,
) -> None:
    settings = {"LAME_DUCK_SECONDS": "0", "VIVA_DRAIN_SECONDS": "0.2"}
    async with tts(**settings) as server, server.channel() as channel:
        stream = await begin(channel, line)

        server.process.send_signal(signal.SIGTERM)

        assert await code_of(stream) == grpc.StatusCode.UNAVAILABLE
        assert await server.stopped() == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_whose_process_dies_leaves_nothing_and_disturbs_nobody(
    shared: ServerProcess,
) -> None:
    async with shared.channel() as channel:
        assert (await finish(await begin(channel)))[-4:] == NEXT
        calls, tasks = await shared.load()
        assert calls == 0
        other = await begin(channel)
        async with client_process(CLIENT, shared.address) as client:
            assert client.stdout is not None
            assert await client.stdout.readline() == b"speaking\n"
            await shared.until_load(lambda calls, _: calls == 2)

            client.kill()

            await shared.until_load(lambda calls, _: calls == 1)
            assert (await finish(other))[-4:] == NEXT
            await shared.until_load(lambda now, alive: now == 0 and alive <= tasks)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_channel_that_closes_in_mid_stream_leaves_nothing_and_disturbs_nobody(
    shared: ServerProcess,
) -> None:
    async with shared.channel() as channel:
        assert (await finish(await begin(channel)))[-4:] == NEXT
        _, tasks = await shared.load()
        other = await begin(channel)
        async with open_channel(shared.address) as doomed:
            streams = [await begin(doomed, LONG) for _ in range(5)]
            await shared.until_load(lambda calls, _: calls == 6)
        await shared.until_load(lambda calls, _: calls == 1)
        assert (await finish(other))[-4:] == NEXT
        await shared.until_load(lambda now, alive: now == 0 and alive <= tasks)
        assert {await stream.code() for stream in streams} == {grpc.StatusCode.CANCELLED}


@pytest.mark.parametrize(
    ("setting", "value"),
    [("PORT", "none"), ("ENGINES", '["flite"]'), ("DEFAULT_VOICE", "nobody"), ("DEVICE", "tpu")],
)
async def test_a_wrong_setting_is_named_by_its_variable(setting: str, value: str) -> None:
    own = {"PORT": "0", "ENGINES": '["piper"]'}
    said = await failed_start("tts", **own | {setting: value})

    assert f"VIVA_TTS_{setting}" in said
    assert "Traceback" not in said
