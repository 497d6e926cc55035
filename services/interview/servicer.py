"""`viva.interview.v1.InterviewService` on the wire."""

from __future__ import annotations

import asyncio
import math
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import grpc
from viva.interview.v1 import conversation_pb2, interview_pb2, interview_service_pb2_grpc
from viva.interview.v1 import interview_service_pb2 as pb
from viva.serving.v1 import serving_pb2

from services.interview.conversation import events as m
from services.interview.conversation.attendance import Attendance, Seat
from services.interview.conversation.pace import DEFAULT_HOLD_SECONDS
from services.interview.conversation.typed import NOTHING, Amount
from services.interview.events import AudioFormat, Entry
from services.interview.forwarding import Forwarding
from services.interview.house import House
from services.interview.in_turn import InTurn
from services.interview.parting import Parting
from services.interview.pump import Pump
from services.interview.record import LOCAL_USER, Patience, Speaker
from services.interview.store.store import Summary
from services.interview.tokens import (
    page_place,
    page_start,
    page_token,
    place_cursor,
    resume_token,
)
from services.interview.wire import events as event_wire
from services.interview.wire import records, reports
from services.runtime.errors import FailedPrecondition, InvalidField
from services.runtime.request import current_request
from services.runtime.stats import duration, seconds

_SPEECH = frozenset({"audio", "typed"})
_STREAMED = frozenset({"audio", "playback"})
"""What comes all the time: no single message of it is waited for."""
PAGE_SIZE = 20
TURNS_PAGE_SIZE = 50

_Context = grpc.aio.ServicerContext[Any, Any]


def _user() -> str:
    return current_request().user or LOCAL_USER


class InterviewServicer(interview_service_pb2_grpc.InterviewServiceServicer):
    """Translates between the contract and the house."""

    def __init__(self, house: House, forwarding: Forwarding) -> None:
        self._house = house
        self._forwarding = forwarding

    async def CreateInterview(
        self, request: pb.CreateInterviewRequest, context: _Context
    ) -> pb.CreateInterviewResponse:
        """Creates an interview."""
        key = request.idempotency_key if request.HasField("idempotency_key") else None
        settings = records.settings_from(request.settings)
        created = await self._house.create(_user(), settings, key)
        return pb.CreateInterviewResponse(interview=_interview(created))

    async def GetInterview(
        self, request: pb.GetInterviewRequest, context: _Context
    ) -> pb.GetInterviewResponse:
        """Reads an interview."""
        found = await self._house.find(_user(), request.interview_id)
        return pb.GetInterviewResponse(interview=_interview(found))

    async def ListInterviews(
        self, request: pb.ListInterviewsRequest, context: _Context
    ) -> pb.ListInterviewsResponse:
        """Lists the caller's interviews, newest first."""
        user = _user()
        size = request.page_size if request.HasField("page_size") else PAGE_SIZE
        token = request.page_token if request.HasField("page_token") else None
        before = page_place(token, "interviews", user)
        page, following = await self._house.page(user, size, before)
        return pb.ListInterviewsResponse(
            interviews=[_interview(kept) for kept in page],
            next_page_token=(
                page_token(place_cursor(following), "interviews", user) if following else ""
            ),
        )

    async def DeleteInterview(
        self, request: pb.DeleteInterviewRequest, context: _Context
    ) -> pb.DeleteInterviewResponse:
        """Deletes an interview with everything that is kept of it."""

        async def answer() -> pb.DeleteInterviewResponse:
            await self._house.delete(_user(), request.interview_id)
            return pb.DeleteInterviewResponse()

        return await self._forwarding.unary("DeleteInterview", request, context, answer)

    async def ListTurns(
        self, request: pb.ListTurnsRequest, context: _Context
    ) -> pb.ListTurnsResponse:
        """Lists what was said, oldest first."""
        bound_to = ("turns", _user(), request.interview_id)
        size = request.page_size if request.HasField("page_size") else TURNS_PAGE_SIZE
        token = request.page_token if request.HasField("page_token") else None
        start = page_start(token, *bound_to)
        turns, following = await self._house.turns(_user(), request.interview_id, size, start)
        return pb.ListTurnsResponse(
            turns=[records.turn(turn) for turn in turns],
            next_page_token=page_token(str(following), *bound_to) if following else "",
        )

    async def ReadRecording(
        self, request: pb.ReadRecordingRequest, context: _Context
    ) -> AsyncIterator[pb.ReadRecordingResponse]:
        """Reads a stretch of what was recorded."""
        answers = self._forwarding.stream(
            "ReadRecording", lambda: request, context, lambda: self._read_recording(request)
        )
        async with aclosing(answers):
            async for response in answers:
                yield response

    async def _read_recording(
        self, request: pb.ReadRecordingRequest
    ) -> AsyncGenerator[pb.ReadRecordingResponse, None]:
        found = await self._house.recording(
            _user(),
            request.interview_id,
            Speaker(request.speaker),
            start=seconds(request.start),
            end=seconds(request.end) if request.HasField("end") else math.inf,
        )
        if found is None:
            return
        rate_hz, pieces = found
        shape: serving_pb2.AudioFormat | None = serving_pb2.AudioFormat(
            encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE,
            sample_rate_hz=rate_hz,
            channels=1,
        )
        async for when, audio in pieces:
            yield pb.ReadRecordingResponse(format=shape, start=duration(when), audio=audio)
            shape = None

    async def PauseInterview(
        self, request: pb.PauseInterviewRequest, context: _Context
    ) -> pb.PauseInterviewResponse:
        """Pauses an interview."""

        async def answer() -> pb.PauseInterviewResponse:
            paused = await self._house.pause(_user(), request.interview_id)
            return pb.PauseInterviewResponse(interview=_interview(paused))

        return await self._forwarding.unary("PauseInterview", request, context, answer)

    async def ResumeInterview(
        self, request: pb.ResumeInterviewRequest, context: _Context
    ) -> pb.ResumeInterviewResponse:
        """Resumes a paused interview."""

        async def answer() -> pb.ResumeInterviewResponse:
            resumed = await self._house.resume(_user(), request.interview_id)
            return pb.ResumeInterviewResponse(interview=_interview(resumed))

        return await self._forwarding.unary("ResumeInterview", request, context, answer)

    async def EndInterview(
        self, request: pb.EndInterviewRequest, context: _Context
    ) -> pb.EndInterviewResponse:
        """Ends an interview before its last round."""

        async def answer() -> pb.EndInterviewResponse:
            ended = await self._house.end(_user(), request.interview_id)
            return pb.EndInterviewResponse(interview=_interview(ended))

        return await self._forwarding.unary("EndInterview", request, context, answer)

    async def GetReport(
        self, request: pb.GetReportRequest, context: _Context
    ) -> pb.GetReportResponse:
        """Reads the report of a finished interview."""
        report = await self._house.report(_user(), request.interview_id)
        return pb.GetReportResponse(report=reports.report(report))

    async def Converse(
        self, requests: AsyncIterator[pb.ConverseRequest], context: _Context
    ) -> AsyncIterator[pb.ConverseResponse]:
        """Holds the live conversation."""
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("message") != "join":
            raise InvalidField("join", "the first message must be a join")
        # Whoever drives the interview may change while the call is being handed over.
        pump, parting = Pump(first, requests), Parting()
        stream = self._forwarding.stream(
            "Converse", pump.messages, context, lambda: self._converse(pump, parting)
        )
        pumping = asyncio.create_task(pump.run())
        try:
            async with (
                aclosing(stream) as answers,
                aclosing(parting.events(answers)) as told,
            ):
                async for response in told:
                    pump.settle()
                    yield response
        finally:
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)

    async def _converse(
        self, pump: Pump[pb.ConverseRequest], parting: Parting
    ) -> AsyncGenerator[pb.ConverseResponse, None]:
        messages = pump.messages()
        seat = parting.seat = await self._join((await anext(messages)).join)
        pump.settle()
        reading = asyncio.create_task(self._read(messages, seat))
        try:
            async for entry in seat.entries():
                yield pb.ConverseResponse(event=_event(entry, seat))
        finally:
            reading.cancel()
            self._leave(seat)
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, requests: AsyncIterator[pb.ConverseRequest], seat: Seat) -> None:
        """Hands on what the client sends; what is wrong with it ends the client's call.

        What is neither audio nor playback is taken once the one before it is stored, or could not
        be; audio and playback that come behind it are taken meanwhile. Where too much waits so, the
        client waits, by HTTP/2's flow control.
        """

        def take(request: pb.ConverseRequest) -> m.Store:
            _take_next(request, seat)
            said = m.Store()
            seat.send(said)
            return said

        others = InTurn(take, self._house.settled)
        try:
            async with asyncio.TaskGroup() as tasks:
                taking = tasks.create_task(others.run())
                async for request in requests:
                    # However much comes at once: the others on this event loop have their turn.
                    await asyncio.sleep(0)
                    kind = request.candidate.WhichOneof("message")
                    if kind in _STREAMED:
                        _take_next(request, seat)
                        continue
                    await others.bring(request)
                    if kind == "finish_turn":
                        # It has its place in the audio.
                        await others.all_taken()
                await others.all_taken()
                taking.cancel()
        except* Exception as errors:  # noqa: BLE001 - a client that is not heard must not believe it is
            seat.end(errors.exceptions[0])

    async def Listen(
        self, request: pb.ListenRequest, context: _Context
    ) -> AsyncIterator[pb.ListenResponse]:
        """The way down alone."""
        parting = Parting()
        stream = self._forwarding.stream(
            "Listen", lambda: request, context, lambda: self._listen(request, parting)
        )
        async with aclosing(stream) as answers, aclosing(parting.events(answers)) as told:
            async for response in told:
                yield response

    async def _listen(
        self, request: pb.ListenRequest, parting: Parting
    ) -> AsyncGenerator[pb.ListenResponse, None]:
        join = request.join
        if request.HasField("client"):
            join.client = request.client
        seat = parting.seat = await self._join(join)
        try:
            async for entry in seat.entries():
                yield pb.ListenResponse(event=_event(entry, seat))
        finally:
            self._leave(seat)

    def _leave(self, seat: Seat) -> None:
        self._house.leave(seat, stopping=current_request().draining.is_set())

    async def Speak(self, request: pb.SpeakRequest, context: _Context) -> pb.SpeakResponse:
        """The way up alone."""
        return await self._forwarding.unary("Speak", request, context, lambda: self._speak(request))

    async def _speak(self, request: pb.SpeakRequest) -> pb.SpeakResponse:
        session, seat = await self._house.speaker(
            _user(), request.interview_id, request.client if request.HasField("client") else None
        )
        # Before anything is looked at: where its audio would lie now, it was taken already.
        if not session.attendance.knows(request.call):
            self._take_call(request, session.attendance, seat)
        if any(message.WhichOneof("message") not in _STREAMED for message in request.messages):
            await self._house.stored(session)
        return pb.SpeakResponse(last_seq=session.chronicle.journal.last_seq)

    def _take_call(self, request: pb.SpeakRequest, attendance: Attendance, seat: Seat) -> None:
        named = [(f"messages[{n}]", message) for n, message in enumerate(request.messages)]
        # All or nothing: a call that was refused may come again, corrected, under its number.
        planned = _Planned()
        for field, message in named:
            planned = _check(message, seat, field, planned)
        # What is said after the end would be told as taken, and nobody would take it.
        speaks = any(message.WhichOneof("message") in _SPEECH for message in request.messages)
        if attendance.conversation.over and speaks:
            raise FailedPrecondition("WRONG_STATE", "the interview is over")
        for field, message in named:
            _take(message, seat, field)
        attendance.called(request.call)

    async def _join(self, join: conversation_pb2.JoinInterview) -> Seat:
        output = AudioFormat()
        if join.HasField("output"):
            output = event_wire.audio_format_from(join.output)
        return await self._house.join(
            _user(),
            join.interview_id,
            source=event_wire.audio_format_from(join.input) if join.HasField("input") else None,
            output=None if join.text_only else output,
            resume_token=join.resume_token if join.HasField("resume_token") else None,
            client=join.client if join.HasField("client") else None,
        )


def _interview(found: Summary) -> interview_pb2.Interview:
    return records.interview(found.interview, found.turn_count)


def _event(entry: Entry, seat: Seat) -> conversation_pb2.InterviewEvent:
    chronicle = seat.conversation.chronicle
    token = resume_token(chronicle.interview.id, chronicle.journal.epoch, entry.seq)
    return event_wire.event(entry, token)


def _take_next(request: pb.ConverseRequest, seat: Seat) -> None:
    if request.WhichOneof("message") == "join":
        raise InvalidField("join", "only the first message may be a join")
    _take(request.candidate, seat, "candidate")


def _offset(chunk: serving_pb2.AudioChunk) -> float | None:
    return seconds(chunk.offset) if chunk.HasField("offset") else None


@dataclass(frozen=True, slots=True)
class _Planned:
    """What the messages before one will have added: audio in seconds, what was typed, numbers."""

    audio: float = 0.0
    typed: Amount = NOTHING
    numbers: tuple[int, ...] = ()


def _check(
    message: conversation_pb2.CandidateMessage, seat: Seat, field: str, planned: _Planned
) -> _Planned:
    """Whether the message can be taken behind what is planned; what is with it."""
    number = _number(message, field)
    new = seat.is_new(number, field, planned.numbers)
    if new and number is not None:
        planned = replace(planned, numbers=(*planned.numbers, number))
    match message.WhichOneof("message"):
        case "typed":
            text = _typed(message, field)
            added = seat.check_typed(text, field, planned.typed) if new else NOTHING
            return replace(planned, typed=planned.typed + added)
        case "audio":
            chunk, name = message.audio.chunk, f"{field}.audio.chunk"
            fit = seat.check(chunk.audio, _offset(chunk), name, planned.audio)
            return replace(planned, audio=planned.audio + fit.added)
    return planned


def _typed(message: conversation_pb2.CandidateMessage, field: str) -> str:
    text = message.typed.text
    # Blanks, controls and characters without a width are no answer.
    if all(unicodedata.category(character)[0] in "ZC" for character in text):
        raise InvalidField(f"{field}.typed.text", "nothing in it can be seen")
    return text


def _number(message: conversation_pb2.CandidateMessage, field: str) -> int | None:
    if not message.HasField("number"):
        return None
    if message.WhichOneof("message") in _STREAMED:
        raise InvalidField(f"{field}.number", "audio and playback have none")
    return message.number


def _take(message: conversation_pb2.CandidateMessage, seat: Seat, field: str) -> None:
    number = _number(message, field)
    match message.WhichOneof("message"):
        case "audio":
            chunk = message.audio.chunk
            seat.hear(chunk.audio, _offset(chunk), f"{field}.audio.chunk")
        case "typed":
            seat.type(_typed(message, field), number, field)
        case "playback":
            played = message.playback
            seat.played(
                played.utterance_id,
                seconds(played.position),
                finished=played.finished,
                client_time=(
                    seconds(played.client_time) if played.HasField("client_time") else None
                ),
            )
        case "finish_turn":
            seat.say(m.Finished(), number, field)
        case "interrupt":
            seat.say(m.Interrupted(), number, field)
        case "hold_turn":
            hold = message.hold_turn
            limit = seconds(hold.limit) if hold.HasField("limit") else DEFAULT_HOLD_SECONDS
            seat.say(m.Hold(limit), number, field)
        case "set_patience":
            seat.say(m.SetPatience(Patience(message.set_patience.patience)), number, field)
