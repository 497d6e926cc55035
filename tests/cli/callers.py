"""Callers that never rest: unary, server-streaming and bidirectional, through the mesh.

They speak to the stand-ins (standin.py), whose messages are bytes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from grpc import aio

from services.runtime.channel import open_channel

EMBED = "/viva.embed.v1.EmbedService/Embed"
SYNTHESIZE = "/viva.tts.v1.TtsService/Synthesize"
RECOGNIZE = "/viva.asr.v1.AsrService/StreamingRecognize"
GUARD_SECONDS = 60.0
END = aio.EOF  # type: ignore[attr-defined]
"""What is read from a stream that has ended."""


@dataclass
class Tally:
    """What became of the calls: answered by whom, and what was lost."""

    answered: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    by: set[bytes] = field(default_factory=set)


@asynccontextmanager
async def calling(address: str, each: int = 3) -> AsyncIterator[Tally]:
    """Has so many callers of each kind call until the scope ends, each on its own connection."""
    tally = Tally()
    stop = asyncio.Event()

    async def caller(kind: Callable[[grpc.aio.Channel, Tally], Awaitable[None]]) -> None:
        async with open_channel(address) as channel:
            while not stop.is_set():
                try:
                    await kind(channel, tally)
                except grpc.aio.AioRpcError as error:
                    tally.lost.append(f"{kind.__name__}: {error.code()} {error.details()}")
                else:
                    tally.answered[kind.__name__] += 1

    async with asyncio.TaskGroup() as callers:
        for kind in (unary, server_streaming, bidirectional):
            for _ in range(each):
                callers.create_task(caller(kind))
        yield tally
        stop.set()


async def unary(channel: grpc.aio.Channel, tally: Tally) -> None:
    tally.by.add(await channel.unary_unary(EMBED, None, None)(b"", timeout=GUARD_SECONDS))


async def server_streaming(channel: grpc.aio.Channel, tally: Tally) -> None:
    received = [
        one
        async for one in channel.unary_stream(SYNTHESIZE, None, None)(b"", timeout=GUARD_SECONDS)
    ]
    assert len(received) == 5
    tally.by.update(received)


async def bidirectional(channel: grpc.aio.Channel, _: Tally) -> None:
    call = channel.stream_stream(RECOGNIZE)(timeout=GUARD_SECONDS)  # type: ignore[call-arg]
    for number in range(10):
        await echoed(call, str(number).encode())
    await call.done_writing()
    assert await call.read() == END


async def echoed(call: grpc.aio.StreamStreamCall[bytes, bytes], content: bytes) -> None:
    """Sends something on a stream and gets it back."""
    await call.write(content)
    assert await call.read() == content
