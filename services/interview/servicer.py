"""`viva.interview.v1.InterviewService` on the wire."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from viva.interview.v1 import interview_pb2 as pb
from viva.interview.v1 import interview_pb2_grpc

from services.interview import wire
from services.interview.conversation import messages as m
from services.interview.conversation.attendance import Seat
from services.interview.events import AudioFormat, Entry, UtteranceEnded, UtteranceStarted
from services.interview.house import House
from services.interview.record import Interview
from services.runtime.draining import until_draining
from services.runtime.errors import InvalidField
from services.runtime.request import current_request
from services.runtime.stats import seconds

LOCAL_USER = "local"
"""Who calls when the edge has vouched for nobody: the one user of a machine of one's own."""
PAGE_SIZE = 20

_Context = grpc.aio.ServicerContext[Any, Any]


_Named = (
    pb.GetInterviewRequest
    | pb.PauseInterviewRequest
    | pb.ResumeInterviewRequest
    | pb.EndInterviewRequest
)


def _user() -> str:
    return current_request().user or LOCAL_USER


async def _named(request: _Named, act: Callable[[str, str], Awaitable[Interview]]) -> pb.Interview:
    """What `act` makes of the caller's interview that the request names."""
    return wire.interview(await act(_user(), request.interview_id))


class InterviewServicer(interview_pb2_grpc.InterviewServiceServicer):
    """Translates between the contract and the house."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def CreateInterview(
        self, request: pb.CreateInterviewRequest, context: _Context
    ) -> pb.CreateInterviewResponse:
        """Creates an interview."""
        created = await self._house.create(_user(), wire.settings_from(request.settings))
        return pb.CreateInterviewResponse(interview=wire.interview(created))

    async def GetInterview(
        self, request: pb.GetInterviewRequest, context: _Context
    ) -> pb.GetInterviewResponse:
        """Reads an interview."""
        return pb.GetInterviewResponse(interview=await _named(request, self._house.find))

    async def ListInterviews(
        self, request: pb.ListInterviewsRequest, context: _Context
    ) -> pb.ListInterviewsResponse:
        """Lists the caller's interviews, newest first."""
        before = _page_start(request.page_token)
        page, following = await self._house.page(_user(), request.page_size or PAGE_SIZE, before)
        token = base64.urlsafe_b64encode(following.encode()).decode() if following else ""
        return pb.ListInterviewsResponse(
            interviews=[wire.interview(kept, with_turns=False) for kept in page],
            next_page_token=token,
        )

    async def PauseInterview(
        self, request: pb.PauseInterviewRequest, context: _Context
    ) -> pb.PauseInterviewResponse:
        """Pauses an interview."""
        return pb.PauseInterviewResponse(interview=await _named(request, self._house.pause))

    async def ResumeInterview(
        self, request: pb.ResumeInterviewRequest, context: _Context
    ) -> pb.ResumeInterviewResponse:
        """Resumes a paused interview."""
        return pb.ResumeInterviewResponse(interview=await _named(request, self._house.resume))

    async def EndInterview(
        self, request: pb.EndInterviewRequest, context: _Context
    ) -> pb.EndInterviewResponse:
        """Ends an interview before its last round."""
        return pb.EndInterviewResponse(interview=await _named(request, self._house.end))

    async def GetReport(
        self, request: pb.GetReportRequest, context: _Context
    ) -> pb.GetReportResponse:
        """Reads the report of a finished interview."""
        report = await self._house.report(_user(), request.interview_id)
        return pb.GetReportResponse(report=wire.report(report))

    async def Converse(
        self, requests: AsyncIterator[pb.ConverseRequest], context: _Context
    ) -> AsyncIterator[pb.ConverseResponse]:
        """Holds the live conversation."""
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("message") != "join":
            raise InvalidField("join", "the first message must be a join")
        seat = await self._join(first.join)
        reading = asyncio.create_task(_read(requests, seat))
        try:
            async for entry in until_draining(seat.entries(), _begins):
                yield pb.ConverseResponse(event=wire.event(entry))
        finally:
            reading.cancel()
            self._house.leave(seat)
            await asyncio.gather(reading, return_exceptions=True)

    async def Listen(
        self, request: pb.ListenRequest, context: _Context
    ) -> AsyncIterator[pb.ListenResponse]:
        """The way down alone."""
        seat = await self._join(request.join)
        try:
            async for entry in until_draining(seat.entries(), _begins):
                yield pb.ListenResponse(event=wire.event(entry))
        finally:
            self._house.leave(seat)

    async def Speak(self, request: pb.SpeakRequest, context: _Context) -> pb.SpeakResponse:
        """The way up alone."""
        attendance, seat = await self._house.speaker(_user(), request.interview_id)
        named = [(f"messages[{n}]", message) for n, message in enumerate(request.messages)]
        # All or nothing: a call that was refused may come again, corrected, under its number.
        for field, message in named:
            _check(message, seat, field)
        if attendance.first_time(request.call):
            for field, message in named:
                _take(message, seat, field)
        return pb.SpeakResponse(last_seq=attendance.conversation.chronicle.journal.last_seq)

    async def _join(self, join: pb.JoinInterview) -> Seat:
        output = wire.audio_format_from(join.output) if join.HasField("output") else AudioFormat()
        return await self._house.join(
            _user(),
            join.interview_id,
            source=wire.audio_format_from(join.input) if join.HasField("input") else None,
            output=None if join.text_only else output,
            last_seq=join.last_seq if join.HasField("last_seq") else None,
        )


def _begins(entry: Entry) -> bool | None:
    """Whether the interviewer begins to say something, has said it, or neither."""
    return {UtteranceStarted: True, UtteranceEnded: False}.get(type(entry.event))


def _page_start(token: str) -> str | None:
    if not token:
        return None
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidField("page_token", "is not one of ours") from None


async def _read(requests: AsyncIterator[pb.ConverseRequest], seat: Seat) -> None:
    """Hands on what the client sends; what is wrong with it ends the client's call."""
    try:
        async for request in requests:
            _take_next(request, seat)
    except Exception as error:  # noqa: BLE001 - a client that is not heard must not believe it is
        seat.end(error)


def _take_next(request: pb.ConverseRequest, seat: Seat) -> None:
    if request.WhichOneof("message") == "join":
        raise InvalidField("join", "only the first message may be a join")
    _take(request.candidate, seat, "candidate")


def _check(message: pb.CandidateMessage, seat: Seat, field: str) -> None:
    if message.WhichOneof("message") == "audio":
        seat.check(message.audio.audio, f"{field}.audio.audio")


def _take(message: pb.CandidateMessage, seat: Seat, field: str) -> None:
    match message.WhichOneof("message"):
        case "audio":
            seat.hear(message.audio.audio, f"{field}.audio.audio")
        case "typed":
            seat.send(m.Typed(message.typed.text))
        case "playback":
            played = message.playback
            seat.send(m.Played(played.utterance_id, seconds(played.position), played.finished))
        case "finish_turn":
            seat.conversation.finish_turn()
        case "interrupt":
            seat.send(m.Interrupted())
