"""Candidates in real time for benchmarks: cheap enough that fifty of them leave the server alone.

They speak as `viva interview` does: a microphone that never stops, a loudspeaker that acknowledges
what it has played. What the interviewer says is timed as it arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle

import grpc
from viva.interview.v1 import conversation_pb2 as pb
from viva.interview.v1 import (
    interview_pb2,
    interview_service_pb2,
    interview_service_pb2_grpc,
)
from viva.serving.v1 import serving_pb2

from services.cli.bench.spoken import Spoken, cuts
from services.cli.sound_card import RATE_HZ, Samples
from services.interview.understanding.wording import read
from services.runtime.channel import outgoing
from services.runtime.stats import duration, seconds
from services.runtime.stream_status import tell_readers_alone

REACTION_SECONDS = 0.3
"""People begin to answer 200 to 500 ms after a question (Stivers et al. 2009, PNAS)."""
ACKNOWLEDGE_SECONDS = 0.2
CHUNK_SECONDS = 0.06
"""A message costs a server the same however much is in it, so clients put some sound together."""
PATIENCE_SECONDS = 15.0
"""Nobody says anything for so long: the candidate speaks."""
CALL_SECONDS = 30.0
GREATEST_SECONDS = 3600.0

_Call = grpc.aio.StreamStreamCall[
    interview_service_pb2.ConverseRequest, interview_service_pb2.ConverseResponse
]


@dataclass(slots=True)
class Answer:
    """One answer. Times on the loop's clock, in seconds.

    Attributes:
        spoken: What was said.
        began: When.
        speech_end: When its last speech ended.
        sounds: When the interviewer began to be heard, since it began: each utterance once.
        contents: The same, of what is more than a sign of listening ("Okay.").
        arrivals: When that had come; it may have been heard later, behind an "Okay.".
        asides: When signs of listening had been heard to their end; content waits for it.
        timings: What the server told of the turn.
    """

    spoken: Spoken
    began: float
    speech_end: float
    sounds: list[float] = field(default_factory=list)
    contents: list[float] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    asides: list[float] = field(default_factory=list)
    timings: pb.TurnTimings | None = None

    @property
    def to_sound(self) -> float | None:
        """Seconds from the end of speech to the first sound after it."""
        return _after(self.sounds, self.speech_end)

    @property
    def to_content(self) -> float | None:
        """Seconds from the end of speech to the first content after it."""
        return _after(self.contents, self.speech_end)

    @property
    def cuts(self) -> int:
        """Inner pauses in which the interviewer took the turn."""
        return cuts(self.spoken, [at - self.began for at in self.contents])


def _after(moments: Sequence[float], moment: float) -> float | None:
    return next((at - moment for at in moments if at >= moment), None)


@dataclass(slots=True, eq=False)
class Line:
    """What the interviewer says, as it is played.

    Attributes:
        rate_hz: Of its audio, 16-bit mono samples.
        phase: What it belongs to.
        text: As far as it was told.
        audio: As far as it has come.
        words: Its words and where they end, in seconds.
        heard: How much of it was played, in seconds.
        started: When its first audio came, on the loop's clock.
        content: When more than a sign of listening began to be heard, and when it had come.
        replies: Whether it answers: the server tells timings of such lines, of asides none.
        stopped: Whether the rest is not played.
        interrupted: Whether it was cut short.
        ended: Set when the server has told its end.
    """

    rate_hz: int
    phase: interview_pb2.Phase.ValueType
    text: str = ""
    audio: bytearray = field(default_factory=bytearray)
    words: list[tuple[str, float]] = field(default_factory=list)
    heard: float = 0.0
    started: float | None = None
    content: tuple[float, float] | None = None
    replies: bool = False
    stopped: bool = False
    interrupted: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def seconds(self) -> float:
        """How much of it has come."""
        return len(self.audio) / 2 / self.rate_hz

    @property
    def heard_text(self) -> str:
        """The words that were played."""
        return " ".join(word for word, end in self.words if end <= self.heard)


class Candidate:
    """A candidate in one interview; `hold` is its life."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        recordings: Sequence[Spoken],
        *,
        rounds: int,
        follow_ups: int,
        user: str,
        most: int | None = None,
        hurried: bool = False,
        watch: Callable[[pb.InterviewEvent], None] = lambda _: None,
        chunk_seconds: float = CHUNK_SECONDS,
    ) -> None:
        """Takes what to say, and how long.

        Args:
            channel: To the mesh or the interview server.
            recordings: Used in turn, and again from the first.
            rounds: Questions.
            follow_ups: After each.
            user: Whose interview it is.
            most: Answers after which it leaves; None stays to the end.
            hurried: Says that a line was heard as soon as it has come, to save time; not of lines
                over the candidate's own words.
            watch: Sees every event before the candidate does.
            chunk_seconds: Sound in a message.
        """
        self._stub: interview_service_pb2_grpc.InterviewServiceAsyncStub = (
            interview_service_pb2_grpc.InterviewServiceStub(channel)
        )
        self._recordings = cycle(recordings)
        self._settings = interview_pb2.InterviewSettings(rounds=rounds, follow_ups=follow_ups)
        self._user = user
        self._most = most
        self._hurried = hurried
        self._enough = asyncio.Event()
        self._over = False
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._chunk_seconds = chunk_seconds
        self._size = 2 * round(chunk_seconds * RATE_HZ)
        self._silence = _audio(bytes(self._size))
        self._to_say: list[interview_service_pb2.ConverseRequest] = []
        self._writing = asyncio.Lock()
        self._lines: dict[str, Line] = {}
        self._owes_answer = False
        self._answering = False
        self._quiet_since = 0.0
        self._current: str | None = None
        self._paused = False
        self._ticked = 0.0
        self._due = 0.0
        self.answers: list[Answer] = []
        self.interview_id = ""
        self.lateness: list[float] = []
        """By how much each message was sent too late: above a chunk the candidates are the
        bottleneck."""

    @property
    def playing(self) -> Line | None:
        """The line that is being played."""
        if self._current is None:
            return None
        line = self._lines[self._current]
        playing = line.started is not None and not line.stopped and line.heard < line.seconds
        return line if playing and not self._paused else None

    @property
    def speaking(self) -> bool:
        """Whether the candidate says anything."""
        return bool(self._to_say)

    def say(self, samples: Samples) -> None:
        """Begins a sound now, in place of what is being said."""
        self._to_say, self._answering = list(self._pieces(Spoken("", samples).pcm)), False

    async def hold(self) -> list[Answer]:
        """Holds an interview to its report, or until as many answers as wanted were replied to.

        An interview that is left earlier, also because this is cancelled, is deleted.

        Raises:
            grpc.aio.AioRpcError: A call failed.
            LookupError: The conversation ended without a report.
        """
        created = await self._stub.CreateInterview(
            interview_service_pb2.CreateInterviewRequest(settings=self._settings),
            **outgoing(CALL_SECONDS, user=self._user),
        )
        self.interview_id = created.interview.id
        call = self._stub.Converse(None, **outgoing(GREATEST_SECONDS, user=self._user))
        # Whoever reads acknowledges, and waits for its turn to write.
        tell_readers_alone(call)
        self._ticked = self._loop.time()
        try:
            await call.write(self._join())
            async with asyncio.TaskGroup() as tasks:
                around = [
                    tasks.create_task(work)
                    for work in (self._talk(call), self._play(call), self._listen(call))
                ]
                await self._enough.wait()
                for task in around:
                    task.cancel()
        finally:
            call.cancel()
            if not self._over:
                await self._stub.DeleteInterview(
                    interview_service_pb2.DeleteInterviewRequest(interview_id=self.interview_id),
                    **outgoing(CALL_SECONDS, user=self._user),
                )
        return self.answers

    async def _listen(self, call: _Call) -> None:
        async for response in call:
            self._over = await self._react(response.event, call)
            if self._over or (len(self.answers) == self._most and self._replied()):
                self._enough.set()
                return
        raise LookupError("the conversation ended without a report")

    def _replied(self) -> bool:
        last = self.answers[-1]
        return last.to_content is not None and last.timings is not None

    def _join(self) -> interview_service_pb2.ConverseRequest:
        shape = serving_pb2.AudioFormat(
            encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=RATE_HZ, channels=1
        )
        join = pb.JoinInterview(interview_id=self.interview_id, input=shape, output=shape)
        return interview_service_pb2.ConverseRequest(join=join)

    async def _say(self, call: _Call, request: interview_service_pb2.ConverseRequest) -> None:
        # Of a call that is over the reader is told.
        async with self._writing:
            with suppress(asyncio.InvalidStateError):
                await call.write(request)

    async def _talk(self, call: _Call) -> None:
        started, number = self._loop.time(), 0
        while True:
            number += 1
            due = self._due = started + number * self._chunk_seconds
            await asyncio.sleep(due - self._loop.time())
            self.lateness.append(max(0.0, self._loop.time() - due))
            if self._to_say or self.playing is not None:
                self._quiet_since = due
            # Whoever was cut off and hears nothing more goes on all the same.
            waited = bool(self.answers) and due - self._quiet_since > PATIENCE_SECONDS
            if waited and len(self.answers) == self._most:
                self._enough.set()
            elif not self._to_say and (self._owes_answer or waited):
                self._owes_answer, self._quiet_since = False, due
                self._answer()
            await self._say(call, self._to_say.pop(0) if self._to_say else self._silence)

    def _answer(self) -> None:
        """Begins to speak a moment from now."""
        spoken = next(self._recordings)
        lead = max(0, round(REACTION_SECONDS / self._chunk_seconds))
        # What is sent next was spoken in the time before it is due.
        begins = self._due + (lead - 1) * self._chunk_seconds
        self._to_say = [*[self._silence] * lead, *self._pieces(spoken.pcm)]
        self._answering = True
        answer = Answer(spoken, begins, begins + spoken.speech_end)
        self.answers.append(answer)

    def _pieces(self, pcm: bytes) -> Iterator[interview_service_pb2.ConverseRequest]:
        for place in range(0, len(pcm), self._size):
            yield _audio(pcm[place : place + self._size])

    async def _play(self, call: _Call) -> None:
        while True:
            await asyncio.sleep(ACKNOWLEDGE_SECONDS)
            await self._acknowledge(call)

    async def _acknowledge(self, call: _Call) -> None:
        now = self._loop.time()
        elapsed, self._ticked = now - self._ticked, now
        if self._current is None or self._paused:
            return
        playing = self._lines[self._current]
        if playing.started is None or playing.stopped:
            return
        # A line over the candidate's own words is not heard out in no time.
        hurried = self._hurried and not self._to_say
        playing.heard = min(
            playing.seconds, playing.seconds if hurried else playing.heard + elapsed
        )
        position = pb.PlaybackPosition(
            utterance_id=self._current,
            position=duration(playing.heard),
            finished=playing.heard >= playing.seconds,
            client_time=duration(now),
        )
        message = pb.CandidateMessage(playback=position)
        await self._say(call, interview_service_pb2.ConverseRequest(candidate=message))

    async def _react(self, event: pb.InterviewEvent, call: _Call) -> bool:
        self._watch(event)
        match event.WhichOneof("event"):
            case "utterance_started":
                started = event.utterance_started
                self._current, self._paused = started.utterance_id, False
                self._lines[started.utterance_id] = Line(
                    started.format.sample_rate_hz or RATE_HZ, started.phase
                )
            case "text" if event.text.utterance_id in self._lines:
                self._lines[event.text.utterance_id].text += event.text.text
            case "audio":
                self._hear(event.audio)
                if self._hurried:
                    await self._acknowledge(call)
            case "playback_control":
                action = event.playback_control.action
                self._paused = action == pb.PlaybackControl.ACTION_PAUSE
                if action == pb.PlaybackControl.ACTION_STOP and self._current is not None:
                    self._lines[self._current].stopped = True
            case "utterance_ended":
                self._line_over(event.utterance_ended)
            case "timings" if self.answers:
                self.answers[-1].timings = event.timings
                if self._current is not None:
                    self._lines[self._current].replies = True
                    self._note(self._lines[self._current])
            case "state_changed":
                return event.state_changed.state in {
                    interview_pb2.INTERVIEW_STATE_CANCELLED,
                    interview_pb2.INTERVIEW_STATE_FAILED,
                    interview_pb2.INTERVIEW_STATE_COMPLETED,
                }
        return event.HasField("report_ready")

    def _hear(self, piece: pb.InterviewerAudio) -> None:
        line = self._lines.get(piece.utterance_id)
        if line is None or not piece.audio:
            return
        now = self._loop.time()
        if line.started is None:
            line.started = now
            if self.answers:
                self.answers[-1].sounds.append(now)
        line.audio += piece.audio
        for word in piece.words:
            line.words.append((word.text, seconds(word.end)))
            said = " ".join(word for word, _ in line.words)
            if line.content is None and read(said).contents:
                # Heard when playback has come to it.
                line.content = max(now, line.started + seconds(word.start)), now
                self._note(line)

    def _note(self, line: Line) -> None:
        """Counts the content of a line that answers, once both are known."""
        if self.answers and line.replies and line.content is not None:
            heard, came = line.content
            self.answers[-1].contents.append(heard)
            self.answers[-1].arrivals.append(came)

    def _line_over(self, ended: pb.InterviewerUtteranceEnded) -> None:
        line = self._lines.get(ended.utterance_id)
        if line is None:
            return
        line.stopped, line.interrupted = True, ended.interrupted
        line.audio.clear()
        line.ended.set()
        if self.answers and not line.replies:
            self.answers[-1].asides.append(self._loop.time())
        asks = line.phase in {interview_pb2.PHASE_QUESTION, interview_pb2.PHASE_FOLLOW_UP}
        # Whoever was asked while they answered has that to finish, and is replied to then.
        answering = self._answering and bool(self._to_say)
        # What belongs to no round is an aside: nobody answers it.
        asks = asks and ended.turn.round > 0
        self._owes_answer = asks and not ended.interrupted and not answering


def _audio(data: bytes) -> interview_service_pb2.ConverseRequest:
    audio = pb.CandidateAudio(chunk=serving_pb2.AudioChunk(audio=data))
    return interview_service_pb2.ConverseRequest(candidate=pb.CandidateMessage(audio=audio))
