"""A wall clock that jumps ahead deletes no interview."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
import pytest_asyncio

from services.interview.housekeeping import Housekeeping
from services.interview.questions.bank import Bank
from services.interview.store.memory import MemoryStore
from tests.interview.orchestrators import orchestrator
from tests.interview.test_store_contract import interview


@dataclass
class WallClock:
    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **how: float) -> None:
        self.moment += timedelta(**how)


@dataclass
class Kept:
    """An interview that may be as old as a year, and has been swept past once."""

    clock: WallClock
    keeping: Housekeeping
    store: MemoryStore
    interview_id: str

    async def is_there(self) -> bool:
        """Whether it still is after a sweep."""
        await self.keeping.delete_old()
        return await self.store.holds(self.interview_id)


@pytest_asyncio.fixture
async def kept(bank: Bank, tmp_path: Path) -> AsyncIterator[Kept]:
    clock, store, made = WallClock(), MemoryStore(10), interview()
    async with orchestrator(store, bank, tmp_path, retention_days=365, clock=clock) as running:
        await store.save(made)
        one = Kept(clock, running.keeping, store, made.id)
        assert await one.is_there()
        yield one


async def test_a_clock_that_jumps_ahead_deletes_nothing_and_is_told_once(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    before = kept.clock.moment
    kept.clock.advance(days=400)
    for _ in range(24):
        assert await kept.is_there()
        kept.clock.advance(minutes=59)
    [doubt] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert doubt.getMessage() == "the clock has jumped ahead: nothing is deleted by age"
    assert doubt.__dict__["fields"] == {
        "clock": (before + timedelta(days=400)).isoformat(),
        "last_sweep": before.isoformat(),
        "believed_from": (before + timedelta(days=401)).isoformat(),
    }


async def test_a_clock_that_is_right_again_is_believed_and_the_wrong_one_is_not(kept: Kept) -> None:
    kept.clock.advance(days=400)
    assert await kept.is_there()
    kept.clock.advance(days=-399)
    assert await kept.is_there()
    kept.clock.advance(days=400)
    assert await kept.is_there()


async def test_a_machine_that_was_off_deletes_a_day_later(kept: Kept) -> None:
    for _ in range(350):
        kept.clock.advance(days=1)
        assert await kept.is_there()
    kept.clock.advance(days=30)
    for _ in range(24):
        assert await kept.is_there()
        kept.clock.advance(hours=1)
    assert not await kept.is_there()


async def test_a_jump_while_the_machine_was_off_for_days_deletes_nothing(kept: Kept) -> None:
    for days in (3, 400, 1, 1):
        kept.clock.advance(days=days)
        assert await kept.is_there()


async def test_what_is_made_while_the_clock_is_behind_is_kept_when_it_is_right(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = datetime.now(UTC) - timedelta(days=1800)
    kept.clock.moment = behind
    assert await kept.is_there()
    monkeypatch.setattr("services.interview.store.memory.datetime", _Behind)
    await kept.store.save(made := interview())
    monkeypatch.undo()
    kept.clock.moment = datetime.now(UTC)
    assert await kept.is_there()
    assert await kept.store.holds(made.id)


async def test_what_is_made_on_the_third_day_of_a_clock_that_is_behind_is_kept_too(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    right = kept.clock.moment
    kept.clock.advance(days=-1800)
    for _ in range(60):
        kept.clock.advance(hours=1)
        assert await kept.is_there()
    monkeypatch.setattr("services.interview.store.memory.datetime", _Behind)
    await kept.store.save(made := interview())
    monkeypatch.undo()
    kept.clock.moment = right + timedelta(days=3)
    for _ in range(60):
        assert await kept.is_there()
        kept.clock.advance(hours=1)
    assert await kept.store.holds(made.id)
    behind, ahead = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert behind.startswith("the clock is behind the last sweep")
    assert ahead.startswith("the clock has jumped ahead")


class _Behind(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) - timedelta(days=1800)
