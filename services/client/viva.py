"""One channel to Viva, and what programs ask of it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.interview.v1 import (
    interview_pb2,
    interview_service_pb2,
    interview_service_pb2_grpc,
    turn_pb2,
)
from viva.serving.v1 import serving_pb2

from services.client.conversation import Call, Conversation
from services.client.pieces import RATE_HZ, Pieces
from services.runtime.channel import open_channel, outgoing

CALL_SECONDS = 10.0
GREATEST_SECONDS = 4 * 3600.0
"""No conversation and no recording takes longer."""


class Viva:
    """A client of the mesh; leave its scope to close its channel.

    Every call raises grpc.aio.AioRpcError when it fails.
    """

    def __init__(self, address: str = "localhost:7000", *, user: str = "local") -> None:
        """Takes the mesh's address, host:port, and whose interviews they are."""
        self._channel = open_channel(address)
        self._user = user
        self._interviews: interview_service_pb2_grpc.InterviewServiceAsyncStub = (
            interview_service_pb2_grpc.InterviewServiceStub(self._channel)
        )
        self._asr: asr_pb2_grpc.AsrServiceAsyncStub = asr_pb2_grpc.AsrServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        """Opens nothing yet: the first call does."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the channel."""
        await self._channel.close(None)

    async def create_interview(self, **settings: Any) -> interview_pb2.Interview:
        """Creates an interview; it begins when somebody joins it.

        Args:
            settings: Fields of `InterviewSettings`, as rounds=3.
        """
        created = await self._interviews.CreateInterview(
            interview_service_pb2.CreateInterviewRequest(
                settings=interview_pb2.InterviewSettings(**settings),
                idempotency_key=uuid.uuid4().hex,
            ),
            **outgoing(CALL_SECONDS, user=self._user),
        )
        return created.interview

    async def interview(self, interview_id: str) -> interview_pb2.Interview:
        """Reads an interview."""
        found = await self._interviews.GetInterview(
            interview_service_pb2.GetInterviewRequest(interview_id=interview_id),
            **outgoing(CALL_SECONDS, user=self._user),
        )
        return found.interview

    async def turns(self, interview_id: str) -> list[turn_pb2.Turn]:
        """What was said in an interview, oldest first."""
        turns: list[turn_pb2.Turn] = []
        token: str | None = None
        while token != "":
            page = await self._interviews.ListTurns(
                interview_service_pb2.ListTurnsRequest(interview_id=interview_id, page_token=token),
                **outgoing(CALL_SECONDS, user=self._user),
            )
            turns += page.turns
            token = page.next_page_token
        return turns

    def conversation(
        self,
        interview_id: str,
        *,
        output_hz: int | None = None,
        text_only: bool = False,
        silence_seconds: float | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> Conversation:
        """The live conversation of an interview; see `Conversation` for what the rest means."""

        def converse() -> Call:
            # Written to, not iterated over.
            return self._interviews.Converse(None, **outgoing(GREATEST_SECONDS, user=self._user))

        return Conversation(
            converse,
            interview_id,
            output_hz=output_hz,
            text_only=text_only,
            silence_seconds=silence_seconds,
            note=note,
        )

    async def recognize(
        self, pieces: AsyncIterable[bytes], *, language: str | None = None
    ) -> AsyncIterator[asr_pb2.StreamingRecognizeResponse]:
        """What is understood of live audio, as it comes.

        Args:
            pieces: 16-bit mono samples at 16 kHz, in any pieces.
            language: The one spoken; None detects it.

        Raises:
            Exception: What `pieces` raised, as it is.
        """
        failure: Exception | None = None

        async def requests() -> AsyncIterator[asr_pb2.StreamingRecognizeRequest]:
            config = asr_pb2.StreamingRecognitionConfig(
                format=serving_pb2.AudioFormat(
                    encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=RATE_HZ
                ),
                recognition=asr_pb2.RecognitionConfig(languages=[language] if language else []),
            )
            yield asr_pb2.StreamingRecognizeRequest(config=config)
            taken = Pieces()
            try:
                async for samples in pieces:
                    for piece in taken.cut(samples):
                        chunk = serving_pb2.AudioChunk(audio=piece)
                        yield asr_pb2.StreamingRecognizeRequest(audio=chunk)
            except Exception as error:
                nonlocal failure
                failure = error
                raise  # which makes grpc.aio cancel the call, and tells nobody

        call = self._asr.StreamingRecognize(
            requests(), **outgoing(GREATEST_SECONDS, user=self._user)
        )
        try:
            async for response in call:
                yield response
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if failure is None or (task is not None and task.cancelling()):
                raise
            raise failure from None
        finally:
            call.cancel()
