"""Keeping the record: the interview's newest state in the store, its events in the journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from services.interview.conversation.clock import InterviewClock
from services.interview.conversation.journal import Journal
from services.interview.conversation.progress import Step
from services.interview.events import Event, StateChanged
from services.interview.record import Interview, State, Turn
from services.interview.reports.report import Report
from services.interview.store.store import Store


class Chronicle:
    """The one place that changes the record of a live interview."""

    def __init__(
        self, interview: Interview, store: Store, clock: InterviewClock, journal: Journal
    ) -> None:
        self.clock = clock
        self.journal = journal
        self._interview = interview
        self._store = store

    @property
    def interview(self) -> Interview:
        """The record as it is now."""
        return replace(self._interview, last_seq=self.journal.last_seq)

    def emit(self, event: Event) -> None:
        """Tells the clients."""
        self.journal.append(event)

    async def move(self, state: State, step: Step) -> None:
        """Changes where the interview stands, and says so."""
        now = datetime.now(UTC)
        before = self._interview
        self._interview = replace(
            before,
            state=state,
            phase=step.phase,
            round=step.round,
            started=before.started or now,
            ended=before.ended or (now if state.over else None),
        )
        self.emit(StateChanged(state, step.phase, step.round))
        await self._store.save(self.interview)

    async def add(self, turn: Turn) -> None:
        """Adds a turn to the record."""
        self._interview = replace(self._interview, turns=(*self._interview.turns, turn))
        await self._store.save(self.interview)

    async def keep(self, report: Report) -> None:
        """Adds the report."""
        await self._store.save_report(self._interview.user, report)
