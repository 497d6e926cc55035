"""The interview service behind a channel, and what its clients say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import (
    interview_pb2,
    interview_service_pb2_grpc,
    persona_service_pb2_grpc,
    question_service_pb2_grpc,
    turn_pb2,
)
from viva.interview.v1 import interview_service_pb2 as pb
from viva.serving.v1 import serving_pb2

from services.runtime.channel import outgoing
from services.runtime.stats import duration
from tests.interview.stage import PATIENCE, FakeRecogniser, FakeSynthesiser

PCM = serving_pb2.AudioFormat(
    encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=48_000, channels=2
)


Conversation = grpc.aio.StreamStreamCall[pb.ConverseRequest, pb.ConverseResponse]
Listening = grpc.aio.UnaryStreamCall[pb.ListenRequest, pb.ListenResponse]


class Wire:
    """The stubs, and a user to call as."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        recogniser: FakeRecogniser,
        synthesiser: FakeSynthesiser,
        data_dir: Path,
    ) -> None:
        self.interviews: interview_service_pb2_grpc.InterviewServiceAsyncStub = (
            interview_service_pb2_grpc.InterviewServiceStub(channel)
        )
        self.questions: question_service_pb2_grpc.QuestionServiceAsyncStub = (
            question_service_pb2_grpc.QuestionServiceStub(channel)
        )
        self.personas: persona_service_pb2_grpc.PersonaServiceAsyncStub = (
            persona_service_pb2_grpc.PersonaServiceStub(channel)
        )
        self.recogniser = recogniser
        self.synthesiser = synthesiser
        self.data_dir = data_dir

    async def create(
        self, user: str = "ann", key: str | None = None, **settings: Any
    ) -> interview_pb2.Interview:
        wanted = interview_pb2.InterviewSettings(**settings)
        response = await self.interviews.CreateInterview(
            pb.CreateInterviewRequest(settings=wanted, idempotency_key=key),
            **outgoing(PATIENCE, user=user),
        )
        return response.interview

    async def get(self, interview_id: str, user: str = "ann") -> interview_pb2.Interview:
        request = pb.GetInterviewRequest(interview_id=interview_id)
        response = await self.interviews.GetInterview(request, **outgoing(PATIENCE, user=user))
        return response.interview

    async def turns(
        self, interview_id: str, page_size: int | None = None, user: str = "ann"
    ) -> list[turn_pb2.Turn]:
        turns: list[turn_pb2.Turn] = []
        token: str | None = None
        while token != "":
            request = pb.ListTurnsRequest(
                interview_id=interview_id, page_size=page_size, page_token=token
            )
            page = await self.interviews.ListTurns(request, **outgoing(PATIENCE, user=user))
            turns += page.turns
            token = page.next_page_token
        return turns

    @asynccontextmanager
    async def converse(
        self, *messages: pb.ConverseRequest, user: str = "ann"
    ) -> AsyncIterator[Conversation]:
        call = self.interviews.Converse(None, **outgoing(PATIENCE, user=user))
        try:
            for message in messages:
                await call.write(message)
            yield call
        finally:
            call.cancel()


def join(
    interview_id: str,
    *,
    resume_token: str | None = None,
    typed: bool = False,
    client: str | None = None,
) -> cpb.JoinInterview:
    return cpb.JoinInterview(
        interview_id=interview_id,
        resume_token=resume_token,
        input=None if typed else PCM,
        text_only=typed,
        client=client,
    )


def joining(interview_id: str, *, resume_token: str | None = None) -> pb.ConverseRequest:
    return pb.ConverseRequest(join=join(interview_id, resume_token=resume_token))


def audio(data: bytes, offset: float | None = None) -> cpb.CandidateMessage:
    chunk = serving_pb2.AudioChunk(audio=data, offset=None if offset is None else duration(offset))
    return cpb.CandidateMessage(audio=cpb.CandidateAudio(chunk=chunk))


def typed(text: str) -> cpb.CandidateMessage:
    return cpb.CandidateMessage(typed=cpb.TypedAnswer(text=text))


async def until(
    call: Conversation | Listening,
    fits: Callable[[cpb.InterviewEvent], bool],
) -> list[cpb.InterviewEvent]:
    seen: list[cpb.InterviewEvent] = []
    async with asyncio.timeout(PATIENCE):
        while not seen or not fits(seen[-1]):
            response = await call.read()
            assert isinstance(response, pb.ConverseResponse | pb.ListenResponse)
            seen.append(response.event)
    return seen


async def heard(wire: Wire, least: float) -> float:
    """Waits until the recogniser was sent `least` seconds of audio; how much it was."""
    got = 0
    async with asyncio.timeout(PATIENCE):
        stream = await wire.recogniser.opened.get()
        while got < least * 32_000 or not stream.sent.empty():
            got += len(await stream.sent.get())
    return got / 32_000


async def refused(
    call: Conversation | Listening,
) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        async with asyncio.timeout(PATIENCE):
            while isinstance(await call.read(), pb.ConverseResponse | pb.ListenResponse):
                pass
    return error.value
