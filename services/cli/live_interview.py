"""A whole spoken interview in real time, with recordings or a person as the candidate.

The client talks to `InterviewService.Converse` as a browser would: a microphone that never stops, a
loudspeaker that acknowledges what it has played, and a candidate who waits for the interviewer to
finish before answering. When the connection breaks it joins again with the last event it saw, and
says again what the server had not acknowledged of the candidate's audio.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from viva.interview.v1 import conversation_pb2 as pb
from viva.interview.v1 import (
    interview_pb2,
    interview_service_pb2,
    interview_service_pb2_grpc,
    report_pb2,
    turn_pb2,
)
from viva.serving.v1 import serving_pb2

from services.cli.sent_audio import SentAudio
from services.cli.sound_card import RATE_HZ, Answer, Loudspeaker, Microphone, read_answer
from services.cli.ungrouped import ungrouped
from services.runtime.channel import open_channel, outgoing
from services.runtime.stats import duration, seconds

if TYPE_CHECKING:
    # Loads the sound system, for those who talk themselves.
    from services.cli.sound_devices import DeviceLoudspeaker, DeviceMicrophone

REACTION_SECONDS = 0.3
"""People begin to answer 200 to 500 ms after a question (Stivers et al. 2009, PNAS)."""
ACKNOWLEDGE_SECONDS = 0.2
CALL_SECONDS = 10.0
GREATEST_SECONDS = 3600.0
"""No interview of recordings takes longer."""
SILENCE_SECONDS = 45.0
"""Without any event for so long an interview with recordings has failed."""
LIVE_SILENCE_SECONDS = 600.0
"""The same with a person, who may think; the server has its own patience."""
REJOIN_SECONDS = 30.0
"""How long a broken connection is tried again: a server or proxy that crashed is back sooner."""
REJOIN_PAUSE_SECONDS = 0.5
BROKEN = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN})
"""What a call ends with when its connection does: refused, reset, closed without a status."""


@dataclass(frozen=True, slots=True)
class LiveInterview:
    """What to hold.

    Attributes:
        address: The interview server or the mesh, host:port.
        answers: Recordings, used in turn, and again from the first when there are more questions.
            Without any, whoever sits before this machine's microphone is the candidate.
        rounds: Questions; None for as many as there are recordings (at most 10), or the server's
            default.
        follow_ups: Follow-ups after each answer.
        topics, job_title, candidate_name, voice, persona, question_ids: As in `InterviewSettings`.
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
    persona: str | None = None
    question_ids: Sequence[str] = ()
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

    interview: interview_pb2.Interview = field(default_factory=interview_pb2.Interview)
    turns: list[turn_pb2.Turn] = field(default_factory=list)
    report: report_pb2.Report | None = None
    answers: list[AnswerTimes] = field(default_factory=list)
    degraded: list[pb.ServiceDegraded] = field(default_factory=list)
    microphone: Microphone | DeviceMicrophone | None = None
    loudspeaker: Loudspeaker | DeviceLoudspeaker | None = None
    zero: float = 0.0
    """The loop's time at which the interview's clock started."""


class InterviewFailed(RuntimeError):
    """The interview could not be held to its end."""


async def hold(
    options: LiveInterview,
    notify: Callable[[pb.InterviewEvent], None] = lambda _: None,
    broken: Callable[[], None] = lambda: None,
) -> Held:
    """Holds an interview to its report.

    Args:
        options: What to hold.
        notify: Sees every event as it comes.
        broken: Called when the connection breaks, before it is tried again.

    Raises:
        BadRecording: An answer cannot be played.
        NoSoundDevice: There are no answers, and this machine has no microphone or no loudspeaker.
        InterviewFailed: Nothing came for too long, the stream ended before the report, or the
            server has lost the interview.
        grpc.aio.AioRpcError: A call failed.
    """
    answers = [await asyncio.to_thread(read_answer, path) for path in options.answers]
    # A machine without a microphone says so before an interview is begun.
    with _sound(live=not answers) as sound:
        return await _hold(options, answers, sound, notify, broken)


@dataclass(frozen=True, slots=True)
class _Sound:
    """Where the candidate's voice comes from and the interviewer's goes, at which rate."""

    microphone: Microphone | DeviceMicrophone
    loudspeaker: Loudspeaker | DeviceLoudspeaker
    loudspeaker_hz: int | None = None


@contextmanager
def _sound(*, live: bool) -> Iterator[_Sound]:
    if not live:
        yield _Sound(Microphone(), Loudspeaker())
        return
    from services.cli.sound_devices import PLAYBACK_HZ, DeviceLoudspeaker, DeviceMicrophone

    with DeviceLoudspeaker() as loudspeaker:
        yield _Sound(DeviceMicrophone(), loudspeaker, PLAYBACK_HZ)


async def _hold(
    options: LiveInterview,
    answers: Sequence[Answer],
    sound: _Sound,
    notify: Callable[[pb.InterviewEvent], None],
    broken: Callable[[], None],
) -> Held:
    async with open_channel(options.address) as channel:
        stub: interview_service_pb2_grpc.InterviewServiceAsyncStub = (
            interview_service_pb2_grpc.InterviewServiceStub(channel)
        )
        created = await stub.CreateInterview(
            interview_service_pb2.CreateInterviewRequest(
                settings=_settings(options), idempotency_key=uuid.uuid4().hex
            ),
            **outgoing(CALL_SECONDS, user=options.user),
        )
        session = _Session(
            lambda: stub.Converse(None, **outgoing(GREATEST_SECONDS, user=options.user)),
            created.interview.id,
            answers,
            sound,
            notify,
            broken,
        )
        held = await session.run()
        found = await stub.GetInterview(
            interview_service_pb2.GetInterviewRequest(interview_id=created.interview.id),
            **outgoing(CALL_SECONDS, user=options.user),
        )
        held.interview = found.interview
        held.turns = await _turns(stub, created.interview.id, options.user)
        return held


async def _turns(
    stub: interview_service_pb2_grpc.InterviewServiceAsyncStub, interview_id: str, user: str
) -> list[turn_pb2.Turn]:
    turns: list[turn_pb2.Turn] = []
    token: str | None = None
    while token != "":
        page = await stub.ListTurns(
            interview_service_pb2.ListTurnsRequest(interview_id=interview_id, page_token=token),
            **outgoing(CALL_SECONDS, user=user),
        )
        turns += page.turns
        token = page.next_page_token
    return turns


def _settings(options: LiveInterview) -> interview_pb2.InterviewSettings:
    return interview_pb2.InterviewSettings(
        rounds=options.rounds or min(10, len(options.answers)) or None,
        follow_ups=options.follow_ups,
        topics=options.topics,
        job_title=options.job_title,
        candidate_name=options.candidate_name,
        voice=options.voice,
        persona=options.persona,
        question_ids=options.question_ids,
    )


_Call = grpc.aio.StreamStreamCall[
    interview_service_pb2.ConverseRequest, interview_service_pb2.ConverseResponse
]


class _Session:
    """A conversation with the candidate's behaviour around it."""

    def __init__(
        self,
        converse: Callable[[], _Call],
        interview_id: str,
        answers: Sequence[Answer],
        sound: _Sound,
        notify: Callable[[pb.InterviewEvent], None],
        broken: Callable[[], None],
    ) -> None:
        self._converse = converse
        self._call = converse()
        self._interview_id = interview_id
        self._resume_token: str | None = None
        self._sent = SentAudio()
        self._broken_since: float | None = None
        self._answers = cycle(answers) if answers else None
        self._notify = notify
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._microphone = sound.microphone
        self._loudspeaker = sound.loudspeaker
        self._loudspeaker_hz = sound.loudspeaker_hz
        self._most_silence = SILENCE_SECONDS if answers else LIVE_SILENCE_SECONDS
        self._held = Held(microphone=self._microphone, loudspeaker=self._loudspeaker)
        self._offsets: list[float] = []
        self._phases: dict[str, interview_pb2.Phase.ValueType] = {}
        self._waiting: AnswerTimes | None = None
        # An answer of which nothing has been understood yet.
        self._unheard: AnswerTimes | None = None
        # grpc.aio takes one write at a time.
        self._writing = asyncio.Lock()

    async def run(self) -> Held:
        try:
            await ungrouped(self._hold())
        finally:
            self._call.cancel()
        self._held.zero = self._zero()
        for answer in self._held.answers:
            answer.speech_end -= self._held.zero
            if answer.first_audio is not None:
                answer.first_audio -= self._held.zero
        return self._held

    async def _hold(self) -> None:
        await self._say(self._join())
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

    def _join(self) -> interview_service_pb2.ConverseRequest:
        shape = serving_pb2.AudioFormat(
            encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=RATE_HZ, channels=1
        )
        join = pb.JoinInterview(
            interview_id=self._interview_id,
            input=shape,
            output=(
                serving_pb2.AudioFormat(sample_rate_hz=self._loudspeaker_hz, channels=1)
                if self._loudspeaker_hz is not None
                else None
            ),
            resume_token=self._resume_token,
        )
        return interview_service_pb2.ConverseRequest(join=join)

    async def _say(self, request: interview_service_pb2.ConverseRequest) -> None:
        # A write that finds the call over says less than the read that will find it, too.
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            async with self._writing:
                await self._call.write(request)

    async def _events(self) -> AsyncIterator[pb.InterviewEvent]:
        while True:
            try:
                async with asyncio.timeout(self._most_silence):
                    response = await self._call.read()
            except TimeoutError:
                raise InterviewFailed(self._stalled()) from None
            except grpc.aio.AioRpcError as error:
                await self._join_again(error)
                continue
            if not isinstance(response, interview_service_pb2.ConverseResponse):
                raise InterviewFailed("the conversation ended without a report")
            event = response.event
            late = self._broken_since is not None
            self._resume_token, self._broken_since = event.resume_token, None
            if not late:  # what was missed comes late and tells nothing about the clock
                self._offsets.append(self._loop.time() - seconds(event.at))
            yield event

    async def _join_again(self, error: grpc.aio.AioRpcError) -> None:
        """Opens the conversation anew after its connection broke; raises what is no such break."""
        now = self._loop.time()
        again = self._broken_since is not None
        if again and error.code() is grpc.StatusCode.NOT_FOUND:
            raise InterviewFailed(
                "the interview server was started again and no longer knows the interview"
            )
        self._broken_since = self._broken_since or now
        if error.code() not in BROKEN or now - self._broken_since > REJOIN_SECONDS:
            raise error
        if not again:
            self._broken()
        await asyncio.sleep(REJOIN_PAUSE_SECONDS if again else 0)
        async with self._writing:
            self._call.cancel()
            self._call = self._converse()
            self._sent.rewind()
            # A write that finds the call over says less than the read that will find it, too.
            with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
                await self._call.write(self._join())

    def _stalled(self) -> str:
        """What to say when nothing has happened for too long."""
        failing = {d.service: d.recovered for d in self._held.degraded}
        parts = [f"nothing happened for {self._most_silence:.0f} s"]
        if self._unheard is not None:
            parts.append(f"no words were understood in {self._unheard.recording}")
        parts += [f"{service} does not work" for service, back in failing.items() if not back]
        return "; ".join(parts)

    def _zero(self) -> float:
        """Events arrive a little late; the fastest one tells where the clock began."""
        return min(self._offsets, default=self._loop.time())

    async def _talk(self) -> None:
        async with aclosing(self._microphone.chunks()) as chunks:
            async for chunk in chunks:
                self._sent.add(chunk)
                await self._send_audio()

    async def _send_audio(self) -> None:
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            # Chosen only when it can be written: joining again changes what is next.
            async with self._writing:
                while (piece := self._sent.next()) is not None:
                    audio = pb.CandidateMessage(audio=pb.CandidateAudio(chunk=piece))
                    request = interview_service_pb2.ConverseRequest(candidate=audio)
                    await self._call.write(request)

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
                client_time=duration(self._loop.time()),
            )
            message = pb.CandidateMessage(playback=position)
            await self._say(interview_service_pb2.ConverseRequest(candidate=message))

    async def _answer(self, answer: Answer, microphone: Microphone) -> None:
        await asyncio.sleep(REACTION_SECONDS)
        ended = await microphone.say(answer)
        self._waiting = self._unheard = AnswerTimes(answer.name, speech_end=ended)
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
                    self._begin_answer(tasks)
            case "candidate_turn":
                self._unheard = None
            case "audio_received":
                self._sent.forget(seconds(event.audio_received.offset))
            case "timings" if self._held.answers:
                self._held.answers[-1].server = event.timings
            case "degraded":
                self._held.degraded.append(event.degraded)
            case "report_ready":
                self._held.report = event.report_ready.report
            case "state_changed":
                self._check(event.state_changed.state)
        return self._held.report is not None

    def _check(self, state: interview_pb2.InterviewState.ValueType) -> None:
        if state == interview_pb2.INTERVIEW_STATE_CANCELLED:
            raise InterviewFailed("the interview was cancelled")
        if state == interview_pb2.INTERVIEW_STATE_FAILED:
            raise InterviewFailed("the interview server could not hold the interview to its end")

    def _begin_answer(self, tasks: asyncio.TaskGroup) -> None:
        # A person begins without being told.
        if self._answers is not None and isinstance(self._microphone, Microphone):
            tasks.create_task(self._answer(next(self._answers), self._microphone))

    def _begins(self, started: pb.InterviewerUtteranceStarted) -> None:
        self._phases[started.utterance_id] = started.phase
        if started.HasField("format"):
            self._loudspeaker.begin(started.utterance_id, started.format.sample_rate_hz)

    def _sounds(self, piece: pb.InterviewerAudio) -> None:
        if self._waiting is not None and self._waiting.first_audio is None:
            self._waiting.first_audio = self._loop.time()
        self._loudspeaker.add(piece.utterance_id, piece.audio)

    def _expects_answer(self, ended: pb.InterviewerUtteranceEnded) -> bool:
        asks = self._phases.get(ended.utterance_id) in {
            interview_pb2.PHASE_QUESTION,
            interview_pb2.PHASE_FOLLOW_UP,
        }
        return asks and not ended.interrupted

    def _control(self, action: pb.PlaybackControl.Action.ValueType) -> None:
        match action:
            case pb.PlaybackControl.ACTION_PAUSE:
                self._loudspeaker.pause()
            case pb.PlaybackControl.ACTION_RESUME:
                self._loudspeaker.resume()
            case _:
                self._loudspeaker.stop()
