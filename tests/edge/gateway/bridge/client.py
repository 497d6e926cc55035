"""A client of the bridge that says exactly what a test tells it to."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

HALF_CLOSE = b"\x01"


def data(*messages: bytes) -> bytes:
    """A message of frames, as a client sends it."""
    return b"\x00" + b"".join(struct.pack(">BI", 0, len(m)) + m for m in messages)


def block(**headers: str) -> bytes:
    """A block of headers."""
    return "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items()).encode()


def frames(message: bytes) -> list[tuple[int, bytes]]:
    """The frames of a message of the bridge; each is whole."""
    found = []
    while message:
        flags, length = struct.unpack_from(">BI", message)
        found.append((flags, message[5 : 5 + length]))
        assert len(found[-1][1]) == length
        message = message[5 + length :]
    return found


def headers(payload: bytes) -> dict[str, str]:
    """A block as a map."""
    lines = payload.decode("latin-1").split("\r\n")
    return dict(line.split(": ", 1) for line in lines if line)


@dataclass
class Heard:
    """All that came.

    Attributes:
        sizes: How many frames each message had.
        headers: The first block.
        messages: The data.
        trailers: The last block; None without one.
        code: The close code.
        reason: The close reason.
    """

    sizes: list[int] = field(default_factory=list)
    headers: Mapping[str, str] | None = None
    messages: list[bytes] = field(default_factory=list)
    trailers: Mapping[str, str] | None = None
    code: int | None = None
    reason: str = ""


@dataclass
class Caller:
    """One socket."""

    socket: ClientConnection
    heard: Heard = field(default_factory=Heard)

    async def send(self, *messages: bytes | str) -> None:
        """Sends messages as they are."""
        for message in messages:
            await self.socket.send(message)

    async def receive(self) -> bool:
        """Takes one message; False when the socket is closed."""
        heard = self.heard
        try:
            message = await self.socket.recv()
        except ConnectionClosed:
            heard.code, heard.reason = self.socket.close_code, self.socket.close_reason or ""
            return False
        assert isinstance(message, bytes)
        found = frames(message)
        heard.sizes.append(len(found))
        for flags, payload in found:
            if flags == 0:
                heard.messages.append(payload)
            elif heard.headers is None:
                heard.headers = headers(payload)
            else:
                assert heard.trailers is None
                heard.trailers = headers(payload)
        return True

    async def until(self, messages: int) -> None:
        """Takes messages until so many are there."""
        while len(self.heard.messages) < messages:
            assert await self.receive(), self.heard

    async def rest(self) -> Heard:
        """Takes everything until the socket is closed."""
        while await self.receive():
            pass
        return self.heard


@asynccontextmanager
async def calling(
    port: int,
    path: str,
    *first: bytes | str,
    upgrade: Mapping[str, str] | None = None,
    max_queue: int = 16,
) -> AsyncIterator[Caller]:
    """Opens a socket and sends the first messages."""
    async with connect(
        f"ws://127.0.0.1:{port}{path}",
        subprotocols=[Subprotocol("grpc-websockets")],
        additional_headers=dict(upgrade or {}),
        compression=None,
        proxy=None,
        max_size=2**24,
        max_queue=max_queue,
        close_timeout=1,
    ) as socket:
        caller = Caller(socket)
        await caller.send(*first)
        yield caller
