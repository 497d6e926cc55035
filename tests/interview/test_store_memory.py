"""The store in memory makes room for what is newer."""

from __future__ import annotations

from datetime import UTC, datetime

from services.interview.record import Interview, InterviewSettings, State
from services.interview.store.memory import MemoryStore


def interview(name: str, state: State = State.READY) -> Interview:
    return Interview(name, "ann", InterviewSettings(), ("q",), datetime.now(UTC), state)


async def kept(store: MemoryStore) -> list[str]:
    return [found.interview.id for found in await store.page("ann", 100, None)][::-1]


async def test_what_is_finished_goes_first_then_what_never_began() -> None:
    store = MemoryStore(3)
    await store.save(interview("unbegun"))
    await store.save(interview("live", State.LIVE))
    await store.save(interview("finished", State.COMPLETED))
    await store.save(interview("a"))
    assert await kept(store) == ["unbegun", "live", "a"]
    await store.save(interview("b"))
    assert await kept(store) == ["live", "a", "b"]


async def test_what_goes_on_is_kept_whatever_comes() -> None:
    store = MemoryStore(1)
    for name in "abc":
        await store.save(interview(name, State.LIVE))
    assert await kept(store) == ["a", "b", "c"]


async def test_interviews_that_are_only_created_do_not_pile_up() -> None:
    store = MemoryStore(2)
    for number in range(10):
        await store.save(interview(str(number)))
    assert await kept(store) == ["8", "9"]
