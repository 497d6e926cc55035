"""gRPC-Web as a browser speaks it, frame by frame.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx
from google.protobuf.message import Message

_HEADER = struct.Struct(">BI")
_TRAILERS = 0x80


@dataclass(frozen=True)
class Frame:
    """A message, or the trailers when `trailers` is not None."""

    message: bytes = b""
    trailers: Mapping[str, str] | None = None


def encode(message: Message) -> bytes:
    body = message.SerializeToString()
    return _HEADER.pack(0, len(body)) + body


async def frames(chunks: AsyncIterator[bytes]) -> AsyncIterator[Frame]:
    buffered = b""
    async for chunk in chunks:
        buffered += chunk
        while len(buffered) >= _HEADER.size:
            flags, length = _HEADER.unpack_from(buffered)
            end = _HEADER.size + length
            if len(buffered) < end:
                break
            body, buffered = buffered[_HEADER.size : end], buffered[end:]
            yield Frame(trailers=_headers(body)) if flags & _TRAILERS else Frame(message=body)
    assert not buffered


def _headers(block: bytes) -> Mapping[str, str]:
    lines = block.decode("ascii").split("\r\n")
    pairs = (line.split(":", 1) for line in lines if line)
    return {key.strip().lower(): value.strip() for key, value in pairs}


async def call(
    client: httpx.AsyncClient, url: str, message: Message, headers: Mapping[str, str] | None = None
) -> tuple[httpx.Response, list[Frame]]:
    """Calls a unary or server-streaming method."""
    sent = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", **(headers or {})}
    async with client.stream("POST", url, content=encode(message), headers=sent) as response:
        return response, [frame async for frame in frames(response.aiter_bytes())]
