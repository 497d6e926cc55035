"""What is kept of an interview.

Times inside an interview are seconds on its own clock, which starts with the first join.
Enumerations carry the numbers of the contract.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

LOCAL_USER = "local"
"""Who calls when the edge has vouched for nobody: the one user of a machine of one's own."""


class State(IntEnum):
    """Where an interview stands."""

    READY = 1
    LIVE = 2
    PAUSED = 3
    REVIEWING = 4
    COMPLETED = 5
    CANCELLED = 6
    FAILED = 7

    @property
    def over(self) -> bool:
        """Whether nothing more can be said in it."""
        return self >= State.REVIEWING


UNBEGUN = frozenset({State.READY, State.CANCELLED})
"""Where an interview may stand that was never started."""
_ENDS = frozenset({State.CANCELLED, State.FAILED})
_MOVES = {
    State.READY: {State.LIVE, *_ENDS},
    State.LIVE: {State.PAUSED, State.REVIEWING, *_ENDS},
    State.PAUSED: {State.LIVE, State.REVIEWING, *_ENDS},
    State.REVIEWING: {State.COMPLETED, State.FAILED},
}


def may_become(state: State, other: State) -> bool:
    """Whether an interview may move so; to stay is no move, and is always allowed."""
    return other is state or other in _MOVES.get(state, ())


class Phase(IntEnum):
    """What part of the conversation is going on."""

    UNSPECIFIED = 0
    OPENING = 1
    QUESTION = 2
    FOLLOW_UP = 3
    CLOSING = 4


class Speaker(IntEnum):
    """Who speaks."""

    INTERVIEWER = 1
    CANDIDATE = 2


class Category(IntEnum):
    """What a question is about."""

    TECHNICAL = 1
    BEHAVIORAL = 2
    SOFT_SKILLS = 3
    SELF_INTRODUCTION = 4
    CONVERSATION = 5


class Mode(IntEnum):
    """What an interview is for."""

    INTERVIEW = 1
    SPEAKING_PRACTICE = 2

    @property
    def categories(self) -> frozenset[Category]:
        """What is asked about."""
        practised = frozenset({Category.CONVERSATION})
        return practised if self is Mode.SPEAKING_PRACTICE else frozenset(Category) - practised


class Difficulty(IntEnum):
    """How hard a question is."""

    EASY = 1
    MEDIUM = 2
    HARD = 3


class Patience(IntEnum):
    """How long a pause in an answer the interviewer bears."""

    BRISK = 1
    NORMAL = 2
    PATIENT = 3


EPOCH_BYTES = 8


def new_epoch() -> bytes:
    """A random name for an interview's run of events."""
    return secrets.token_bytes(EPOCH_BYTES)


DEFAULT_PERSONA = "professional-man"
"""Who interviews where no persona is named; `interviewer/personas.yaml` knows them all."""


@dataclass(frozen=True, slots=True)
class InterviewSettings:
    """How an interview is to be held; every default filled in.

    Attributes:
        mode: The persona's, from the creation on.
        own_trade: Whether questions about the candidate's own trade take the place of technical
            ones, of which the bank has none for the position; from the creation on.
        trade_unsure: Whether both are asked, since the position's name does not tell which fit it;
            from the creation on.
    """

    language: str = "en"
    rounds: int = 3
    follow_ups: int = 1
    categories: tuple[Category, ...] = ()
    job_title: str | None = None
    topics: tuple[str, ...] = ()
    candidate_name: str | None = None
    voice: str | None = None
    question_ids: tuple[str, ...] = ()
    difficulty: Difficulty | None = None
    persona: str = DEFAULT_PERSONA
    patience: Patience = Patience.NORMAL
    mode: Mode = Mode.INTERVIEW
    own_trade: bool = False
    trade_unsure: bool = False

    @property
    def trade(self) -> str | None:
        """The position, where its words tell that it is the candidate's own trade."""
        return self.job_title if self.own_trade else None


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word with its times in seconds and the recogniser's confidence, 0 to 1, if it says."""

    text: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said before the other; of the interviewer, what was heard.

    Attributes:
        round: From 1; 0 in the opening and the close.
        question_id: The bank's id of the question it belongs to; empty for none.
    """

    id: str
    speaker: Speaker
    text: str
    start: float
    end: float
    words: tuple[SpokenWord, ...] = ()
    round: int = 0
    question_id: str = ""
    typed: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an interview could not be held to its end.

    Attributes:
        code: The gRPC status code.
        reason: A stable word for programs.
        message: For people; never what somebody said.
    """

    code: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Interview:
    """An interview as the store keeps it.

    Attributes:
        user: Whose it is.
        plan: The bank's ids of the questions to ask, one a round.
        asked: The settings it was created with; `settings` follow the candidate's patience.
        key: The key its creation was named by, if it was.
        voice: The interviewer's voice; None leaves it to the synthesiser.
        round: From 1; 0 before the first.
        overall_score: The report's, 0 to 100.
        epoch: Names its run of events, in resume tokens.
    """

    id: str
    user: str
    settings: InterviewSettings
    plan: tuple[str, ...]
    created: datetime
    state: State = State.READY
    phase: Phase = Phase.UNSPECIFIED
    round: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    turns: tuple[Turn, ...] = ()
    asked: InterviewSettings | None = None
    key: str | None = None
    voice: str | None = None
    overall_score: float | None = None
    failure: Failure | None = None
    epoch: bytes = field(default_factory=new_epoch)

    @property
    def unbegun(self) -> bool:
        """Whether nobody ever joined it."""
        return self.started is None and self.state in UNBEGUN
