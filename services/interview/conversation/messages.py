"""What a conversation reacts to, one at a time and in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from services.interview.clients.seams import SpeechEvent
from services.interview.conversation import playback
from services.interview.conversation.floor import Said
from services.interview.conversation.replying import Reply
from services.interview.events import AudioFormat
from services.interview.record import Patience


@dataclass(frozen=True, slots=True)
class Joined:
    """A candidate's client is there, and wants audio of this shape; None for text alone."""

    output: AudioFormat | None


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
class HoldOver:
    """The time to think is over; `number` says which."""

    number: int


@dataclass(frozen=True, slots=True)
class SetPatience:
    """Another patience from here on."""

    patience: Patience


@dataclass(frozen=True, slots=True)
class LineOver:
    """The interviewer has said a line to its end."""

    said: Said


@dataclass(frozen=True, slots=True)
class ReplyReady:
    """A reply can be said."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class PatienceOver:
    """The reply must be said now, as it is."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class SuspicionOver:
    """Speech during the interviewer's words has shown no words; `number` says which speech."""

    number: int


@dataclass(frozen=True, slots=True)
class Command:
    """Pause, resume or end; `done` is set when it is carried out."""

    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Pause(Command):
    """Stop where we are."""


@dataclass(frozen=True, slots=True)
class Resume(Command):
    """Go on where we stopped."""


@dataclass(frozen=True, slots=True)
class End(Command):
    """End before the last round."""


Message = (
    Joined
    | Heard
    | Typed
    | Played
    | Interrupted
    | Finished
    | Hold
    | HoldOver
    | SetPatience
    | LineOver
    | ReplyReady
    | PatienceOver
    | SuspicionOver
    | Pause
    | Resume
    | End
)
