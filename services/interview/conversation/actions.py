"""What a session can want done. Doing it, and saying what came of it, is the driver's part."""

from __future__ import annotations

from dataclasses import dataclass

from services.interview.clients.seams import Endpointing, ServiceName
from services.interview.conversation.progress import Step
from services.interview.conversation.state import Line, Prepared, Timer
from services.interview.events import AudioFormat, Event
from services.interview.interviewer.asking import Context
from services.interview.record import Patience, State, Turn


@dataclass(frozen=True, slots=True)
class Tell:
    """Tells the clients."""

    event: Event


# The record, and keeping it.


@dataclass(frozen=True, slots=True)
class Keep:
    """Adds a turn to the record, or puts it in the place of the one with its id."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class Move:
    """Changes where the interview stands, in the record."""

    state: State
    step: Step


@dataclass(frozen=True, slots=True)
class Ask:
    """Asks another question than the planned one in a round."""

    round: int
    question_id: str


@dataclass(frozen=True, slots=True)
class ChangePatience:
    """Keeps how long a pause is borne from here on."""

    patience: Patience


@dataclass(frozen=True, slots=True)
class Commit:
    """Stores the record and the session; answered by Committed, CommitFailed or LeaseGone."""

    number: int


@dataclass(frozen=True, slots=True)
class Obey:
    """An order was carried out; `stored`: what came of it is kept."""

    number: int
    stored: bool


# The interviewer's voice.


@dataclass(frozen=True, slots=True)
class SetVoice:
    """Lines are wanted in this shape from here on; None for text alone."""

    output: AudioFormat | None


@dataclass(frozen=True, slots=True)
class Prepare:
    """Has these lines made ready to be said, and no others."""

    lines: tuple[Prepared, ...]


@dataclass(frozen=True, slots=True)
class Speak:
    """Delivers the sound of a line; answered by PieceMade and SpeechMade."""

    utterance_id: str
    line: Line


@dataclass(frozen=True, slots=True)
class Hush:
    """Delivers no more of an utterance."""

    utterance_id: str


@dataclass(frozen=True, slots=True)
class Record:
    """An utterance is over: where playback began or went on, and the seconds that were heard."""

    utterance_id: str
    format: AudioFormat
    stretches: tuple[tuple[float, float], ...]
    heard: float


# The interviewer's thoughts.


@dataclass(frozen=True, slots=True)
class Assess:
    """Finds what an answer covers; answered by Assessed."""

    number: int
    round: int
    answer: str
    asked: str


@dataclass(frozen=True, slots=True)
class Compose:
    """Has a follow-up written; answered by Composed."""

    number: int
    context: Context


@dataclass(frozen=True, slots=True)
class Discard:
    """Gives up what was begun under this number, without trace."""

    number: int


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Readies the model."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Finds out, as often as it takes, whether a service works; answered by Failed or Worked."""

    service: ServiceName


@dataclass(frozen=True, slots=True)
class Score:
    """Has the answers of a round scored in the background."""

    round: int


@dataclass(frozen=True, slots=True)
class Review:
    """Has the report written; answered by Reviewed."""


# The candidate's voice.


@dataclass(frozen=True, slots=True)
class Finalize:
    """Ends the candidate's turn at the recogniser."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Tells the recogniser about silences."""

    endpointing: Endpointing


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Tells how far the candidate's audio was taken."""


@dataclass(frozen=True, slots=True)
class OpenEars:
    """A join was carried out: its audio may be heard."""


# Time.


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Reports Fired in so many seconds; takes the place of the timer of this kind."""

    timer: Timer
    number: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Does not."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Finish:
    """The session is over."""


Action = (
    Tell
    | Keep
    | Move
    | Ask
    | ChangePatience
    | Commit
    | Obey
    | SetVoice
    | Prepare
    | Speak
    | Hush
    | Record
    | Assess
    | Compose
    | Discard
    | WarmUp
    | Probe
    | Score
    | Review
    | Finalize
    | Listen
    | Acknowledge
    | OpenEars
    | StartTimer
    | CancelTimer
    | Finish
)
