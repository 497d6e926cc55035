"""When a turn starts, probably ends, goes on after all, and ends.

A state machine without clocks or audio: it is fed one speech probability a frame and answers with
decisions. For every turn the decisions read

    SpeechStarted ((Pause | EagerEndOfTurn)+ TurnResumed)* (Pause | EagerEndOfTurn)* EndOfTurn

with at most one EagerEndOfTurn a silence, and a turn that silence ended had one in its last
silence, with the same end.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias


class EndReason(enum.Enum):
    """Why a turn ended."""

    SILENCE = enum.auto()
    FINALIZED = enum.auto()
    STREAM_ENDED = enum.auto()
    MAX_TURN = enum.auto()


@dataclass(frozen=True, slots=True)
class EndpointingConfig:
    """When a turn counts as over. Lengths are in frames.

    Attributes:
        min_silence: Silence after which the turn is probably over.
        max_silence: Silence after which it is over; at least `min_silence`.
        max_turn: Length after which it is over even without silence.
        pause: Silence after which a Pause is told, and told again; None tells none.
        start_threshold: Probability from which a frame is speech (Silero's default).
        end_threshold: Probability under which a frame starts a silence (Silero: 0.15 lower).
        onset: Speech frames in a row that start a turn or end a silence: a click has fewer.
    """

    min_silence: int = 8
    max_silence: int = 19
    max_turn: int = 18_750
    pause: int | None = None
    start_threshold: float = 0.5
    end_threshold: float = 0.35
    onset: int = 3


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """A turn starts at frame `start`."""

    start: int


@dataclass(frozen=True, slots=True)
class Pause:
    """The speaker is silent since frame `start`, for `length` frames so far."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class EagerEndOfTurn:
    """The turn is probably over; its speech ends before frame `end`."""

    end: int


@dataclass(frozen=True, slots=True)
class TurnResumed:
    """The turn goes on at frame `start` after a Pause or an EagerEndOfTurn."""

    start: int


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """The turn is over; its speech ends before frame `end`."""

    end: int
    reason: EndReason


Decision: TypeAlias = SpeechStarted | Pause | EagerEndOfTurn | TurnResumed | EndOfTurn


class Endpointer:
    """The state machine of one stream."""

    def __init__(self, config: EndpointingConfig) -> None:
        self._config = config
        self._frame = 0
        self._voiced = 0
        self._start: int | None = None
        self._silence: int | None = None
        self._eager = False
        self._paused = 0
        """The length of the present silence when it was last told."""

    @property
    def config(self) -> EndpointingConfig:
        """When a turn counts as over, as of now."""
        return self._config

    @property
    def speaking(self) -> bool:
        """Whether a turn is running."""
        return self._start is not None

    @property
    def silence_start(self) -> int | None:
        """The frame the running turn's present silence began at; None while there is speech."""
        return self._silence

    @property
    def frame(self) -> int:
        """How many frames were fed."""
        return self._frame

    def feed(self, probability: float) -> list[Decision]:
        """Takes the next frame's speech probability; the decisions it brings, mostly none."""
        frame = self._frame
        self._frame += 1
        voiced = probability >= self._config.start_threshold
        self._voiced = self._voiced + 1 if voiced else 0
        if self._start is None:
            return self._wait_for_speech()
        decisions: list[Decision] = []
        if self._silence is None:
            if probability < self._config.end_threshold:
                self._silence = frame
        elif self._voiced >= self._config.onset:
            if self._eager or self._paused:
                decisions.append(TurnResumed(self._frame - self._voiced))
            self._silence, self._eager, self._paused = None, False, 0
        return decisions + self._check_silence() + self._check_length()

    def change(self, config: EndpointingConfig) -> list[Decision]:
        """Takes another config from here on; the running turn and silence are judged by it."""
        self._config = config
        return self._check_silence() + self._check_length()

    def end(self, reason: EndReason) -> list[Decision]:
        """Ends the running turn now, if there is one."""
        if self._start is None:
            return []
        end = self._frame if self._silence is None else self._silence
        self._start, self._silence, self._voiced = None, None, 0
        self._eager, self._paused = False, 0
        return [EndOfTurn(end, reason)]

    def _wait_for_speech(self) -> list[Decision]:
        if self._voiced < self._config.onset:
            return []
        self._start = self._frame - self._voiced
        return [SpeechStarted(self._start), *self._check_length()]

    def _check_silence(self) -> list[Decision]:
        decisions: list[Decision] = []
        if self._silence is None:
            return decisions
        # Frames that may be the end of the silence are not yet part of it.
        length = self._frame - self._voiced - self._silence
        if self._config.pause is not None and length >= self._paused + self._config.pause:
            self._paused = length
            decisions.append(Pause(self._silence, length))
        if length >= self._config.min_silence and not self._eager:
            self._eager = True
            decisions.append(EagerEndOfTurn(self._silence))
        if length >= self._config.max_silence:
            decisions += self.end(EndReason.SILENCE)
        return decisions

    def _check_length(self) -> list[Decision]:
        if self._start is not None and self._frame - self._start >= self._config.max_turn:
            return self.end(EndReason.MAX_TURN)
        return []
