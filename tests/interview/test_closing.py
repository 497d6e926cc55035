"""A server that ends keeps its interviews until what was said in them is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.interview.conversation import events as m
from services.interview.events import Entry, UtteranceEnded
from services.interview.questions.bank import Bank
from services.interview.record import Interview
from services.interview.reports.report import Report
from services.interview.store.memory import MemoryStore
from services.interview.store.store import Lease
from tests.interview.orchestrators import orchestrator
from tests.interview.stage import PATIENCE

TURNS = 200
"""Of the event loop: more than a server takes to end that waits for nothing."""


class SlowStore(MemoryStore):
    """A store whose disk hangs for a while.

    Attributes:
        done: What was done in it: whether a typed turn was kept, or that a lease was given back.
    """

    def __init__(self) -> None:
        super().__init__(10)
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.done: list[str] = []

    async def commit(
        self,
        lease: Lease,
        interview: Interview,
        session: bytes,
        events: Sequence[Entry],
        report: Report | None = None,
    ) -> None:
        await self.goes_on.wait()
        await super().commit(lease, interview, session, events, report)
        if any(turn.typed for turn in interview.turns):
            self.done.append("kept")

    async def release(self, lease: Lease) -> None:
        self.done.append("given back")
        await super().release(lease)


@pytest.mark.parametrize("handed_on_before", [False, True])
async def test_a_lease_is_given_back_when_what_was_said_is_stored(
    bank: Bank, tmp_path: Path, *, handed_on_before: bool
) -> None:
    store = SlowStore()
    async with orchestrator(store, bank, tmp_path) as running:
        made = await running.wire.create()
        seat = await running.house.join(
            "ann", made.id, source=None, output=None, resume_token=None, client="tab"
        )
        async with asyncio.timeout(PATIENCE):
            async for entry in seat.entries():
                if isinstance(entry.event, UtteranceEnded) and entry.event.turn.question_id:
                    break
            store.goes_on.clear()
            seat.say(m.Typed("I watch the slow queries, and add an index."), None)
            if handed_on_before:
                running.house.leave(seat, stopping=True)
            closing = asyncio.create_task(running.sessions.close())
            for _ in range(TURNS):
                await asyncio.sleep(0)
            assert store.done == []
            store.goes_on.set()
            await closing
    assert "kept" in store.done
    assert store.done.index("given back") > store.done.index("kept")
    turns = await store.turns("ann", made.id, 100, 0)
    assert any(turn.typed for turn in turns)
