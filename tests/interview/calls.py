"""The interview service behind a channel, and what its clients say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from viva.interview.v1 import interview_pb2 as pb
from viva.interview.v1 import interview_pb2_grpc, question_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.runtime.channel import outgoing
from tests.interview.stage import PATIENCE, FakeRecogniser

PCM = serving_pb2.AudioFormat(
    encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=48_000, channels=2
)


Conversation = grpc.aio.StreamStreamCall[pb.ConverseRequest, pb.ConverseResponse]
Listening = grpc.aio.UnaryStreamCall[pb.ListenRequest, pb.ListenResponse]


class Wire:
    """The stubs, and a user to call as."""

    def __init__(self, channel: grpc.aio.Channel, recogniser: FakeRecogniser) -> None:
        self.interviews: interview_pb2_grpc.InterviewServiceAsyncStub = (
            interview_pb2_grpc.InterviewServiceStub(channel)
        )
        self.questions: question_pb2_grpc.QuestionServiceAsyncStub = (
            question_pb2_grpc.QuestionServiceStub(channel)
        )
        self.recogniser = recogniser

    async def create(self, user: str = "ann", **settings: Any) -> pb.Interview:
        wanted = pb.InterviewSettings(**settings)
        response = await self.interviews.CreateInterview(
            pb.CreateInterviewRequest(settings=wanted), **outgoing(PATIENCE, user=user)
        )
        return response.interview

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
    interview_id: str, *, last_seq: int | None = None, typed: bool = False
) -> pb.JoinInterview:
    return pb.JoinInterview(
        interview_id=interview_id,
        last_seq=last_seq,
        input=None if typed else PCM,
        text_only=typed,
    )


def joining(interview_id: str, *, last_seq: int | None = None) -> pb.ConverseRequest:
    return pb.ConverseRequest(join=join(interview_id, last_seq=last_seq))


def audio(data: bytes) -> pb.CandidateMessage:
    return pb.CandidateMessage(audio=pb.CandidateAudio(audio=data))


def typed(text: str) -> pb.CandidateMessage:
    return pb.CandidateMessage(typed=pb.TypedAnswer(text=text))


async def until(
    call: Conversation | Listening,
    fits: Callable[[pb.InterviewEvent], bool],
) -> list[pb.InterviewEvent]:
    seen: list[pb.InterviewEvent] = []
    async with asyncio.timeout(PATIENCE):
        while not seen or not fits(seen[-1]):
            response = await call.read()
            assert isinstance(response, pb.ConverseResponse | pb.ListenResponse)
            seen.append(response.event)
    return seen


async def refused(
    call: Conversation,
) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        async with asyncio.timeout(PATIENCE):
            while isinstance(await call.read(), pb.ConverseResponse):
                pass
    return error.value


def fields(error: grpc.aio.AioRpcError) -> list[str]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None
    request = error_details_pb2.BadRequest()
    for detail in status.details:
        if detail.Is(request.DESCRIPTOR):
            detail.Unpack(request)
    return [violation.field for violation in request.field_violations]
