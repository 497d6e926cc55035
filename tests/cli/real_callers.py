"""Callers of the real servers through a mesh; what became of their calls.

`python -m tests.cli.real_callers ADDRESS` calls until it is interrupted and prints the tally.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.interview.clients.asr import AsrClient
from services.interview.clients.embed import EmbedClient
from services.interview.clients.llm import LlmClient
from services.interview.clients.seams import (
    HEARING_RATE_HZ,
    ChatMessage,
    DependencyFailed,
    HearingConfig,
    TurnEnded,
    VoiceConfig,
)
from services.interview.clients.tts import TtsClient
from services.interview.events import AudioFormat, Encoding
from services.runtime.channel import open_channel

_SHAPE = AudioFormat(Encoding.PCM_S16LE, HEARING_RATE_HZ, 1)
_CHUNK_SECONDS = 0.1
_BYTES_A_SECOND = 2 * HEARING_RATE_HZ
_SILENCE = bytes(_BYTES_A_SECOND)
_SEARCH = "/viva.interview.v1.QuestionService/SearchQuestions"
_numbers = count(1)

SERVERS = ("embed", "tts", "asr", "llm", "interview", "reflection")


@dataclass
class Tally:
    """What became of the calls, by server.

    Attributes:
        answered: Wholly.
        moved: Streams that a draining server asked to be opened again elsewhere, and were.
        refused: Overload or deadline: the machine is small, nothing was lost.
        lost: Everything else, with its reason.
    """

    answered: Counter[str] = field(default_factory=Counter)
    moved: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)


Call = Callable[[grpc.aio.Channel], Awaitable[None]]


async def embed(channel: grpc.aio.Channel) -> None:
    text = f"a database index, number {next(_numbers)}"
    found = await EmbedClient(channel).embed([text], query=True, background=False)
    assert len(found.values) == 1


async def speak(channel: grpc.aio.Channel) -> bytes:
    config = VoiceConfig("en-US", None, _SHAPE)
    text = f"This is question {next(_numbers)}."
    async with aclosing(TtsClient(channel).speak(text, config)) as pieces:
        audio = b"".join([piece.audio async for piece in pieces])
    assert audio
    return audio


async def synthesize(channel: grpc.aio.Channel) -> None:
    await speak(channel)


async def chat(channel: grpc.aio.Channel) -> None:
    message = ChatMessage("user", f"Say the number {next(_numbers)}.")
    answer = LlmClient(channel).chat([message], max_tokens=8, stop=())
    async with aclosing(answer) as pieces:
        assert "".join([piece async for piece in pieces])


async def health(channel: grpc.aio.Channel) -> None:
    await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)


async def search(channel: grpc.aio.Channel) -> None:
    # Nothing in particular, in bytes: what it is asked for does not matter here.
    assert await channel.unary_unary(_SEARCH, None, None)(b"", timeout=10)


def recognizing(speech: bytes) -> Call:
    """Has somebody say the same again and again, in real time."""

    async def recognize(channel: grpc.aio.Channel) -> None:
        async with AsrClient(channel).open(HearingConfig("en-US")) as stream:

            async def say() -> None:
                step = int(_CHUNK_SECONDS * _BYTES_A_SECOND)
                audio = speech + _SILENCE
                for start in range(0, len(audio), step):
                    await stream.send(audio[start : start + step])
                    await asyncio.sleep(_CHUNK_SECONDS)
                await stream.finalize()

            saying = asyncio.create_task(say())
            try:
                async for event in stream.events():
                    if isinstance(event, TurnEnded):
                        assert event.text
                        return
            finally:
                saying.cancel()
                await asyncio.gather(saying, return_exceptions=True)
        raise AssertionError("the stream ended without a turn")

    return recognize


@asynccontextmanager
async def calling(address: str, servers: Sequence[str]) -> AsyncIterator[Tally]:
    """Has a caller of each server call until the scope ends.

    Each rests as long as it called: a server that is being started needs the processor as well.
    """
    tally = Tally()
    stop = asyncio.Event()
    async with open_channel(address) as channel:
        calls: Mapping[str, Call] = {
            "embed": embed,
            "tts": synthesize,
            "asr": recognizing(await speak(channel)),
            "llm": chat,
            "interview": search,
            "reflection": health,
        }

        async def caller(server: str) -> None:
            moved = False
            while not stop.is_set():
                began = time.monotonic()
                try:
                    await calls[server](channel)
                except (grpc.aio.AioRpcError, DependencyFailed) as failure:
                    error = failure.__cause__ or failure
                    assert isinstance(error, grpc.aio.AioRpcError)
                    again = not moved and "server is stopping" in (error.details() or "")
                    moved = again
                    _count(tally, server, error, again=again)
                else:
                    moved = False
                    tally.answered[server] += 1
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), time.monotonic() - began)

        async with asyncio.TaskGroup() as callers:
            for server in servers:
                callers.create_task(caller(server))
            yield tally
            stop.set()


def _count(tally: Tally, server: str, error: grpc.aio.AioRpcError, *, again: bool) -> None:
    busy = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}
    if error.code() in busy:
        tally.refused[server] += 1
    elif again:
        tally.moved[server] += 1
    else:
        tally.lost.append(f"{server}: {error.code().name} {error.details()}")


async def _until_interrupted(address: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    async with calling(address, SERVERS) as tally:
        await stop.wait()
    print(json.dumps(vars(tally), indent=2))  # noqa: T201 - its result


if __name__ == "__main__":
    asyncio.run(_until_interrupted(sys.argv[1]))
