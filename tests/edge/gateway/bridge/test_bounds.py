"""Clients that read slowly, or not at all, or send what never ends."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.exceptions import ConnectionClosed

from edge.gateway.bridge.outgoing import Outgoing
from tests.edge.gateway.bridge.client import block, calling, data, frames
from tests.edge.gateway.bridge.conftest import Bridge
from tests.edge.gateway.bridge.echo import Echo

HELLO = block(x_grpc_web="1")
CHAT = "/test.v1.Echo/Chat"
_MASK = bytes(4)
PING, PONG = 9, 10


def ws_frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """A client's frame as RFC 6455 has it, masked with zeros."""
    assert len(payload) < 126
    return struct.pack("BB", opcode | (0x80 if fin else 0), 0x80 | len(payload)) + _MASK + payload


async def short_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """A server's frame of fewer than 126 bytes: its opcode and what it holds."""
    first, length = await reader.readexactly(2)
    return first & 0xF, await reader.readexactly(length)


@asynccontextmanager
async def raw(
    port: int, path: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A socket that has been upgraded, with little room to receive."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: grpc-websockets\r\n\r\n".encode()
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def until_still(server: Echo, over: int = 0) -> int:
    """How much the server has written, more than `over`, when it writes no more."""
    written = over
    while server.flooded == over or server.flooded != written:
        written = server.flooded
        await asyncio.sleep(0.2)
    return written


async def test_a_slow_reader_makes_the_server_wait(bridge: Bridge, server: Echo) -> None:
    async with bridge() as port, raw(port, "/test.v1.Echo/Flood") as (reader, writer):
        writer.write(ws_frame(2, HELLO))
        written = await until_still(server)
        # 4 KiB each. Of them two windows of HTTP/2 are in gRPC, the rest here and in the kernel.
        assert 0 < written * 4096 < 2 * 2**20
        # It goes on where it stopped.
        for _ in range(200):
            await reader.read(65536)
        assert await until_still(server, written) > written


async def test_one_that_never_reads_is_let_go(bridge: Bridge, server: Echo) -> None:
    async with (
        bridge(stall_seconds=0.2) as port,
        raw(port, "/test.v1.Echo/Flood") as (_, writer),
    ):
        writer.write(ws_frame(2, HELLO))
        await server.cancelled.wait()


async def test_a_slow_reader_holds_up_nobody_else(bridge: Bridge, server: Echo) -> None:
    async with bridge() as port, raw(port, "/test.v1.Echo/Flood") as (_, writer):
        writer.write(ws_frame(2, HELLO))
        await until_still(server)
        async with calling(port, CHAT, HELLO, data(b"a")) as caller:
            await caller.until(1)


async def test_pings_of_one_who_reads_nothing_pile_up_nowhere(bridge: Bridge) -> None:
    before = _resident()
    async with bridge() as port, raw(port, CHAT) as (_, writer):
        writer.write(ws_frame(2, HELLO))
        pings = ws_frame(PING, bytes(125)) * 1000
        # More than the kernel holds for both ways: the bridge reads them and has to forget them.
        for _ in range(300):
            writer.write(pings)
            await writer.drain()
    assert _resident() - before < 16 * 2**20


def _resident() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_a_message_of_endless_empty_fragments_is_ended(bridge: Bridge) -> None:
    async with bridge() as port, raw(port, CHAT) as (reader, writer):
        writer.write(ws_frame(2, b"", fin=False) + ws_frame(0, b"", fin=False) * 5000)
        answer = await reader.read()
    assert struct.pack(">H", 1008) + b"too many fragments" in answer


async def test_who_answers_no_ping_is_gone(bridge: Bridge, server: Echo) -> None:
    async with (
        bridge(ping_seconds=0.1) as port,
        raw(port, "/test.v1.Echo/Hang") as (_, writer),
    ):
        writer.write(ws_frame(2, HELLO))
        await server.cancelled.wait()


@pytest.mark.slow
async def test_who_answers_pings_stays(bridge: Bridge) -> None:
    async with bridge(ping_seconds=0.5) as port, raw(port, CHAT) as (reader, writer):
        writer.write(ws_frame(2, HELLO))
        # The next one is sent after the answer to the one before.
        for _ in range(2):
            while (got := await short_frame(reader))[0] != PING:
                pass
            writer.write(ws_frame(PONG, got[1]))
        writer.write(ws_frame(2, data(b"a")))
        while (0, b"a") not in frames((await short_frame(reader))[1]):
            pass


async def test_a_huge_request_head_is_refused(bridge: Bridge) -> None:
    async with bridge() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 100_000)
        assert b" 400 " in await reader.readline()
        writer.close()


async def test_what_waits_is_counted_in_bytes() -> None:
    outgoing = Outgoing(10)
    await outgoing.add(b"12345")
    await outgoing.add(b"67890")
    third = asyncio.create_task(outgoing.add(b"abc", last=True))
    await asyncio.sleep(0)
    assert not third.done()
    assert outgoing.take() == (b"1234567890", False)
    await third
    assert outgoing.take() == (b"abc", True)


async def test_a_message_larger_than_the_limit_of_a_message_is_cut_off(bridge: Bridge) -> None:
    async with bridge(max_message_bytes=1024) as port, calling(port, CHAT, HELLO) as caller:
        with pytest.raises(ConnectionClosed):
            await caller.send(bytes(4096))
            await caller.socket.recv()
            await caller.socket.recv()
        assert caller.socket.close_code == 1009
