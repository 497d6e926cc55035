"""Keeping the record: the interview's newest state in the store, its events in the journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from services.interview.conversation.clock import InterviewClock
from services.interview.conversation.journal import Journal
from services.interview.conversation.progress import Step
from services.interview.events import Entry, Event, StateChanged
from services.interview.record import Failure, Interview, Patience, State, Turn, may_become
from services.interview.reports.report import Report
from services.interview.store.codec import LASTING
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
        self._lease = lease
        # Events that last and are not kept yet.
        self._unsaved: list[Entry] = []
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

    async def move(self, state: State, step: Step, failure: Failure | None = None) -> None:
        """Changes where the interview stands, and says so."""
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
        self.emit(StateChanged(state, step.phase, step.asked_round))
        await self._save()

    async def add(self, turn: Turn) -> None:
        """Adds a turn to the record."""
        self._interview = replace(self._interview, turns=(*self._interview.turns, turn))
        await self._save()

    async def revise(self, turn: Turn) -> None:
        """Puts a turn in the place of the one with its id."""
        turns = tuple(turn if kept.id == turn.id else kept for kept in self._interview.turns)
        self._interview = replace(self._interview, turns=turns)
        await self._save()

    async def set_patience(self, patience: Patience) -> None:
        """Keeps how long a pause the interviewer bears from here on."""
        settings = replace(self._interview.settings, patience=patience)
        self._interview = replace(self._interview, settings=settings)
        await self._save()

    async def keep(self, report: Report) -> None:
        """Adds the report."""
        self._interview = replace(self._interview, overall_score=report.overall_score)
        await self._store.save_report(self._interview.user, report)

    async def settle(self) -> None:
        """Keeps what was told since the last change."""
        if self._unsaved:
            await self._save()

    async def _save(self) -> None:
        if self._lease is None:
            await self._store.save(self._interview)
            return
        events = tuple(self._unsaved)
        await self._store.commit(self._lease, self._interview, b"", events)
        del self._unsaved[: len(events)]
