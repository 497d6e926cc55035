"""A real HTTP server that speaks OpenAI's chat completions, with the faults a test asks for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


def event(text: str | None = None, finish: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


def usage(prompt: int, completion: int, cached: int = 0) -> str:
    counts = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    return f"data: {json.dumps({'choices': [], 'usage': counts})}\n\n"


DONE = "data: [DONE]\n\n"


def answer(*texts: str, finish: str = "stop") -> list[str]:
    return [*map(event, texts), event(finish=finish), usage(11, len(texts), 4), DONE]


@dataclass(frozen=True)
class Reply:
    """What the server does with one request.

    Attributes:
        status: The HTTP status.
        headers: Headers beside the usual ones.
        events: Pieces of the body.
        cut: Whether the connection is cut after them, in the middle of the body.
        hold: Whether the body never goes on after them.
    """

    events: Sequence[str] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hold: bool = False


@dataclass
class ModelServer:
    """The server's script and what it saw.

    Attributes:
        replies: To answer chat requests with, in order; the last one again and again.
        requests: The bodies of the chat requests.
        authorizations: Their Authorization headers.
        models: Answers what models there are.
        count: Answers requests to count tokens.
        counted: The bodies of those.
        closed: Set when a client has left a held request.
    """

    replies: list[Reply]
    requests: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    models: Reply = field(default_factory=lambda: Reply(['{"data": []}']))
    count: Reply = field(default_factory=lambda: Reply(['{"count": 42, "max_model_len": 512}']))
    counted: list[dict[str, Any]] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._serve_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = first.split()[1]
        if path == "/v1/models":
            reply = self.models
        elif path == "/tokenize":
            self.counted.append(json.loads(body))
            reply = self.count
        else:
            assert path == "/v1/chat/completions"
            self.requests.append(json.loads(body))
            self.authorizations.append(headers.get("authorization", ""))
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return await self._reply(reply, reader, writer)

    async def _reply(
        self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        extra = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        writer.write(
            f"HTTP/1.1 {reply.status} Status\r\ncontent-type: text/event-stream\r\n"
            f"{extra}transfer-encoding: chunked\r\n\r\n".encode()
        )
        for piece in reply.events:
            data = piece.encode()
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            await writer.drain()
        if reply.hold:
            await reader.read()
            self.closed.set()
        if reply.cut or reply.hold:
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


@asynccontextmanager
async def model_server(*replies: Reply, port: int = 0) -> AsyncIterator[ModelServer]:
    server = ModelServer(list(replies))
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(server.serve(reader, writer)))

    listener = await asyncio.start_server(accept, "127.0.0.1", port)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
