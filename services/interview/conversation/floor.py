"""The interviewer has the floor: an utterance is sent, played at the client, and kept as heard."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from services.interview.clients.seams import DependencyFailed, PlacedWord
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.degradation import Degradation
from services.interview.conversation.playback import Heard, Playback, heard_text
from services.interview.conversation.progress import Step
from services.interview.conversation.speech import PreparedSpeech
from services.interview.events import (
    AudioFormat,
    InterviewerAudio,
    InterviewerText,
    PlaybackAction,
    PlaybackControl,
    TurnTimings,
    UtteranceEnded,
    UtteranceStarted,
)
from services.interview.record import Speaker, SpokenWord, Turn
from services.interview.recordings.recorder import Recorder, Spoken

FIRST_AUDIO_SECONDS = 4.0
"""After so long without audio the text is sent alone."""
END_MARGIN_SECONDS = 0.3
"""For a client that acknowledges nothing: its buffer plays on a little longer than was sent."""
ACKNOWLEDGEMENT_SECONDS = 4.0
"""A client that acknowledges and then falls silent has gone; its playback counts as over."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the interviewer is to say, with its speech if there is one."""

    step: Step
    text: str
    speech: PreparedSpeech | None
    question_id: str = ""
    timings: TurnTimings | None = None


@dataclass(slots=True)
class Utterance:
    """A line being said."""

    line: Line
    started: float | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    playback: Playback = field(default_factory=Playback)
    words: list[PlacedWord] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    format: AudioFormat | None = None
    paused: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Said:
    """An utterance is over. `turn.text` is what was heard."""

    line: Line
    turn: Turn


class Floor:
    """Says one line at a time; `ended` takes each that was said to its end."""

    def __init__(
        self,
        chronicle: Chronicle,
        degradation: Degradation,
        tasks: asyncio.TaskGroup,
        recorder: Recorder,
        ended: Callable[[Said], None],
    ) -> None:
        self._chronicle = chronicle
        self._degradation = degradation
        self._tasks = tasks
        self._recorder = recorder
        self._ended = ended
        self._current: Utterance | None = None
        self._delivery: asyncio.Task[None] | None = None

    @property
    def taken(self) -> bool:
        """Whether the interviewer is speaking, playback included."""
        return self._current is not None

    def speak(self, line: Line) -> None:
        """Begins to say a line. The floor must be free."""
        self._current = Utterance(line)
        self._delivery = self._tasks.create_task(self._deliver(self._current))

    async def _deliver(self, utterance: Utterance) -> None:
        line, emit = utterance.line, self._chronicle.emit
        speech = line.speech
        if speech is not None and not await speech.begun(FIRST_AUDIO_SECONDS):
            self._degradation.failed(speech.failure or DependencyFailed("tts", "no audio in time"))
            speech = None
        if speech is None:
            self._announce(utterance, None)
            if line.timings is not None:
                emit(line.timings)
        else:
            await self._play(utterance, speech)
            await self._played(utterance)
        self._ended(self._finish(utterance, heard=line.text, interrupted=False))

    def _announce(self, utterance: Utterance, audio: AudioFormat | None) -> None:
        utterance.started = self._chronicle.clock.now()
        line = utterance.line
        self._chronicle.emit(UtteranceStarted(utterance.id, audio, line.step.phase))
        self._chronicle.emit(InterviewerText(utterance.id, line.text))

    async def _play(self, utterance: Utterance, speech: PreparedSpeech) -> None:
        emit, now = self._chronicle.emit, self._chronicle.clock.now
        timings = utterance.line.timings
        first = True
        try:
            async for piece in speech.pieces():
                if first:
                    self._announce(utterance, piece.format)
                utterance.words.extend(piece.words)
                utterance.audio += piece.audio
                utterance.format = piece.format
                words = tuple(SpokenWord(w.text, w.start, w.end) for w in piece.words)
                emit(InterviewerAudio(utterance.id, piece.offset, piece.audio, words))
                utterance.playback.send(piece.offset + piece.duration, now())
                if first and timings is not None:
                    emit(replace(timings, first_audio=now() - timings.speech_end))
                first = False
            self._degradation.worked("tts")
        except DependencyFailed as failure:
            self._degradation.failed(failure)

    async def _played(self, utterance: Utterance) -> None:
        """Waits until the client has played everything, or must have."""
        playback, now = utterance.playback, self._chronicle.clock.now
        while not playback.finished:
            utterance.changed.clear()
            margin = ACKNOWLEDGEMENT_SECONDS if playback.acknowledged else END_MARGIN_SECONDS
            patience = None if utterance.paused else playback.remaining(now()) + margin
            try:
                async with asyncio.timeout(patience):
                    await utterance.changed.wait()
            except TimeoutError:
                return

    def acknowledge(self, utterance_id: str, heard: Heard) -> None:
        """The client says how far it has played the utterance."""
        utterance = self._current
        if utterance is None or utterance.id != utterance_id:
            return
        utterance.playback.acknowledge(heard)
        utterance.changed.set()

    def pause(self) -> None:
        """Holds playback while it is unclear whether the candidate interrupts."""
        utterance = self._current
        if utterance is None or utterance.paused:
            return
        utterance.paused = True
        utterance.playback.pause(self._chronicle.clock.now())
        utterance.changed.set()
        self._chronicle.emit(PlaybackControl(utterance.id, PlaybackAction.PAUSE))

    def resume(self) -> None:
        """Goes on: it was no interruption."""
        utterance = self._current
        if utterance is None or not utterance.paused:
            return
        utterance.paused = False
        utterance.playback.resume(self._chronicle.clock.now())
        utterance.changed.set()
        self._chronicle.emit(PlaybackControl(utterance.id, PlaybackAction.RESUME))

    def stop(self) -> Said | None:
        """Gives the floor up; returns what was heard of the line."""
        utterance = self._current
        if utterance is None:
            return None
        if self._delivery is not None:
            self._delivery.cancel()
        if utterance.line.speech is not None:
            utterance.line.speech.discard()
        position = utterance.playback.position(self._chronicle.clock.now())
        heard = heard_text(utterance.line.text, utterance.words, position)
        if utterance.started is not None:
            self._chronicle.emit(PlaybackControl(utterance.id, PlaybackAction.STOP))
        return self._finish(utterance, heard=heard, interrupted=True)

    def _finish(self, utterance: Utterance, *, heard: str, interrupted: bool) -> Said:
        self._current = None
        line, playback, now = utterance.line, utterance.playback, self._chronicle.clock.now()
        turn = Turn(
            id=utterance.id,
            speaker=Speaker.INTERVIEWER,
            text=heard,
            start=now if utterance.started is None else utterance.started,
            end=now,
            round=line.step.asked_round,
            question_id=line.question_id,
        )
        if utterance.format is not None:
            heard_seconds = playback.position(now) if interrupted else playback.sent
            self._recorder.interviewer(
                Spoken(bytes(utterance.audio), utterance.format, playback.stretches, heard_seconds)
            )
        if utterance.started is not None:
            self._chronicle.emit(UtteranceEnded(utterance.id, turn, interrupted))
        return Said(line, turn)
