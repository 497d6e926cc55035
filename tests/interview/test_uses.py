"""What users may create: interviews are counted if they are held, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from viva.account.v1 import quota_service_pb2 as quota_pb
from viva.account.v1 import quota_service_pb2_grpc
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview import uses
from services.interview.clients.quota import QuotaClient
from services.interview.questions.bank import Bank
from services.interview.record import LOCAL_USER, Interview
from services.interview.store.memory import MemoryStore
from services.interview.store.postgres import PostgresStore
from services.interview.store.store import Expiry, Lease
from services.interview.uses import Uses
from services.runtime.channel import open_channel
from services.runtime.errors import QuotaExhausted, Relayed, Unavailable
from services.runtime.ids import new_uuid
from services.runtime.postgres.database import open_database
from services.runtime.postgres.failures import StoreFailed
from tests.interview.calls import joining, until
from tests.interview.databases import Postgres
from tests.interview.orchestrators import Orchestrator, orchestrator
from tests.interview.stage import PATIENCE

Code = grpc.StatusCode


@dataclass
class FakeQuota:
    """Counts what it is asked.

    Attributes:
        down: Whether it answers nobody.
        late: Whether it counts, and its answer never comes.
        busy: How many releases it does not take before one that it does.
    """

    limit: int = 1
    down: bool = False
    late: bool = False
    busy: int = 0
    used: set[tuple[str, str]] = field(default_factory=set)
    reserved: list[tuple[str, str]] = field(default_factory=list)
    counted: asyncio.Event = field(default_factory=asyncio.Event)

    async def reserve(self, user: str, interview_id: str) -> None:
        if self.down:
            raise Unavailable("accounts: the gateway cannot be asked for the quota")
        if len(self.used) >= self.limit:
            raise QuotaExhausted(f"user:{user}", "all are used", {"limit": "1"})
        self.used.add((user, interview_id))
        self.reserved.append((user, interview_id))
        self.counted.set()
        if self.late:
            await asyncio.Event().wait()

    async def release(self, user: str, interview_id: str) -> None:
        if self.busy:
            self.busy -= 1
            raise Unavailable("accounts: the gateway cannot be asked for the quota")
        self.used.discard((user, interview_id))


class FullStore(MemoryStore):
    """A store that can't write."""

    def __init__(self) -> None:
        super().__init__(10)
        self.full = False

    async def save(self, interview: Any) -> None:
        if self.full:
            raise StoreFailed("STORE_FULL", "its disk is full")
        await super().save(interview)


async def test_creating_counts_once_for_a_key_and_is_refused_when_none_is_left(
    bank: Bank, tmp_path: Path
) -> None:
    quota = FakeQuota()
    async with orchestrator(MemoryStore(10), bank, tmp_path, quota=quota) as running:
        made = await running.wire.create(key="k")
        assert (await running.wire.create(key="k")).id == made.id
        assert quota.reserved == [("ann", made.id)]
        await begin(running, made.id)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await running.wire.create()
        assert refused.value.code() is Code.RESOURCE_EXHAUSTED
        quota.down = True
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await running.wire.create()
        assert refused.value.code() is Code.UNAVAILABLE
        assert "gateway" in str(refused.value.details())


async def test_what_is_refused_or_not_kept_is_not_counted(bank: Bank, tmp_path: Path) -> None:
    quota, store = FakeQuota(limit=5), FullStore()
    async with orchestrator(store, bank, tmp_path, quota=quota) as running:
        with pytest.raises(grpc.aio.AioRpcError):
            await running.wire.create(question_ids=["unknown"])
        assert quota.reserved == []
        store.full = True
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await running.wire.create()
        assert failed.value.code() is Code.UNAVAILABLE
    assert len(quota.reserved) == 1
    assert not quota.used


async def test_what_was_counted_for_who_has_gone_away_is_given_back(
    bank: Bank, tmp_path: Path
) -> None:
    quota = FakeQuota(late=True, busy=2)
    async with orchestrator(MemoryStore(10), bank, tmp_path, quota=quota) as running:
        creating = asyncio.create_task(running.wire.create())
        await quota.counted.wait()
        creating.cancel()
        await asyncio.wait({creating})
    assert quota.reserved
    assert not quota.used
    assert not quota.busy


async def test_one_that_nobody_joined_makes_room_for_the_next(bank: Bank, tmp_path: Path) -> None:
    quota = FakeQuota()
    async with orchestrator(MemoryStore(10), bank, tmp_path, quota=quota) as running:
        first = await running.wire.create(key="one")
        second = await running.wire.create(key="two")
        with pytest.raises(grpc.aio.AioRpcError) as gone:
            await running.wire.get(first.id)
        assert gone.value.code() is Code.NOT_FOUND
        assert quota.used == {("ann", second.id)}
        await begin(running, second.id)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await running.wire.create(key="three")
        assert refused.value.code() is Code.RESOURCE_EXHAUSTED
        assert (await running.wire.get(second.id)).id == second.id


async def test_one_that_nobody_joined_counts_no_more_once_it_is_deleted(
    bank: Bank, tmp_path: Path
) -> None:
    quota = FakeQuota(limit=2)
    async with orchestrator(MemoryStore(10), bank, tmp_path, quota=quota) as running:
        unbegun, begun = await running.wire.create(), await running.wire.create()
        await begin(running, begun.id)
        await running.house.delete("ann", unbegun.id)
        await running.house.delete("ann", begun.id)
    assert quota.used == {("ann", begun.id)}


async def begin(running: Orchestrator, interview_id: str) -> None:
    """Joins an interview, and leaves it."""
    async with running.wire.converse(joining(interview_id)) as call:
        await until(call, lambda event: event.HasField("utterance_started"))


class Releases(quota_service_pb2_grpc.QuotaServiceServicer):
    """A gateway that counts at once, says so never, and takes releases of who waits a second.

    Attributes:
        refusals: What it answers to the first of them.
        used: Keys that are counted.
        counted: Set with the first one.
    """

    def __init__(self, *refusals: grpc.StatusCode) -> None:
        self.refusals = list(refusals)
        self.used: set[str] = set()
        self.counted = asyncio.Event()

    async def Reserve(self, request: Any, context: Any) -> Any:
        self.used.add(request.key)
        self.counted.set()
        await asyncio.Event().wait()

    async def Release(self, request: Any, context: Any) -> Any:
        if self.refusals:
            await context.abort(self.refusals.pop(0), "not now")
        if context.time_remaining() < 1:
            await context.abort(Code.DEADLINE_EXCEEDED, "no time for a transaction")
        self.used.discard(request.key)
        return quota_pb.ReleaseResponse()


@asynccontextmanager
async def asking(gateway: Releases) -> AsyncIterator[QuotaClient]:
    """What asks the gateway, which takes calls until the scope ends."""
    server = grpc.aio.server()
    quota_service_pb2_grpc.add_QuotaServiceServicer_to_server(gateway, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with open_channel(f"127.0.0.1:{port}") as channel:
            yield QuotaClient(channel)
    finally:
        await server.stop(0)


async def test_what_was_counted_for_a_call_whose_time_is_up_is_given_back(
    bank: Bank, tmp_path: Path
) -> None:
    gateway, ann = Releases(), new_uuid()
    async with (
        asking(gateway) as quota,
        orchestrator(MemoryStore(10), bank, tmp_path, quota=quota) as running,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await running.wire.interviews.CreateInterview(
                pb.CreateInterviewRequest(), timeout=0.5, metadata=(("x-viva-user", ann),)
            )
        assert late.value.code() is Code.DEADLINE_EXCEEDED
        assert gateway.counted.is_set()
    assert not gateway.used


@pytest.mark.parametrize(
    "code",
    [
        Code.RESOURCE_EXHAUSTED,
        Code.INTERNAL,
        Code.CANCELLED,
        Code.UNKNOWN,
        Code.ABORTED,
        Code.UNAVAILABLE,
    ],
)
async def test_a_gateway_that_does_not_take_a_use_back_is_asked_again(code: Code) -> None:
    gateway = Releases(code, code)
    gateway.used.add("one")
    async with asking(gateway) as quota, Uses(quota, MemoryStore(10)) as using:
        await using.give_back(new_uuid(), "one")
    assert not gateway.used


@pytest.mark.parametrize("code", [Code.INVALID_ARGUMENT, Code.PERMISSION_DENIED, Code.NOT_FOUND])
async def test_a_gateway_that_will_never_take_a_use_back_is_asked_once(code: Code) -> None:
    gateway = Releases(code, code)
    async with asking(gateway) as quota, Uses(quota, MemoryStore(10)) as using:
        await using.give_back(new_uuid(), "one")
    assert gateway.refusals == [code]


class _Quotas(quota_service_pb2_grpc.QuotaServiceServicer):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def Reserve(self, request: Any, context: Any) -> Any:
        self.seen.append(request)
        if len(self.seen) > 1:
            await context.abort(Code.RESOURCE_EXHAUSTED, "all are used")
        return quota_pb.ReserveResponse()


async def test_the_gateway_is_asked_for_users_and_not_for_the_meshs_own_callers() -> None:
    server, quotas, ann = grpc.aio.server(), _Quotas(), new_uuid()
    quota_service_pb2_grpc.add_QuotaServiceServicer_to_server(quotas, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        client = QuotaClient(channel)
        await client.reserve(LOCAL_USER, "one")
        await client.release(LOCAL_USER, "one")
        await client.reserve("bench", "one")
        await client.release("bench", "one")
        await client.reserve(ann, "two")
        [request] = quotas.seen
        assert (request.user_id, request.kind, request.key) == (
            ann,
            quota_pb.QUOTA_KIND_INTERVIEW,
            "two",
        )
        with pytest.raises(Relayed) as refused:
            await client.reserve(ann, "three")
        assert refused.value.code is Code.RESOURCE_EXHAUSTED
        await server.stop(0)
        with pytest.raises(Unavailable, match="gateway"):
            await client.reserve(ann, "four")
        with pytest.raises(Unavailable, match="gateway"):  # `Uses` tries again.
            await client.release(ann, "four")


# Whoever asked goes away.


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has failed is tried again at once."""
    monkeypatch.setattr(uses, "_FIRST_WAIT", 0.0)


class Parted(MemoryStore):
    """A store that does what it is asked; the answer never comes.

    Attributes:
        silent: What it answers no more.
        broken: How often it cannot say which interviews there are.
    """

    def __init__(self, *silent: str) -> None:
        super().__init__(10)
        self.silent = silent
        self.broken = 0
        self.done = asyncio.Event()

    async def _answer(self, name: str) -> None:
        if name in self.silent:
            self.done.set()
            await asyncio.Event().wait()

    async def save(self, interview: Interview) -> None:
        await super().save(interview)
        await self._answer("save")

    async def delete(
        self,
        user: str,
        interview_id: str,
        lease: Lease | None = None,
        expiry: Expiry | None = None,
    ) -> None:
        await super().delete(user, interview_id, lease, expiry)
        await self._answer("delete")

    async def release(self, lease: Lease) -> None:
        await super().release(lease)
        await self._answer("release")

    async def holds(self, interview_id: str) -> bool:
        if self.broken:
            self.broken -= 1
            raise StoreFailed("STORE_LOST", "no connection")
        return await super().holds(interview_id)


async def given_up(task: asyncio.Task[Any], when: asyncio.Event) -> None:
    """Waits for an event, and not for the task any more."""
    async with asyncio.timeout(PATIENCE):
        await when.wait()
    task.cancel()
    await asyncio.wait({task})


async def test_what_was_kept_counts_though_nobody_waited_for_it(bank: Bank, tmp_path: Path) -> None:
    store, quota = Parted("save"), FakeQuota()
    async with orchestrator(store, bank, tmp_path, quota=quota) as running:
        store.broken = 2
        await given_up(asyncio.create_task(running.wire.create()), store.done)
    [kept] = await store.page("ann", 10, None)
    assert quota.used == {("ann", kept.interview.id)}
    assert not store.broken


@pytest.mark.parametrize("step", ["delete", "release"])
async def test_what_was_deleted_counts_no_more_though_nobody_waited_for_it(
    step: str, bank: Bank, tmp_path: Path
) -> None:
    store, quota = Parted(step), FakeQuota(busy=1)
    async with orchestrator(store, bank, tmp_path, quota=quota) as running:
        made = await running.wire.create()
        deleting = running.house.delete("ann", made.id)
        await given_up(asyncio.create_task(deleting), store.done)
    assert not await store.page("ann", 10, None)
    assert not quota.used


async def test_what_was_to_make_room_counts_no_more_though_nobody_waited_for_it(
    bank: Bank, tmp_path: Path
) -> None:
    store, quota = Parted("release"), FakeQuota()
    async with orchestrator(store, bank, tmp_path, quota=quota) as running:
        await running.wire.create()
        await given_up(asyncio.create_task(running.wire.create()), store.done)
    assert not await store.page("ann", 10, None)
    assert not quota.used


async def test_one_whose_deleter_died_counts_no_more_once_it_is_deleted_again(
    bank: Bank, tmp_path: Path, postgres: Postgres
) -> None:
    quota = FakeQuota(limit=2)
    async with open_database(await postgres.emptied(), PATIENCE) as database:
        store = PostgresStore(database)
        async with orchestrator(store, bank, tmp_path, quota=quota) as running:
            unbegun, begun = await running.wire.create(), await running.wire.create()
            await begin(running, begun.id)
            await running.sessions.end(begun.id)
            for made in (unbegun, begun):
                await store.delete("ann", made.id)
                await running.house.delete("ann", made.id)
    assert quota.used == {("ann", begun.id)}


# A commit that is on its way.


@dataclass
class Commits:
    """Commits that wait, also those that their clients wait for no more.

    Attributes:
        admin: Keeps them waiting.
    """

    admin: asyncpg.Connection

    async def waiting(self, count: int) -> None:
        """Waits until so many transactions wait for another."""
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with asyncio.timeout(PATIENCE):
            while await self.admin.fetchval(query) != count:
                pass


@asynccontextmanager
async def held_up(postgres: Postgres, change: str) -> AsyncIterator[Commits]:
    """What inserts, or deletes, interviews is committed when the scope ends, whatever happens."""
    admin = await postgres.connect("viva")
    try:
        await admin.execute("SELECT pg_advisory_lock(1)")
        await admin.execute(
            """
            CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                LOOP
                    BEGIN
                        PERFORM pg_advisory_xact_lock_shared(1);
                        RETURN NULL;
                    EXCEPTION WHEN query_canceled THEN NULL;
                    END;
                END LOOP;
            END $$
            """
        )
        await admin.execute(
            f"CREATE CONSTRAINT TRIGGER hold_up AFTER {change} ON interview"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold_up()"
        )
        try:
            yield Commits(admin)
        finally:
            await admin.execute("SELECT pg_advisory_unlock(1)")
            await admin.execute("DROP FUNCTION hold_up CASCADE")
    finally:
        await admin.close()


@pytest.mark.slow
@pytest.mark.parametrize("change", ["INSERT", "DELETE"])
async def test_a_commit_on_its_way_is_waited_for(
    change: str, bank: Bank, tmp_path: Path, postgres: Postgres
) -> None:
    quota = FakeQuota()
    async with open_database(await postgres.emptied(), PATIENCE) as database:
        store = PostgresStore(database)
        async with orchestrator(store, bank, tmp_path, quota=quota) as running:
            if change == "DELETE":
                await running.wire.create()
            async with held_up(postgres, change) as commits:
                # Where there is one already, it is deleted to make room.
                creating = asyncio.create_task(running.wire.create())
                await commits.waiting(1)
                creating.cancel()
                await asyncio.wait({creating})
                await commits.waiting(2)
                assert quota.used
        held = {("ann", kept.interview.id) for kept in await store.page("ann", 10, None)}
    assert quota.used == held
    assert len(held) == (change == "INSERT")
