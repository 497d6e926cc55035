"""A stand-in for the bridge: answers pages with what it was asked, sockets with an echo."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


def accept(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


async def read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """The first line and the headers of a request or answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    pairs = (line.split(":", 1) for line in lines)
    return first, {name.lower(): value.strip() for name, value in pairs}


@dataclass
class Bridge:
    port: int = 0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                first, headers = await read_head(reader)
                self.requests.append((first, headers))
                if headers.get("upgrade", "").lower() == "websocket":
                    key = accept(headers["sec-websocket-key"])
                    writer.write(
                        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
                        b"connection: upgrade\r\nsec-websocket-accept: "
                        + key.encode()
                        + b"\r\n\r\n"
                    )
                    while data := await reader.read(65536):
                        writer.write(data)
                        await writer.drain()
                    return
                body = f"page at {first.split()[1]}".encode()
                head = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(body)}"
                writer.write(head.encode() + b"\r\n\r\n" + (b"" if first[:4] == "HEAD" else body))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def bridge() -> AsyncIterator[Bridge]:
    """Runs one on a free port."""
    found = Bridge()
    server = await asyncio.start_server(found._serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()


@dataclass
class Upgraded:
    """The answer to an upgrade, and the way on if it was granted."""

    status: int
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@asynccontextmanager
async def upgrade(port: int, path: str, headers: dict[str, str]) -> AsyncIterator[Upgraded]:
    """Asks for a WebSocket as a browser does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = {
        "host": f"127.0.0.1:{port}",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-key": base64.b64encode(b"sixteen bytes ok").decode(),
        "sec-websocket-version": "13",
        "sec-websocket-protocol": "grpc-websockets",
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    writer.write(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
    try:
        first, answered = await read_head(reader)
        yield Upgraded(int(first.split()[1]), answered, reader, writer)
    finally:
        writer.close()
