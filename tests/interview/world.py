"""A world around the pure engine: servers, a client, a candidate and a clock, all under control."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from services.interview.clients.seams import PlacedWord, SpeechPiece
from services.interview.conversation import actions as a
from services.interview.conversation import events as e
from services.interview.conversation.engine import step
from services.interview.conversation.pace import Pace
from services.interview.conversation.playback import Heard
from services.interview.conversation.script import Script
from services.interview.conversation.state import (
    Line,
    OrderKind,
    SessionState,
    Timer,
)
from services.interview.events import (
    LASTING,
    AudioFormat,
    CandidateTurn,
    Encoding,
    Event,
    InterviewerAudio,
    StateChanged,
    UtteranceEnded,
    UtteranceStarted,
)
from services.interview.interviewer.assessing import Assessment
from services.interview.record import Interview, InterviewSettings, Patience, State, Turn
from services.interview.reports.report import Basis, Report
from tests.interview.stage import WORD_SECONDS, question

PCM = AudioFormat(Encoding.PCM_S16LE, 16000)
GOOD = Assessment((), ("a point",), 0.5, declined=False, words=12)


def report() -> Report:
    return Report(
        interview_id="interview",
        overall_score=None,
        dimensions=(),
        questions=(),
        strengths=(),
        weaknesses=(),
        suggestions=(),
        basis=Basis.RUBRIC_LEXICAL,
        summary="",
        duration=0.0,
    )


def pieces(line: Line) -> list[SpeechPiece]:
    """The sound of a line, a word a piece."""
    made, place, clock = [], 0, 0.0
    for word in line.text.split():
        place = line.text.index(word, place) + len(word)
        mark = PlacedWord(word, place, clock, clock + WORD_SECONDS)
        made.append(SpeechPiece(b"\0\0", clock, WORD_SECONDS, PCM, (mark,)))
        clock += WORD_SECONDS
    return made


@dataclass
class Delivery:
    """An utterance whose sound is being made."""

    id: str
    line: Line
    left: list[SpeechPiece]


Written = tuple[SessionState, dict[str, Turn]]
"""What a commit writes: the session, and the turns of the record."""


@dataclass
class World:
    """What the engine wants is remembered here, and done when a test says so."""

    rounds: int = 2
    follow_ups: int = 1
    pace: Pace = field(default_factory=Pace)
    now: float = 0.0
    told: list[Event] = field(default_factory=list)
    kept: dict[str, Turn] = field(default_factory=dict)
    timers: dict[Timer, tuple[int, float]] = field(default_factory=dict)
    asked: list[a.Ask] = field(default_factory=list)
    assessing: list[int] = field(default_factory=list)
    composing: list[int] = field(default_factory=list)
    delivery: Delivery | None = None
    lines: dict[str, Line] = field(default_factory=dict)
    sent: dict[str, float] = field(default_factory=dict)
    hushed: set[str] = field(default_factory=set)
    commits: list[int] = field(default_factory=list)
    stored: int = 0
    probes: set[str] = field(default_factory=set)
    reviewing: bool = False
    finalized: int = 0
    obeyed: list[int] = field(default_factory=list)
    ordered: list[int] = field(default_factory=list)
    orders: int = 0
    writing: dict[int, Written] = field(default_factory=dict)
    durable: Written | None = None
    """What the store has, and what the commits that are under way will make of it."""

    def __post_init__(self) -> None:
        settings = InterviewSettings(rounds=self.rounds, follow_ups=self.follow_ups)
        plan = tuple(f"q{n}" for n in range(1, self.rounds + 1))
        interview = Interview("interview", "somebody", settings, plan, datetime.now(UTC))
        found = [question(n) for n in range(1, self.rounds + 1)]
        self.script = Script.of(interview, found, self.pace)
        self.state = SessionState(Patience.NORMAL)

    def happen(self, event: e.Happening) -> None:
        """Something happens; what is wanted then is remembered."""
        before = self.state
        self.state, wanted = step(self.script, self.state, event, self.now)
        for action in wanted:
            self._want(action, before)

    def _want(self, action: a.Action, before: SessionState) -> None:
        match action:
            case a.Tell():
                self._tell(action.event, before)
            case a.Keep():
                self.kept[action.turn.id] = action.turn
            case a.Ask():
                self.script = self.script.with_question(action.round, action.question_id)
                self.asked.append(action)
            case a.Commit():
                self.commits.append(action.number)
                self.writing[action.number] = self.state, dict(self.kept)
            case a.Obey():
                self.obeyed.append(action.number)
            case a.StartTimer():
                self.timers[action.timer] = action.number, self.now + action.seconds
            case a.CancelTimer():
                self.timers.pop(action.timer, None)
            case a.Speak():
                self.delivery = Delivery(action.utterance_id, action.line, pieces(action.line))
                self.lines[action.utterance_id] = action.line
            case a.Hush():
                self.hushed.add(action.utterance_id)
                if self.delivery is not None and self.delivery.id == action.utterance_id:
                    self.delivery = None
            case _:
                self._want_more(action)

    def _want_more(self, action: a.Action) -> None:
        match action:
            case a.Assess():
                self.assessing.append(action.number)
            case a.Compose():
                self.composing.append(action.number)
            case a.Discard():
                self.assessing = [n for n in self.assessing if n != action.number]
                self.composing = [n for n in self.composing if n != action.number]
            case a.Probe():
                self.probes.add(action.service)
            case a.Review():
                self.reviewing = True
            case a.Finalize():
                self.finalized += 1
            case _:
                pass

    def _tell(self, event: Event, before: SessionState) -> None:
        self.told.append(event)
        if isinstance(event, LASTING):
            waiting = [kept.commit for kept in before.untold if kept.event == event]
            assert waiting, f"told without waiting for a commit: {event}"
            assert min(waiting) <= self.stored, f"told before it was stored: {event}"
        if isinstance(event, InterviewerAudio):
            assert event.utterance_id not in self.hushed, "sound of a line that was stopped"
            self.sent[event.utterance_id] = event.offset + WORD_SECONDS
        if isinstance(event, UtteranceEnded):
            self._check_heard(event)

    def _check_heard(self, event: UtteranceEnded) -> None:
        line = self.lines.get(event.utterance_id)
        if line is None:
            return
        assert line.text.startswith(event.turn.text), "heard what was never made"
        if event.utterance_id in self.sent and event.interrupted:
            spoken = round(self.sent[event.utterance_id] / WORD_SECONDS)
            assert len(event.turn.text.split()) <= spoken, "heard what was never sent"

    # Time.

    def pass_time(self, seconds: float) -> None:
        """Time goes by, and timers fire in their order."""
        until = self.now + seconds
        while True:
            due = sorted((when, timer, n) for timer, (n, when) in self.timers.items())
            if not due or due[0][0] > until:
                break
            when, timer, number = due[0]
            del self.timers[timer]
            self.now = max(self.now, when)
            self.happen(e.Fired(timer, number))
        self.now = until

    # The servers.

    def store(self) -> None:
        """The newest commit is done."""
        if self.commits:
            self._stored(self.commits[-1])

    def store_first(self) -> None:
        """A commit is done, and what has come meanwhile is not in it."""
        if self.commits:
            self._stored(self.commits[0])

    def _stored(self, number: int) -> None:
        self.stored, self.durable = number, self.writing[number]
        self.commits = [later for later in self.commits if later > number]
        self.happen(e.Committed(number))

    def fail_to_store(self) -> None:
        if self.commits:
            self.commits.clear()
            self.happen(e.CommitFailed("STORE_LOST"))

    def think(self, text: str | None = None) -> None:
        """Everything that is being thought about is known."""
        while self.assessing:
            self.happen(e.Assessed(self.assessing.pop(0), GOOD))
        while self.composing:
            self.happen(e.Composed(self.composing.pop(0), text, self.now))

    def speak(self, count: int = 1000) -> None:
        """So many pieces of the line that is being said are made."""
        for _ in range(count):
            if self.delivery is None:
                return
            name, left = self.delivery.id, self.delivery.left
            if not left:
                self.delivery = None
                self.happen(e.SpeechMade(name))
                return
            self.happen(e.PieceMade(name, left.pop(0)))

    def play(self, position: float = 1e6, *, finished: bool = True) -> None:
        """The client has played what is being said."""
        floor = self.state.floor
        if floor is not None and floor.started is not None:
            self.happen(e.Played(floor.id, Heard(position, self.now, finished)))

    def review(self) -> None:
        if self.reviewing:
            self.reviewing = False
            self.happen(e.Reviewed(report()))

    def recover(self) -> None:
        """Every server works again."""
        for service in list(self.state.failing):
            if service in self.probes or service == "asr":
                self.probes.discard(service)
                self.happen(e.Worked(service))  # type: ignore[arg-type]

    def settle(self) -> None:
        """The servers do all they are asked, at once."""
        for _ in range(100):
            busy = self.commits or self.assessing or self.composing or self.reviewing
            if not busy and self.delivery is None:
                return
            self.store()
            self.think()
            self.speak()
            self.review()

    def gone_on_with(self) -> World:
        """The session in another process, as it is written; nobody has joined it yet."""
        return self._gone_on_with((self.state, self.kept))

    def gone_on_with_what_is_stored(self) -> World:
        """`gone_on_with` where this process had no time to store anything more."""
        assert self.durable is not None
        return self._gone_on_with(self.durable)

    def _gone_on_with(self, written: Written) -> World:
        state, kept = written
        read = SessionState.from_json(state.to_json())
        assert read == state
        died = read.state is State.LIVE
        if died:  # by the lease that the other one takes
            read = replace(read, state=State.PAUSED)
        other = World(self.rounds, self.follow_ups, self.pace, self.now)
        other.state, other.script = read, self.script
        other.kept, other.stored, other.orders = dict(kept), self.stored, self.orders
        other.durable = written
        other.happen(e.Restored(died=died))
        return other

    def unended(self) -> set[str]:
        """The lines that were begun, and neither ended nor are still said."""
        begun = {event.utterance_id for event in self.told if isinstance(event, UtteranceStarted)}
        told = [*self.told, *(untold.event for untold in self.state.untold)]
        ended = {event.utterance_id for event in told if isinstance(event, UtteranceEnded)}
        floor = self.state.floor
        return begun - ended - ({floor.id} if floor is not None else set())

    def order(self, kind: OrderKind) -> int:
        self.orders += 1
        self.ordered.append(self.orders)
        self.happen(e.Ordered(kind, self.orders))
        return self.orders

    # What came of it.

    def turns(self) -> list[str]:
        return [turn.text for turn in self.kept.values() if turn.speaker == 2]

    def started(self) -> list[UtteranceStarted]:
        return [event for event in self.told if isinstance(event, UtteranceStarted)]

    def states(self) -> list[StateChanged]:
        return [event for event in self.told if isinstance(event, StateChanged)]

    def candidate_turns(self) -> list[CandidateTurn]:
        return [event for event in self.told if isinstance(event, CandidateTurn)]
