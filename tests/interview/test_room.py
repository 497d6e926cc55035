"""A full server: who is absent makes room for who comes, and comes back later; nobody else does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from services.interview.conversation.attendance import Seat
from services.interview.questions.bank import Bank
from services.interview.record import LOCAL_USER, InterviewSettings, State
from services.interview.room import FULL_RETRY_SECONDS, GAP_SECONDS, Room, TooManyOpen
from services.interview.sessions import Limits
from services.runtime.errors import Overloaded, ServiceError
from tests.interview.orchestrators import Orchestrator, orchestrator
from tests.interview.stage import PATIENCE, FailingStore

# Which interview has to leave.


@dataclass(frozen=True)
class Held:
    user: str
    absent_since: float | None = None
    answered: bool = False


def leaver(room: Room, held: list[Held], user: str = "new", now: float = 100.0) -> Held | None:
    with room.coming(user):
        return room.leaver(held, user, now)


def test_nobody_leaves_while_there_is_room() -> None:
    assert leaver(Room(2, 2), [Held("ann", absent_since=0.0)]) is None


def test_who_was_left_longest_ago_leaves_first() -> None:
    held = [Held("ann", 5.0), Held("bob", 0.0), Held("carol")]
    assert leaver(Room(3, 3), held) == Held("bob", 0.0)


def test_nobody_leaves_who_is_there() -> None:
    with pytest.raises(Overloaded) as refused:
        leaver(Room(2, 2), [Held("ann"), Held("bob")])
    assert refused.value.retry_after == FULL_RETRY_SECONDS


def test_whoever_answered_and_is_gone_for_a_moment_keeps_the_place() -> None:
    held = [Held("ann"), Held("bob", absent_since=97.0, answered=True)]
    with pytest.raises(Overloaded) as refused:
        leaver(Room(2, 2), held)
    assert refused.value.retry_after == GAP_SECONDS - 3.0
    assert leaver(Room(2, 2), held, now=97.0 + GAP_SECONDS) == held[1]


def test_ones_own_leave_before_others() -> None:
    held = [Held("bob", 0.0), Held("ann", 99.0, answered=True)]
    assert leaver(Room(2, 2), held, "ann") == held[1]


def test_one_user_has_only_so_many() -> None:
    room = Room(10, 2)
    assert leaver(room, [Held("ann"), Held("ann")]) is None
    assert leaver(room, [Held("ann"), Held("ann", 1.0)], "ann") == Held("ann", 1.0)
    with pytest.raises(TooManyOpen, match="you are in 2 interviews"):
        leaver(room, [Held("ann"), Held("ann"), Held("bob", 0.0)], "ann")


def test_without_accounts_everybody_may_have_all() -> None:
    assert leaver(Room(3, 2), [Held(LOCAL_USER), Held(LOCAL_USER)], LOCAL_USER) is None


def test_what_is_being_opened_takes_a_place() -> None:
    room = Room(2, 1)
    with room.coming("ann"):
        with pytest.raises(Overloaded):
            leaver(room, [], "ann")
        with pytest.raises(Overloaded):
            leaver(room, [Held("bob")])
        assert leaver(room, []) is None


# A server.


@pytest.fixture
def store() -> FailingStore:
    return FailingStore()


@pytest_asyncio.fixture
async def full(store: FailingStore, bank: Bank, tmp_path: Path) -> AsyncIterator[Orchestrator]:
    """An orchestrator that holds two interviews, once they are joined."""
    limits = Limits(conversations=2, conversations_a_user=2)
    async with orchestrator(store, bank, tmp_path, limits=limits) as running:
        yield running


async def created(running: Orchestrator, user: str) -> str:
    made = await running.house.create(user, InterviewSettings(rounds=1, follow_ups=0))
    return made.interview.id


async def joined(running: Orchestrator, user: str, name: str) -> Seat:
    async with asyncio.timeout(PATIENCE):
        return await running.house.join(user, name, source=None, output=None, resume_token=None)


async def arrives(running: Orchestrator, user: str) -> Seat:
    return await joined(running, user, await created(running, user))


def interview_of(seat: Seat) -> str:
    return seat.conversation.chronicle.interview.id


def is_there(running: Orchestrator, seat: Seat) -> bool:
    held = running.sessions.here(interview_of(seat))
    return held is not None and held.attendance.seat is seat and not held.leaving


async def test_guests_who_are_gone_hold_no_places(full: Orchestrator) -> None:
    gone = [await arrives(full, f"guest-{n}") for n in range(2)]
    for seat in gone:
        full.house.leave(seat)
    there = [await arrives(full, user) for user in ("bob", "carol")]
    assert all(is_there(full, seat) for seat in there)
    assert not any(is_there(full, seat) for seat in gone)


async def test_whoever_made_room_goes_on_where_they_were(full: Orchestrator) -> None:
    first = await arrives(full, "ann")
    name = interview_of(first)
    full.house.leave(first)
    second, _ = await arrives(full, "bob"), await arrives(full, "carol")
    assert full.sessions.here(name) is None
    full.house.leave(second)
    back = await joined(full, "ann", name)
    assert is_there(full, back)
    assert back.conversation.chronicle.interview.state is State.PAUSED


async def test_two_who_come_at_once_share_one_place(full: Orchestrator) -> None:
    stays, leaves = await arrives(full, "ann"), await arrives(full, "bob")
    full.house.leave(leaves)
    came = await asyncio.gather(
        arrives(full, "carol"), arrives(full, "dave"), return_exceptions=True
    )
    seats = [seat for seat in came if isinstance(seat, Seat)]
    assert len(seats) == 1
    assert [type(each) for each in came if not isinstance(each, Seat)] == [Overloaded]
    assert is_there(full, stays)
    assert is_there(full, seats[0])


async def test_two_who_come_at_once_have_a_place_each_if_there_are_two(full: Orchestrator) -> None:
    for seat in [await arrives(full, "ann"), await arrives(full, "bob")]:
        full.house.leave(seat)
    came = await asyncio.gather(arrives(full, "carol"), arrives(full, "dave"))
    assert all(is_there(full, seat) for seat in came)


async def test_nobody_is_held_beyond_the_limit_while_others_leave(
    full: Orchestrator, store: FailingStore
) -> None:
    leaves = await arrives(full, "ann")
    await arrives(full, "bob")
    full.house.leave(leaves)
    name = await created(full, "carol")
    store.asked.clear()
    store.gate.clear()
    joining = asyncio.create_task(joined(full, "carol", name))
    await store.asked.wait()  # Now what was said is being stored.
    assert full.sessions.here(name) is None
    assert not joining.done()
    store.gate.set()
    assert is_there(full, await joining)


@pytest.mark.parametrize("returns_after", range(0, 24, 2))
async def test_who_comes_back_while_another_takes_the_place_has_it_or_is_told(
    full: Orchestrator, returns_after: int
) -> None:
    stays, leaves = await arrives(full, "ann"), await arrives(full, "bob")
    name, new = interview_of(leaves), await created(full, "carol")
    full.house.leave(leaves)
    coming = asyncio.create_task(joined(full, "carol", new))
    for _ in range(returns_after):
        await asyncio.sleep(0)
    back = asyncio.create_task(joined(full, "bob", name))
    came = await asyncio.gather(back, coming, return_exceptions=True)
    seats = [seat for seat in came if isinstance(seat, Seat)]
    refused = [each for each in came if isinstance(each, ServiceError)]
    assert (len(seats), [type(each) for each in refused]) == (1, [Overloaded])
    assert is_there(full, seats[0])
    assert is_there(full, stays)
    # Whoever was refused has lost nothing: there is a place again.
    full.house.leave(seats[0])
    user, again = ("bob", name) if seats[0] is not came[0] else ("carol", new)
    assert is_there(full, await joined(full, user, again))


async def test_nobody_leaves_for_what_cannot_be_gone_on_with(full: Orchestrator) -> None:
    leaves, _ = await arrives(full, "ann"), await arrives(full, "bob")
    full.house.leave(leaves)
    over = await created(full, "carol")
    await full.house.end("carol", over)
    with pytest.raises(ServiceError, match="it is over"):
        await joined(full, "carol", over)
    assert is_there(full, leaves)
