"""A whole spoken interview in real time, with recordings as the candidate.

The client talks to `InterviewService.Converse` as a browser would: a microphone that never stops, a
loudspeaker that acknowledges what it has played, and a candidate who waits for the interviewer to
finish before answering.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import grpc
from viva.interview.v1 import interview_pb2 as pb
from viva.interview.v1 import interview_pb2_grpc, report_pb2
from viva.serving.v1 import serving_pb2

from services.cli.sound_card import RATE_HZ, Answer, Loudspeaker, Microphone, read_answer
from services.runtime.channel import open_channel, outgoing
from services.runtime.stats import duration, seconds

REACTION_SECONDS = 0.3
"""People begin to answer 200 to 500 ms after a question (Stivers et al. 2009, PNAS)."""
ACKNOWLEDGE_SECONDS = 0.2
CALL_SECONDS = 10.0
GREATEST_SECONDS = 3600.0
"""No interview of recordings takes longer."""
SILENCE_SECONDS = 45.0
"""Without any event for so long the interview has failed."""


@dataclass(frozen=True, slots=True)
class LiveInterview:
    """What to hold.

    Attributes:
        address: The interview server or the mesh, host:port.
        answers: Recordings, used in turn, and again from the first when there are more questions.
        rounds: Questions; None for as many as there are recordings (at most 10).
        follow_ups: Follow-ups after each answer.
        topics, job_title, candidate_name, voice: As in `InterviewSettings`.
        user: Whose interview it is.
    """

    address: str
    answers: Sequence[Path]
    rounds: int | None = None
    follow_ups: int = 1
    topics: Sequence[str] = ()
    job_title: str | None = None
    candidate_name: str | None = None
    voice: str | None = None
    user: str = "local"


@dataclass(slots=True)
class AnswerTimes:
    """One answer on the interview's clock, in seconds, as the client measured it."""

    recording: str
    speech_end: float
    first_audio: float | None = None
    server: pb.TurnTimings | None = None

    @property
    def latency(self) -> float | None:
        """From the end of speech to the interviewer's first audio."""
        return None if self.first_audio is None else self.first_audio - self.speech_end


@dataclass(slots=True)
class Held:
    """A finished interview."""

    interview: pb.Interview = field(default_factory=pb.Interview)
    report: report_pb2.Report | None = None
    answers: list[AnswerTimes] = field(default_factory=list)
    degraded: list[pb.ServiceDegraded] = field(default_factory=list)
    microphone: Microphone | None = None
    loudspeaker: Loudspeaker | None = None
    zero: float = 0.0
    """The loop's time at which the interview's clock started."""


class InterviewFailed(RuntimeError):
    """The interview could not be held to its end."""


async def hold(
    options: LiveInterview, notify: Callable[[pb.InterviewEvent], None] = lambda _: None
) -> Held:
    """Holds an interview to its report.

    Args:
        options: What to hold.
        notify: Sees every event as it comes.

    Raises:
        BadRecording: An answer cannot be played.
        InterviewFailed: Nothing came for too long, or the stream ended before the report.
        grpc.aio.AioRpcError: A call failed.
    """
    answers = [await asyncio.to_thread(read_answer, path) for path in options.answers]
    async with open_channel(options.address) as channel:
        stub: interview_pb2_grpc.InterviewServiceAsyncStub = (
            interview_pb2_grpc.InterviewServiceStub(channel)
        )
        created = await stub.CreateInterview(
            pb.CreateInterviewRequest(settings=_settings(options)),
            **outgoing(CALL_SECONDS, user=options.user),
        )
        call = stub.Converse(None, **outgoing(GREATEST_SECONDS, user=options.user))
        try:
            session = _Session(call, created.interview.id, answers, notify)
            held = await session.run()
        finally:
            call.cancel()
        found = await stub.GetInterview(
            pb.GetInterviewRequest(interview_id=created.interview.id),
            **outgoing(CALL_SECONDS, user=options.user),
        )
        held.interview = found.interview
        return held


def _settings(options: LiveInterview) -> pb.InterviewSettings:
    return pb.InterviewSettings(
        rounds=options.rounds or min(10, len(options.answers)),
        follow_ups=options.follow_ups,
        topics=options.topics,
        job_title=options.job_title,
        candidate_name=options.candidate_name,
        voice=options.voice,
    )


_Call = grpc.aio.StreamStreamCall[pb.ConverseRequest, pb.ConverseResponse]


class _Session:
    """One Converse call with the candidate's behaviour around it."""

    def __init__(
        self,
        call: _Call,
        interview_id: str,
        answers: Sequence[Answer],
        notify: Callable[[pb.InterviewEvent], None],
    ) -> None:
        self._call = call
        self._interview_id = interview_id
        self._answers = cycle(answers)
        self._notify = notify
        self._loop = asyncio.get_running_loop()
        self._microphone = Microphone()
        self._loudspeaker = Loudspeaker()
        self._held = Held(microphone=self._microphone, loudspeaker=self._loudspeaker)
        self._offsets: list[float] = []
        self._phases: dict[str, pb.Phase.ValueType] = {}
        self._waiting: AnswerTimes | None = None
        # grpc.aio takes one write at a time.
        self._writing = asyncio.Lock()

    async def run(self) -> Held:
        shape = serving_pb2.AudioFormat(
            encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=RATE_HZ, channels=1
        )
        await self._write(
            pb.ConverseRequest(join=pb.JoinInterview(interview_id=self._interview_id, input=shape))
        )
        async with asyncio.TaskGroup() as tasks:
            around = [
                tasks.create_task(self._talk()),
                tasks.create_task(self._acknowledge()),
            ]
            async for event in self._events():
                self._notify(event)
                if self._react(event, tasks):
                    break
            for task in around:
                task.cancel()
        self._held.zero = self._zero()
        for answer in self._held.answers:
            answer.speech_end -= self._held.zero
            if answer.first_audio is not None:
                answer.first_audio -= self._held.zero
        return self._held

    async def _write(self, request: pb.ConverseRequest) -> None:
        async with self._writing:
            await self._call.write(request)

    async def _say(self, message: pb.CandidateMessage) -> None:
        # A write that finds the call over says less than the read that will find it, too.
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            await self._write(pb.ConverseRequest(candidate=message))

    async def _events(self) -> AsyncIterator[pb.InterviewEvent]:
        while True:
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    response = await self._call.read()
            except TimeoutError:
                raise InterviewFailed(f"no event for {SILENCE_SECONDS:.0f} s") from None
            if not isinstance(response, pb.ConverseResponse):
                raise InterviewFailed("the conversation ended without a report")
            event = response.event
            self._offsets.append(self._loop.time() - seconds(event.at))
            yield event

    def _zero(self) -> float:
        """Events arrive a little late; the fastest one tells where the clock began."""
        return min(self._offsets, default=self._loop.time())

    async def _talk(self) -> None:
        async for chunk in self._microphone.chunks():
            await self._say(pb.CandidateMessage(audio=pb.CandidateAudio(audio=chunk)))

    async def _acknowledge(self) -> None:
        while True:
            await asyncio.sleep(ACKNOWLEDGE_SECONDS)
            playing = self._loudspeaker.tick()
            if playing is None:
                continue
            position = pb.PlaybackPosition(
                utterance_id=playing.utterance_id,
                position=duration(playing.heard),
                finished=playing.heard >= playing.seconds,
            )
            await self._say(pb.CandidateMessage(playback=position))

    async def _answer(self) -> None:
        await asyncio.sleep(REACTION_SECONDS)
        answer = next(self._answers)
        ended = await self._microphone.say(answer)
        self._waiting = AnswerTimes(answer.name, speech_end=ended)
        self._held.answers.append(self._waiting)

    def _react(self, event: pb.InterviewEvent, tasks: asyncio.TaskGroup) -> bool:
        """Does what a candidate's client does; whether the interview is over."""
        match event.WhichOneof("event"):
            case "utterance_started":
                self._begins(event.utterance_started)
            case "audio":
                self._sounds(event.audio)
            case "playback_control":
                self._control(event.playback_control.action)
            case "utterance_ended":
                if self._expects_answer(event.utterance_ended):
                    tasks.create_task(self._answer())
            case "timings" if self._held.answers:
                self._held.answers[-1].server = event.timings
            case "degraded":
                self._held.degraded.append(event.degraded)
            case "report_ready":
                self._held.report = event.report_ready.report
            case "state_changed":
                if event.state_changed.state == pb.INTERVIEW_STATE_CANCELLED:
                    raise InterviewFailed("the interview was cancelled")
        return self._held.report is not None

    def _begins(self, started: pb.InterviewerUtteranceStarted) -> None:
        self._phases[started.utterance_id] = started.phase
        if started.HasField("format"):
            self._loudspeaker.begin(started.utterance_id, started.format.sample_rate_hz)

    def _sounds(self, piece: pb.InterviewerAudio) -> None:
        if self._waiting is not None and self._waiting.first_audio is None:
            self._waiting.first_audio = self._loop.time()
        self._loudspeaker.add(piece.utterance_id, piece.audio)

    def _expects_answer(self, ended: pb.InterviewerUtteranceEnded) -> bool:
        asks = self._phases.get(ended.utterance_id) in {pb.PHASE_QUESTION, pb.PHASE_FOLLOW_UP}
        return asks and not ended.interrupted

    def _control(self, action: pb.PlaybackControl.Action.ValueType) -> None:
        match action:
            case pb.PlaybackControl.ACTION_PAUSE:
                self._loudspeaker.pause()
            case pb.PlaybackControl.ACTION_RESUME:
                self._loudspeaker.resume()
            case _:
                self._loudspeaker.stop()
