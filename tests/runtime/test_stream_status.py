"""A stream that its server ends early: its writer learns the server's words."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
import pytest

from services.runtime import stream_status
from services.runtime.channel import open_channel

CALLS = 100
WORDS = "no room now"
Call = grpc.aio.StreamStreamCall[bytes, bytes]


async def _refuse(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    """Ends a stream before it has read anything of it."""
    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, WORDS, (("retry", "1"),))
    yield b""


async def _answer_and_refuse(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b"answer"
    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, WORDS)


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server()
    methods = {
        "Z": grpc.stream_stream_rpc_method_handler(_refuse),
        "Answers": grpc.stream_stream_rpc_method_handler(_answer_and_refuse),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("x.Y", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with open_channel(f"127.0.0.1:{port}") as opened:
        yield opened
    await server.stop(None)


async def _written(call: Call) -> grpc.aio.AioRpcError:
    """What a writer is told that goes on until it is told something."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        while not call.done():
            await call.write(bytes(64 * 1024))
        await call.read()
    return failed.value


async def test_the_writer_is_told_the_servers_status(channel: grpc.aio.Channel) -> None:
    method: Any = channel.stream_stream("/x.Y/Z", None, None)
    told: Counter[tuple[str, str | None, bool]] = Counter()
    for _ in range(CALLS):
        call: Call = method()
        error = await _written(call)
        trailers = dict(await call.trailing_metadata())
        told[error.code().name, error.details(), trailers == {"retry": "1"}] += 1
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert told == {("RESOURCE_EXHAUSTED", WORDS, True): CALLS}


async def test_an_iterator_that_is_read_from_fares_no_worse(channel: grpc.aio.Channel) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(64 * 1024)

    method: Any = channel.stream_stream("/x.Y/Z", None, None)
    for _ in range(CALLS):
        call: Call = method(endless())
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
        assert failed.value.details() == WORDS
        assert await call.details() == WORDS


async def test_a_reader_that_is_busy_elsewhere_still_gets_answers_and_status(
    channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_status, "CORE_SECONDS", 0.0)
    method: Any = channel.stream_stream("/x.Y/Answers", None, None)
    call: Call = method()

    async def write() -> None:
        while not call.done():
            await call.write(bytes(64 * 1024))

    writing = asyncio.create_task(write())
    # Several writes fail before anything is read.
    await asyncio.wait([writing], timeout=0.5)
    assert [await call.read() for _ in range(3)] == 3 * [b"answer"]
    with pytest.raises(grpc.aio.AioRpcError, match=WORDS):
        await call.read()
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        await writing


class _NeverBegun:
    """Stands for Core where it turns a write away and gives no status by itself."""

    def __init__(self) -> None:
        self.status: str | None = None
        self.given = asyncio.Event()

    def done(self) -> bool:
        return self.status is not None

    def set_internal_error(self, words: str) -> None:
        self.status = words
        self.given.set()


async def test_a_stream_that_core_gives_no_status_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_status, "CORE_SECONDS", 0.0)
    core = _NeverBegun()
    stream_status._Core(core, asyncio.get_running_loop()).set_internal_error("not accepted")
    assert core.status is None
    await asyncio.wait_for(core.given.wait(), 5)
    assert core.status == "not accepted"
