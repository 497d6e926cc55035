"""What a session is, at any moment: immutable, and written and read as JSON.

Times are seconds on the interview's clock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum

from services.interview.clients.seams import PlacedWord
from services.interview.conversation.coding import decoded, encoded
from services.interview.conversation.playback import Playback
from services.interview.conversation.progress import OPENING, Step
from services.interview.endpointing.deciding import SpeakerPace
from services.interview.events import AudioFormat, LastingEvent, TurnTimings
from services.interview.record import Patience, Phase, SpokenWord, State, Turn

VERSION = 1
MOST_GAPS = 64
"""Of what a client has left out in its numbering. One that counts leaves out what was refused."""


class UnknownVersionError(Exception):
    """A session was written by a version of this program that writes them in another way."""


class Timer(StrEnum):
    """What time is kept of; one of each at most."""

    SUSPICION = "suspicion"
    LOSS = "loss"
    FINAL = "final"
    LOOK_AGAIN = "look_again"
    HOLD = "hold"
    REPLY = "reply"
    SOUND = "sound"
    QUIET = "quiet"
    ORDERS = "orders"
    STORE = "store"
    WATCHDOG = "watchdog"


class Kind(StrEnum):
    """What a line is to the course of the interview."""

    CONTENT = "content"
    """It brings the interview to its step."""
    AGAIN = "again"
    """It says the step's question once more."""
    ASIDE = "aside"
    """It commits to nothing: "Okay.", "Take your time."."""


class OrderKind(StrEnum):
    """What may be ordered from outside the conversation."""

    PAUSE = "pause"
    RESUME = "resume"
    END = "end"
    HAND_ON = "hand_on"


@dataclass(frozen=True, slots=True)
class Line:
    """What the interviewer is to say.

    Attributes:
        content: Where in the text the question begins; before it stands courtesy.
        answered: Whether an aside is answered all the same: "Shall we skip this question?".
    """

    step: Step
    text: str
    kind: Kind = Kind.CONTENT
    content: int = 0
    question_id: str = ""
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Utterance:
    """A line being said.

    Attributes:
        wanted: When it was to begin.
        started: When the client was told of it; None until there is something to tell.
        format: Of its audio; None for text alone.
        words: Of the audio so far.
        complete: Whether all of its audio was sent.
        broken: Whether the rest of its audio could not be made.
        suspended: Whether playback waits to see if the candidate interrupts.
    """

    id: str
    line: Line
    wanted: float
    timings: TurnTimings | None = None
    started: float | None = None
    format: AudioFormat | None = None
    playback: Playback = field(default_factory=Playback)
    words: tuple[PlacedWord, ...] = ()
    complete: bool = False
    broken: bool = False
    suspended: bool = False

    @property
    def interruptible(self) -> bool:
        """Whether words over it may interrupt it: it sounds, and is more than an aside."""
        return self.started is not None and self.line.kind is not Kind.ASIDE


@dataclass(frozen=True, slots=True)
class Silence:
    """A pause in the running speech.

    Attributes:
        since: When it began, as the recogniser's silence tells it.
        end: Where on the clock the speech before it ended.
        sound: The probability by sound that the turn is complete, if known.
        aside: Whether the interviewer has said something in it.
    """

    since: float
    end: float
    sound: float | None = None
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Speech:
    """The candidate's running stretch of speech, or the last one.

    Attributes:
        number: Counts the stretches.
        under_way: Whether it has begun, and its final text has not come.
        worded: Whether words were heard in it by a stream that still works.
        text, words, start, end: It as understood so far.
        eager_at: When it had probably ended.
        silence: The pause it is in, if it is.
        finalizing: Whether its end was asked for.
        overdue: Whether its final text is waited for no longer.
        lost: Whether its stream broke.
    """

    number: int = 0
    under_way: bool = False
    worded: bool = False
    text: str = ""
    words: tuple[SpokenWord, ...] = ()
    start: float = 0.0
    end: float = 0.0
    eager_at: float | None = None
    silence: Silence | None = None
    finalizing: bool = False
    overdue: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The turns that answer a step.

    Attributes:
        turns: Those that were told.
        reopened: Whether the last of them was taken back: it goes on.
        held: A turn that is not told yet, because the candidate holds it open.
    """

    turns: tuple[Turn, ...] = ()
    reopened: bool = False
    held: Turn | None = None

    @property
    def unfinished(self) -> bool:
        """Whether something was said that is not told yet, or was taken back."""
        return self.reopened or self.held is not None

    @property
    def last(self) -> Turn | None:
        """The newest turn, told or not."""
        return self.held or (self.turns[-1] if self.turns else None)

    def whole(self, more: str = "") -> str:
        """All that was answered, and `more`."""
        told = self.turns[:-1] if self.reopened and self.held else self.turns
        parts = [turn.text for turn in told]
        parts += [self.held.text] if self.held else []
        return " ".join(part for part in (*parts, more.strip()) if part)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the interview stands: what was asked last, and what was answered to it.

    Attributes:
        line: The line that brought it here.
        shown: When that line began, with all of its text; None where an older version came here.
        asked: Whether the question's content was heard.
        repeat: Whether it is to be said once more all the same.
        rephrased: Whether it was asked in other words.
        wondered: Whether the candidate was asked if what they said was the answer.
        said: The interviewer's questions so far, this one included.
        levels: How well each round before was answered, 0 to 1.
        level: How well this one was, so far.
    """

    step: Step = OPENING
    line: Line | None = None
    shown: float | None = None
    answer: Answer = Answer()
    asked: bool = False
    repeat: bool = False
    rephrased: bool = False
    wondered: bool = False
    said: tuple[str, ...] = ()
    levels: tuple[float, ...] = ()
    level: float | None = None


@dataclass(frozen=True, slots=True)
class TurnClock:
    """When the parts of the candidate's turn came."""

    turn_id: str
    speech_end: float
    eager: float | None
    decided: float
    final: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said next, while it is prepared.

    Attributes:
        answer: The answer it replies to, whole.
        eager: Whether it was begun before the end of turn was certain.
        composing: Whether a model writes it.
        released: Set once the candidate's turn is over and it may be said.
    """

    number: int
    answer: str
    eager: bool
    composing: bool = False
    line: Line | None = None
    first_token: float | None = None
    first_phrase: float | None = None
    released: TurnClock | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A follow-up to an answer that was not over."""

    number: int
    step: Step
    answer: str
    text: str | None = None
    first_token: float | None = None
    working: bool = True


@dataclass(frozen=True, slots=True)
class Hold:
    """The turn is held open until then at most; `spoke`: the candidate has made a sound since."""

    until: float
    spoke: bool = False


@dataclass(frozen=True, slots=True)
class Salvage:
    """Speech taken as far as it was understood, its stream gone; it may be heard once more.

    Attributes:
        turn_id: The turn it became part of.
        before: That turn without it.
        start, until: Where on the clock it began and ended.
    """

    turn_id: str
    before: Turn | None
    start: float
    until: float


@dataclass(frozen=True, slots=True)
class Order:
    """An order that is not carried out yet."""

    kind: OrderKind
    number: int


@dataclass(frozen=True, slots=True)
class Call:
    """A Speak call whose messages were lived through, by its client's name and number."""

    client: str | None
    number: int


@dataclass(frozen=True, slots=True)
class Said:
    """Which of a client's numbered messages were lived through.

    Attributes:
        client: Its name.
        number: The greatest of them.
        passed: The numbers below it that none of them had, as first and last of each gap, in
            order. Of more than `MOST_GAPS` the lowest two are taken for one: what lay between them
            counts as passed, rather than what was passed as lived through.
    """

    client: str
    number: int = 0
    passed: tuple[tuple[int, int], ...] = ()

    def has(self, number: int) -> bool:
        """Whether the message of this number was lived through."""
        if number > self.number:
            return False
        return not any(first <= number <= last for first, last in self.passed)

    def behind(self, number: int) -> Said:
        """The same when a message of a greater number was lived through, too."""
        gaps = self.passed
        if number > self.number + 1:
            gaps = (*gaps, (self.number + 1, number - 1))
        if len(gaps) > MOST_GAPS:
            (first, _), (_, last), *rest = gaps
            gaps = ((first, last), *rest)
        return Said(self.client, number, gaps)


@dataclass(frozen=True, slots=True)
class Running:
    """A timer that runs."""

    timer: Timer
    number: int
    due: float


@dataclass(frozen=True, slots=True)
class Untold:
    """An event that is told when the commit of this number is done."""

    commit: int
    event: LastingEvent


@dataclass(frozen=True, slots=True)
class Obeyed:
    """An order that is reported as carried out when the commit of this number is done."""

    commit: int
    order: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A line to be made ready; `ahead` says that nobody waits for it yet."""

    text: str
    phase: Phase
    ahead: bool = True


@dataclass(frozen=True, slots=True)
class SessionState:
    """One session.

    Attributes:
        patience: How long a pause is borne.
        before: Where the interview stands again if nobody heard the last question.
        answered: Whether any question was answered.
        quiet: How often a silent candidate was asked already.
        offered: Whether the candidate was offered to skip the question.
        ending: Whether the candidate was asked if the interview shall end.
        pressed: Whether they were asked the one or the other a second time.
        doubted: What they were asked about, if it was their answer, as the turn it would be.
        skipping: Whether they want the next question as soon as a pause is over.
        superseded: The last typed turn: speech that began before it belongs before it.
        failing: The services that fail now.
        counter: Numbers whatever needs a number.
        commit: The number of the newest commit; `committed` of the newest that is done.
        storing: False while the store fails.
        active_at: When something happened last.
        epoch, told: Of the journal, which the driver keeps here: its run of numbers, and the last.
        calls: The newest Speak calls: one that comes again changes nothing.
        said: Which of the newest clients' numbered messages are lived through: each is, once.
        client: The name of who sits, or sat last.
        sent_away: The names of those that were sent away, the newest.
        handed_on: Whether it is left to another process, as it is: here nothing happens any more.
        heard_until, heard_at: Up to where the candidate's audio is not needed again by who has
            this state, in seconds of it, and where on the clock that is.
    """

    patience: Patience
    state: State = State.READY
    place: Place = Place()
    before: Place | None = None
    answered: bool = False
    speech: Speech = Speech()
    salvage: Salvage | None = None
    superseded: Turn | None = None
    floor: Utterance | None = None
    reply: Reply | None = None
    draft: Draft | None = None
    hold: Hold | None = None
    pace: SpeakerPace = field(default_factory=SpeakerPace)
    orders: tuple[Order, ...] = ()
    present: bool = False
    speaks: bool = False
    output: AudioFormat | None = None
    quiet: int = 0
    offered: bool = False
    ending: bool = False
    pressed: bool = False
    doubted: Turn | None = None
    skipping: bool = False
    failing: tuple[str, ...] = ()
    counter: int = 0
    commit: int = 0
    committed: int = 0
    storing: bool = True
    store_attempts: int = 0
    untold: tuple[Untold, ...] = ()
    obeyed: tuple[Obeyed, ...] = ()
    prepared: tuple[Prepared, ...] = ()
    timers: tuple[Running, ...] = ()
    active_at: float = 0.0
    finished: bool = False
    epoch: bytes = b""
    told: int = 0
    calls: tuple[Call, ...] = ()
    said: tuple[Said, ...] = ()
    client: str | None = None
    sent_away: tuple[str, ...] = ()
    handed_on: bool = False
    heard_until: float = 0.0
    heard_at: float = 0.0

    @property
    def idle(self) -> bool:
        """Whether nobody speaks, or holds the turn."""
        return self.floor is None and not self.speech.under_way and self.hold is None

    @property
    def voiced(self) -> bool:
        """Whether the interviewer is heard; without a voice, or ears for it, there is only text."""
        return self.output is not None and "tts" not in self.failing

    def to_json(self) -> bytes:
        """The state as JSON, with the version of its form."""
        document = {"version": VERSION, "session": encoded(self)}
        return json.dumps(document, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, document: bytes) -> SessionState:
        """The state that `to_json` has written.

        Raises:
            UnknownVersionError: Another version has written it.
        """
        read = json.loads(document)
        if read.get("version") != VERSION:
            raise UnknownVersionError(
                f"the session is of version {read.get('version')!r}; this program reads {VERSION}"
            )
        return decoded(cls, read["session"])

    def running(self, timer: Timer) -> Running | None:
        """The timer, if it runs."""
        return next((kept for kept in self.timers if kept.timer is timer), None)
