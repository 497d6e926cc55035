"""Recognition of live audio, and what becomes of a microphone that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from viva.asr.v1 import asr_pb2, asr_pb2_grpc

from services.client import Viva
from services.runtime.validation import validate

PIECE = bytes(640)


class Ears(asr_pb2_grpc.AsrServiceServicer):
    """Says how many pieces it heard, when the stream is over.

    Attributes:
        listening: Set while somebody speaks to it.
        left: Set when nobody speaks to it any more.
    """

    def __init__(self) -> None:
        self.listening = asyncio.Event()
        self.left = asyncio.Event()

    async def StreamingRecognize(
        self, request_iterator: AsyncIterator[asr_pb2.StreamingRecognizeRequest], context: Any
    ) -> AsyncIterator[asr_pb2.StreamingRecognizeResponse]:
        pieces = 0
        try:
            # Of a call that its caller cancels this ends, or is cancelled: what comes first.
            async for request in request_iterator:
                # As every server does.
                validate(request)
                assert len(request.audio.audio) % 2 == 0
                pieces += request.HasField("audio")
                self.listening.set()
        finally:
            self.left.set()
        turn = asr_pb2.EndOfTurn(text=f"{pieces} pieces")
        yield asr_pb2.StreamingRecognizeResponse(turn=1, end_of_turn=turn)


@asynccontextmanager
async def hearing() -> AsyncIterator[tuple[Viva, Ears]]:
    ears, server = Ears(), grpc.aio.server()
    asr_pb2_grpc.add_AsrServiceServicer_to_server(ears, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with Viva(f"127.0.0.1:{port}") as viva:
            yield viva, ears
    finally:
        await server.stop(0)


async def heard(viva: Viva, pieces: AsyncIterator[bytes]) -> list[str]:
    return [answer.end_of_turn.text async for answer in viva.recognize(pieces)]


async def test_what_is_understood_comes_back() -> None:
    async def microphone() -> AsyncIterator[bytes]:
        yield PIECE
        yield PIECE

    async with hearing() as (viva, _):
        assert await heard(viva, microphone()) == ["2 pieces"]


async def test_a_microphone_that_fails_tells_whoever_listens() -> None:
    async with hearing() as (viva, ears):

        async def microphone() -> AsyncIterator[bytes]:
            yield PIECE
            await ears.listening.wait()
            raise OSError("the microphone is unplugged")

        with pytest.raises(OSError, match="unplugged"):
            await heard(viva, microphone())
        # The call does not wait for more.
        await ears.left.wait()


async def test_whoever_is_cancelled_stays_cancelled() -> None:
    closed = asyncio.Event()

    async def microphone() -> AsyncIterator[bytes]:
        try:
            while True:
                yield PIECE
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    async with hearing() as (viva, ears):
        listening = asyncio.create_task(heard(viva, microphone()))
        await ears.listening.wait()
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening
        await closed.wait()


@pytest.mark.parametrize(
    ("pieces", "sent"),
    [([b"", PIECE], 1), ([bytes(641), bytes(639)], 2), ([bytes(33 * 32_000)], 33)],
)
async def test_audio_may_come_in_any_pieces(pieces: list[bytes], sent: int) -> None:
    async def microphone() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async with hearing() as (viva, _):
        assert await heard(viva, microphone()) == [f"{sent} pieces"]
