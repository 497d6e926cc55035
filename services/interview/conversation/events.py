"""What can happen to a session, one thing at a time and in order.

Whoever lives through it stamps each with its moment on the interview's clock.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from services.interview.clients.seams import ServiceName, SpeechEvent, SpeechPiece
from services.interview.conversation import playback
from services.interview.conversation.state import OrderKind, Timer
from services.interview.events import AudioFormat
from services.interview.interviewer.assessing import Assessment
from services.interview.record import Patience
from services.interview.reports.report import Report

# What the candidate and the candidate's client do.


@dataclass(frozen=True, slots=True)
class Joined:
    """A client is there; it wants audio of this shape, None for text alone.

    `speaks` says that it sends the candidate's voice; `client` is its name, `sent_away` that of
    the one that it has sent away.
    """

    output: AudioFormat | None
    speaks: bool = True
    client: str | None = None
    sent_away: str | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """The client is gone."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The recogniser heard something."""

    event: SpeechEvent


@dataclass(frozen=True, slots=True)
class Typed:
    """The candidate typed an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Played:
    """The client says how far it has played an utterance."""

    utterance_id: str
    heard: playback.Heard


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The candidate asks for silence."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The candidate says that the answer is over. The recogniser knows already."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The candidate wants up to `limit` seconds to think."""

    limit: float


@dataclass(frozen=True, slots=True)
class SetPatience:
    """Another patience from here on."""

    patience: Patience


Sayable = Typed | Interrupted | Finished | Hold | SetPatience
"""What a client may say under a number."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A client says something under a number: both are kept together."""

    client: str
    number: int
    message: Sayable


@dataclass(frozen=True, slots=True)
class Ordered:
    """Pause, resume or end; the number names the order when it is carried out."""

    kind: OrderKind
    number: int


@dataclass(frozen=True, slots=True)
class Called:
    """The messages before this one came in the client's Speak call of this number.

    Number 0 says that the client begins its numbering anew.
    """

    client: str | None
    number: int


@dataclass(frozen=True, slots=True)
class Stored:
    """Somebody waits until all that has happened is stored; the number names the order."""

    number: int


# What the servers do.


@dataclass(frozen=True, slots=True)
class Assessed:
    """What the answer of a reply covers; None when that was not to be had in time."""

    number: int
    assessment: Assessment | None


@dataclass(frozen=True, slots=True)
class Composed:
    """A model has written a question, or none that may be asked."""

    number: int
    text: str | None
    first_token: float | None = None


@dataclass(frozen=True, slots=True)
class PieceMade:
    """The next piece of an utterance's audio."""

    utterance_id: str
    piece: SpeechPiece


@dataclass(frozen=True, slots=True)
class SpeechMade:
    """All of an utterance's audio was made; `failure` says why not, if it was not."""

    utterance_id: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A service could not be used, or gave no answer in its time."""

    service: ServiceName
    reason: str


@dataclass(frozen=True, slots=True)
class Worked:
    """A service did what it was asked."""

    service: ServiceName


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The report is written and kept; None when it could not be."""

    report: Report | None


@dataclass(frozen=True, slots=True)
class Committed:
    """Everything up to the commit of this number is stored."""

    number: int


@dataclass(frozen=True, slots=True)
class CommitFailed:
    """It could not be stored."""

    reason: str


@dataclass(frozen=True, slots=True)
class LeaseGone:
    """Another process drives this session now."""


# Time, and a new life.


@dataclass(frozen=True, slots=True)
class Fired:
    """A timer is over."""

    timer: Timer
    number: int


@dataclass(frozen=True, slots=True)
class Restored:
    """The session was read from the store: what ran when it was written runs no more.

    `died` says that it was live: whoever drove it had no time to pause it.
    """

    died: bool = False


# What is ordered from outside the conversation.


@dataclass(frozen=True, slots=True)
class Command:
    """`done` is set when it is carried out; `stored`, before that, if what came of it is kept."""

    done: asyncio.Event = field(default_factory=asyncio.Event)
    stored: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Pause(Command):
    """Stop where we are."""


@dataclass(frozen=True, slots=True)
class Resume(Command):
    """Go on where we stopped."""


@dataclass(frozen=True, slots=True)
class End(Command):
    """End before the last round."""


@dataclass(frozen=True, slots=True)
class HandOn(Command):
    """Leave the interview to another process, as it is."""


@dataclass(frozen=True, slots=True)
class Store(Command):
    """Store what has happened."""


Happening = (
    Joined
    | Left
    | Heard
    | Typed
    | Played
    | Interrupted
    | Finished
    | Hold
    | SetPatience
    | Numbered
    | Called
    | Ordered
    | Stored
    | Assessed
    | Composed
    | PieceMade
    | SpeechMade
    | Failed
    | Worked
    | Reviewed
    | Committed
    | CommitFailed
    | LeaseGone
    | Fired
    | Restored
)
"""What the engine takes."""

Message = Happening | Pause | Resume | End | HandOn | Store
"""What a conversation takes."""
