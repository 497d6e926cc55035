"""What has grown old is deleted, but nothing whose owner has come back to it meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest_asyncio
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview.questions.bank import Bank
from services.interview.store.memory import MemoryStore
from tests.interview.calls import join, joining, typed, until
from tests.interview.orchestrators import Orchestrator, orchestrator
from tests.interview.test_lifecycle import answer_all, asked

DAYS = 30


class Aging(MemoryStore):
    """A store whose interviews grow old, and where something happens once these are looked for."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    def age(self, days: float = DAYS + 1) -> None:
        """Lets so much time pass, by default more than anything is kept."""
        for kept in self._kept.values():
            kept.changed -= timedelta(days=days)

    async def expired(
        self, now: datetime, kept_for: timedelta | None, limit: int
    ) -> Sequence[tuple[str, str]]:
        found = await super().expired(now, kept_for, limit)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return found


@pytest_asyncio.fixture
async def store() -> Aging:
    return Aging(10)


@pytest_asyncio.fixture
async def running(store: Aging, bank: Bank, tmp_path: Path) -> AsyncIterator[Orchestrator]:
    async with orchestrator(store, bank, tmp_path, retention_days=DAYS) as made:
        await made.keeping.delete_old()  # The first sweep only notes the time.
        yield made


async def test_one_that_its_candidate_comes_back_to_goes_on(
    running: Orchestrator, store: Aging
) -> None:
    old, mine = [await running.wire.create() for _ in range(2)]
    store.age()
    async with running.wire.converse(joining(mine.id)) as call:

        async def come_back() -> None:
            # Nothing of it is stored yet: by its row it is as old as before.
            await until(call, lambda event: event.HasField("audio_received"))
            store.age()

        store.meanwhile = come_back
        await running.keeping.delete_old()
        assert not await store.holds(old.id)
        assert await store.holds(mine.id)
        await until(call, asked)


async def test_one_that_was_gone_on_with_and_left_again_is_kept(
    running: Orchestrator, store: Aging
) -> None:
    mine = await running.wire.create(rounds=2)
    store.age()

    async def answer() -> None:
        async with running.wire.converse(
            pb.ConverseRequest(join=join(mine.id, typed=True))
        ) as call:
            await until(call, asked)
            await call.write(pb.ConverseRequest(candidate=typed("I add an index.")))
            await until(call, lambda event: event.HasField("utterance_started"))
        await running.sessions.lay_aside(mine.id)

    store.meanwhile = answer
    await running.keeping.delete_old()
    assert (await running.wire.get(mine.id)).id == mine.id


async def test_one_that_is_to_be_kept_for_longer_by_now_is_kept(
    running: Orchestrator, store: Aging
) -> None:
    made = {user: await running.wire.create(user=user) for user in ("ann", "bob")}
    for user in made:
        await store.keep_for(user, timedelta(days=1))
    store.age(2)
    store.meanwhile = partial(store.keep_for, "bob", None)
    await running.keeping.delete_old()
    assert not await store.holds(made["ann"].id)
    assert await store.holds(made["bob"].id)


async def test_one_that_is_over_goes_though_a_client_may_still_come_back_to_it(
    running: Orchestrator, store: Aging
) -> None:
    held = await running.wire.create(rounds=1, follow_ups=0)
    await answer_all(running.wire, held.id, 1)
    assert running.sessions.here(held.id) is not None
    store.age()
    await running.keeping.delete_old()
    assert not await store.holds(held.id)
