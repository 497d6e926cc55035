"""One interview that cannot be stored is laid aside; a store that fails blames nobody."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview import unstorable
from services.interview.conversation import events as e
from services.interview.conversation.degrading import FIRST_STORE_SECONDS
from services.interview.events import ServiceDegraded, UtteranceStarted
from services.interview.questions.bank import Bank
from services.interview.sessions import Session
from services.interview.store.memory import MemoryStore
from services.interview.store.store import Lease
from services.interview.unstorable import MOST_FAILURES, Unstorable
from services.runtime.postgres.failures import StoreFailed
from tests.interview.calls import join, refused, typed, until
from tests.interview.orchestrators import Orchestrator, orchestrator
from tests.interview.stage import FailingStore, stage
from tests.refusals import reason
from tests.runtime import virtual_time
from tests.server_process import until as until_so


def test_who_fails_alone_for_long_is_found() -> None:
    watch = Unstorable()
    assert watch.worked({"one": 3, "other": 0}) == []
    assert watch.worked({"one": 2 + MOST_FAILURES, "other": 0}) == []
    assert watch.worked({"one": 3 + MOST_FAILURES, "other": 0}) == ["one"]


def test_what_failed_together_with_the_store_counts_for_nothing() -> None:
    watch = Unstorable()
    watch.worked({"one": 1})
    watch.failed()
    assert watch.worked({"one": 100}) == []
    assert watch.worked({"one": 100}) == []


def test_who_was_stored_since_begins_anew() -> None:
    watch = Unstorable()
    watch.worked({"one": 0})
    watch.worked({"one": MOST_FAILURES - 1})
    watch.worked({"one": 0})
    assert watch.worked({"one": MOST_FAILURES}) == []


class Counting(FailingStore):
    """Knows how often it was tried."""

    tries = 0

    async def commit(self, *written: Any, **named: Any) -> None:
        self.tries += 1
        await super().commit(*written, **named)


def test_what_happens_meanwhile_makes_nobody_try_the_store_more_often() -> None:
    async def main() -> None:
        store = Counting()
        async with stage(store=store) as s:
            s.join(text_only=True)
            await s.until(UtteranceStarted)
            store.broken = True
            s.seat.send(e.Typed("One."))
            await s.until(ServiceDegraded)
            tried = store.tries
            for _ in range(100):
                s.seat.send(e.Typed("More."))
            await asyncio.sleep(FIRST_STORE_SECONDS * 0.9)
            assert store.tries == tried
            store.broken = False
            await s.until(ServiceDegraded, lambda told: told.recovered)

    virtual_time.run(asyncio.wait_for(main(), 3600.0))


class Choosy(MemoryStore):
    """Stores nothing of one interview; of no interview while it is full."""

    refused = ""
    full = False
    tried_out = 0

    async def commit(self, lease: Lease, *written: Any, **named: Any) -> None:
        self._check_room()
        if lease.interview_id == self.refused:
            raise StoreFailed("STORE_TIMEOUT", "it did not answer in time")
        await super().commit(lease, *written, **named)

    async def try_out(self, user: str, size: int) -> None:
        self.tried_out += 1
        assert size > 0
        self._check_room()

    def _check_room(self) -> None:
        if self.full:
            raise StoreFailed("STORE_FULL", "the disk is full")


async def until_fails_again(session: Session, failed: int) -> None:
    async def more() -> bool:
        return session.conversation.failed_commits > failed

    await until_so(more)


async def test_an_interview_that_alone_cannot_be_stored_is_laid_aside_alone(
    tmp_path: Path, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unstorable, "MOST_FAILURES", 1)
    store = Choosy(100)
    async with orchestrator(store, bank, tmp_path) as server:
        one, other = await server.wire.create(), await server.wire.create()
        first = pb.ConverseRequest(join=join(one.id, typed=True))
        second = pb.ConverseRequest(join=join(other.id, typed=True))
        async with server.wire.converse(first) as call, server.wire.converse(second) as going:
            await until(call, lambda told: told.HasField("utterance_started"))
            await until(going, lambda told: told.HasField("utterance_started"))
            store.refused = one.id
            await call.write(pb.ConverseRequest(candidate=typed("Yes.")))
            await until(call, lambda told: told.HasField("degraded"))
            await server.sessions.leases.renew_once()
            session = server.sessions.here(one.id)
            assert session is not None
            failed = session.conversation.failed_commits
            await until_fails_again(session, failed)
            await server.sessions.leases.renew_once()
            assert reason(await refused(call)) == "DRAINING"
            assert server.sessions.here(one.id) is None
            await going.write(pb.ConverseRequest(candidate=typed("Yes.")))
            await until(going, lambda told: told.HasField("candidate_turn"))


async def test_nobody_is_laid_aside_by_a_disk_that_is_full_although_leases_are_renewed(
    tmp_path: Path, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unstorable, "MOST_FAILURES", 1)
    store = Choosy(100)
    async with orchestrator(store, bank, tmp_path) as server:
        made = [await server.wire.create() for _ in range(2)]
        async with AsyncExitStack() as opened:
            calls = [
                await opened.enter_async_context(
                    server.wire.converse(pb.ConverseRequest(join=join(each.id, typed=True)))
                )
                for each in made
            ]
            for call in calls:
                await until(call, lambda told: told.HasField("utterance_started"))
            store.full = True
            for call in calls:
                await call.write(pb.ConverseRequest(candidate=typed("Yes.")))
                await until(call, lambda told: told.HasField("degraded"))
            await failing_on(server, [each.id for each in made])
            await until_so(partial(tried, store))
            store.full = False
            for call in calls:
                await until(call, lambda told: told.degraded.recovered)
                await until(call, lambda told: told.HasField("utterance_started"))


async def failing_on(server: Orchestrator, names: list[str]) -> None:
    """Renews leases, has each commit fail once more, and renews leases again."""
    await server.sessions.leases.renew_once()
    for name in names:
        session = server.sessions.here(name)
        assert session is not None
        await until_fails_again(session, session.conversation.failed_commits)
    await server.sessions.leases.renew_once()


async def tried(store: Choosy) -> bool:
    return store.tried_out > 0


async def test_an_interview_that_is_the_only_one_is_laid_aside_where_the_store_takes_another(
    tmp_path: Path, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unstorable, "MOST_FAILURES", 1)
    store = Choosy(100)
    async with orchestrator(store, bank, tmp_path) as server:
        made = await server.wire.create()
        first = pb.ConverseRequest(join=join(made.id, typed=True))
        async with server.wire.converse(first) as call:
            await until(call, lambda told: told.HasField("utterance_started"))
            store.refused = made.id
            await call.write(pb.ConverseRequest(candidate=typed("Yes.")))
            await until(call, lambda told: told.HasField("degraded"))
            await failing_on(server, [made.id])
            assert reason(await refused(call)) == "DRAINING"
            assert store.tried_out == 1
