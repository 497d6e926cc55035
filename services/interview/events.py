"""What can happen in an interview, as its clients are told.

Times are seconds on the interview's clock unless an attribute says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import get_args

from services.interview.record import Phase, SpokenWord, State, Turn
from services.interview.reports.report import Report


class Encoding(IntEnum):
    """How raw samples are written; the contract's numbers."""

    PCM_S16LE = 1
    PCM_F32LE = 2
    MULAW = 6
    ALAW = 7


_SAMPLE_BYTES = {Encoding.PCM_S16LE: 2, Encoding.PCM_F32LE: 4, Encoding.MULAW: 1, Encoding.ALAW: 1}


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """The shape of raw samples; a rate of None leaves it to the voice."""

    encoding: Encoding = Encoding.PCM_S16LE
    sample_rate_hz: int | None = None
    channels: int = 1

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * _SAMPLE_BYTES[self.encoding]


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The interview moved on; `round` from 1, 0 in the opening and the close."""

    state: State
    phase: Phase
    round: int


@dataclass(frozen=True, slots=True)
class CandidateSpeechStarted:
    """The candidate began to speak."""

    start: float


@dataclass(frozen=True, slots=True)
class CandidatePartial:
    """What has been understood so far of the candidate's turn."""

    stable: str
    unstable: str


@dataclass(frozen=True, slots=True)
class CandidateTurn:
    """The candidate's turn is over."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class CandidateTurnReopened:
    """A turn that was told is taken back: it goes on, and is told again whole."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class TurnHeld:
    """The candidate's turn is held open until then at most; None when it is no longer."""

    until: float | None


@dataclass(frozen=True, slots=True)
class AudioReceived:
    """The candidate's audio is not needed again up to `offset`, in seconds of it.

    Attributes:
        received: Up to where it was taken; None until a client is told.
        message: The greatest number that is kept of that client's messages.
    """

    offset: float
    received: float | None = None
    message: int | None = None


@dataclass(frozen=True, slots=True)
class UtteranceStarted:
    """The interviewer begins to say something; no format when only text is sent."""

    utterance_id: str
    format: AudioFormat | None
    phase: Phase


@dataclass(frozen=True, slots=True)
class InterviewerText:
    """The next piece of what the interviewer says."""

    utterance_id: str
    text: str


@dataclass(frozen=True, slots=True)
class InterviewerAudio:
    """The next piece of the interviewer's audio; offset and words in seconds of the utterance."""

    utterance_id: str
    offset: float
    audio: bytes
    words: tuple[SpokenWord, ...] = ()


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """The interviewer has said everything of an utterance, or was stopped."""

    utterance_id: str
    turn: Turn
    interrupted: bool


class PlaybackAction(IntEnum):
    """What to do with the audio being played; the contract's numbers."""

    PAUSE = 1
    RESUME = 2
    STOP = 3


@dataclass(frozen=True, slots=True)
class PlaybackControl:
    """Playback should stop, go on, or be thrown away."""

    utterance_id: str
    action: PlaybackAction


class Remedy(IntEnum):
    """What the candidate should do now; the contract's numbers."""

    NONE = 0
    READ_TEXT = 1
    TYPE_ANSWERS = 2
    CARRY_ON = 3
    REPEAT_ANSWER = 4


@dataclass(frozen=True, slots=True)
class ServiceDegraded:
    """Something works worse than it should, or works again."""

    service: str
    recovered: bool
    message: str
    remedy: Remedy


@dataclass(frozen=True, slots=True)
class TurnTimings:
    """How long the parts of a turn took, in seconds from the end of the candidate's speech."""

    turn_id: str
    speech_end: float
    eager_end_of_turn: float | None = None
    end_of_turn: float | None = None
    asr_final: float | None = None
    llm_first_token: float | None = None
    first_phrase: float | None = None
    first_audio: float | None = None
    prepared_eagerly: bool = False


@dataclass(frozen=True, slots=True)
class ReportReady:
    """The report can be read."""

    report: Report


CandidateEvent = (
    CandidateSpeechStarted
    | CandidatePartial
    | CandidateTurn
    | CandidateTurnReopened
    | TurnHeld
    | AudioReceived
)

Event = (
    CandidateEvent
    | StateChanged
    | UtteranceStarted
    | InterviewerText
    | InterviewerAudio
    | UtteranceEnded
    | PlaybackControl
    | ServiceDegraded
    | TurnTimings
    | ReportReady
)


LastingEvent = StateChanged | CandidateTurn | CandidateTurnReopened | UtteranceEnded | ReportReady
"""What is kept with the interview, and told only once it is: for clients that come back, also to
another orchestrator."""
LASTING: tuple[type[LastingEvent], ...] = get_args(LastingEvent)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with its place in the interview: number, and time on the interview's clock."""

    seq: int
    at: float
    event: Event
