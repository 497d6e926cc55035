"""Keeping the record: the interview's newest state in the store, its events in the journal."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter

from services.interview.conversation.clock import InterviewClock
from services.interview.conversation.journal import Journal
from services.interview.conversation.progress import Step
from services.interview.events import LASTING, Entry, Event
from services.interview.record import Failure, Interview, Patience, State, Turn, may_become
from services.interview.reports.report import Report
from services.interview.store.store import Lease, Previous, Store


class Chronicle:
    """The one place that changes the record of a live interview."""

    def __init__(
        self,
        interview: Interview,
        store: Store,
        clock: InterviewClock,
        journal: Journal,
        lease: Lease | None = None,
        previous: Previous | None = None,
    ) -> None:
        self.clock = clock
        self.journal = journal
        self.previous = previous
        """What the candidate finished last before this; None for nothing."""
        self.lease = lease or Lease(interview.id, "", 0)
        # Events that last, were told, and are not kept yet with the numbers they were told by.
        self._unsaved: list[Entry] = []
        self._session = b""
        self._report: Report | None = None
        self._interview = interview
        self._store = store

    @property
    def interview(self) -> Interview:
        """The record as it is now."""
        return self._interview

    def emit(self, event: Event) -> None:
        """Tells the clients."""
        entry = self.journal.append(event)
        if isinstance(event, LASTING):
            self._unsaved.append(entry)

    def move(self, state: State, step: Step, failure: Failure | None = None) -> None:
        """Changes where the interview stands."""
        now = datetime.now(UTC)
        before = self._interview
        if not may_become(before.state, state):
            raise ValueError(f"an interview that is {before.state.name} cannot be {state.name}")
        self._interview = replace(
            before,
            state=state,
            phase=step.phase,
            round=step.round,
            started=before.started or now,
            ended=before.ended or (now if state.over else None),
            failure=failure,
        )

    def keep_turn(self, turn: Turn) -> None:
        """Adds a turn, in the order of their beginnings, or changes the one with its id."""
        others = [kept for kept in self._interview.turns if kept.id != turn.id]
        place = bisect_right(others, turn.start, key=attrgetter("start"))
        turns = (*others[:place], turn, *others[place:])
        self._interview = replace(self._interview, turns=turns)

    def plan(self, round_number: int, question_id: str) -> None:
        """Another question is asked in a round than was planned."""
        plan = list(self._interview.plan)
        plan[round_number - 1] = question_id
        self._interview = replace(self._interview, plan=tuple(plan))

    def set_patience(self, patience: Patience) -> None:
        """Keeps how long a pause the interviewer bears from here on."""
        settings = replace(self._interview.settings, patience=patience)
        self._interview = replace(self._interview, settings=settings)

    def keep(self, report: Report) -> None:
        """Adds the report: the next commit stores it, if the interview is still this process's."""
        self._interview = replace(self._interview, overall_score=report.overall_score)
        self._report = report

    async def commit(self, session: bytes) -> None:
        """Stores the record as it is now and the session that goes with it, all or nothing.

        Raises:
            LeaseLost: Another orchestrator drives the interview.
            StoreFailed: It could not be stored.
        """
        events = tuple(self._unsaved)
        self._session = session
        report = self._report
        await self._store.commit(self.lease, self._interview, session, events, report)
        if self._report is report:
            self._report = None
        del self._unsaved[: len(events)]

    async def settle(self) -> None:
        """Keeps what was told since the last commit."""
        if self._unsaved:
            await self.commit(self._session)
