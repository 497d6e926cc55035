"""A real PostgreSQL that is killed, stopped, full or locked: told, never half written, and back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from services.interview.events import CandidateTurn, Entry
from services.interview.record import Interview, State
from services.interview.settings import InterviewServerSettings
from services.interview.store.postgres import PostgresStore
from services.interview.store.store import KeyTaken, Lease
from services.interview.store.tables import tables
from services.runtime.errors import InvalidField, ResourceMissing
from services.runtime.postgres.database import _CONNECTIONS, Server, open_database, until_there
from services.runtime.postgres.failures import STORE_FAILURES, StoreFailed
from services.runtime.postgres.migrating import versions
from services.runtime.postgres.row_security import APPLICATION_ROLE
from services.runtime.settings import load
from tests.interview.databases import GUARD_SECONDS, Postgres, start
from tests.interview.test_store_contract import ME, SECONDS, driven, interview, turn
from tests.server_process import until

DEADLINE = 0.5


@asynccontextmanager
async def opened(server: Server, seconds: float = GUARD_SECONDS) -> AsyncIterator[PostgresStore]:
    async with open_database(server, seconds, name="viva interview") as database:
        yield PostgresStore(database)


async def failure(work: Awaitable[object]) -> str:
    with pytest.raises(StoreFailed) as failed:
        await work
    return failed.value.reason


def entry(seq: int) -> Entry:
    return Entry(seq, 0.5, CandidateTurn(turn(seq)))


@pytest.mark.slow
async def test_a_killed_database_is_told_and_found_again(postgres: Postgres) -> None:
    server = await postgres.emptied()
    async with opened(server) as store:
        made = interview()
        lease = await driven(store, made)
        first = replace(made, state=State.LIVE, turns=(turn(1),))
        await store.commit(lease, first, b"one", [entry(1)])
        # In the midst of a commit, which waits for a lock.
        blocking = await postgres.connect("viva")
        await blocking.execute("BEGIN; LOCK TABLE turn IN ACCESS EXCLUSIVE MODE")
        second = replace(first, turns=(turn(1), turn(2)))
        commit = asyncio.create_task(store.commit(lease, second, b"two", [entry(2)]))
        await until(lambda: waits(postgres))
        postgres.process.kill()
        postgres.process.wait(GUARD_SECONDS)
        assert await failure(commit) == "STORE_LOST"
        blocking.terminate()
        assert await failure(store.find("ann", made.id)) == "STORE_LOST"
        postgres.process = start(postgres.folder)
        await until_there(server, GUARD_SECONDS, "VIVA_INTERVIEW_DATABASE_URL")
        assert await store.find("ann", made.id) == first
        await store.commit(lease, second, b"two", [entry(2)])
        assert await store.find("ann", made.id) == second
        assert await store.session(made.id) == (b"two", [entry(1), entry(2)])


async def waits(own: Postgres) -> bool:
    admin = await own.connect()
    try:
        count = await admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND application_name = 'viva interview'"
        )
        return bool(count)
    finally:
        await admin.close()


async def test_a_hung_database_is_told_in_time_and_serves_again(postgres: Postgres) -> None:
    server = await postgres.emptied()
    async with opened(server, DEADLINE) as store:
        made = interview()
        lease = await driven(store, made)
        stop_all(postgres, signal.SIGSTOP)
        try:
            started = replace(made, state=State.LIVE)
            assert await failure(store.commit(lease, started, b"", [])) == "STORE_TIMEOUT"
            assert await failure(store.find("ann", made.id)) == "STORE_TIMEOUT"
        finally:
            stop_all(postgres, signal.SIGCONT)
        await store.commit(lease, started, b"", [])
        assert await store.find("ann", made.id) == started


def stop_all(own: Postgres, number: signal.Signals) -> None:
    server = psutil.Process(own.process.pid)
    for process in (server, *server.children(recursive=True)):
        os.kill(process.pid, number)


@pytest.mark.parametrize(
    ("sqlstate", "told"),
    [
        ("53100", "STORE_FULL"),
        ("40001", "STORE_CONFLICT"),
        ("25006", "STORE_READ_ONLY"),
        ("57014", "STORE_TIMEOUT"),
        ("XX000", "STORE_ERROR"),
    ],
)
async def test_a_statement_that_fails_leaves_nothing_of_its_commit(
    postgres: Postgres, sqlstate: str, told: str
) -> None:
    server = await postgres.emptied()
    admin = await postgres.connect("viva")
    # The last thing that a commit writes.
    await admin.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$BEGIN RAISE EXCEPTION 'secret words' USING ERRCODE = '{sqlstate}'; END$$;"
        " CREATE TRIGGER refuse BEFORE INSERT ON event EXECUTE FUNCTION refuse();"
    )
    try:
        async with opened(server) as store:
            made = interview()
            lease = await driven(store, made)
            changed = replace(made, state=State.LIVE, turns=(turn(1),))
            with pytest.raises(StoreFailed) as failed:
                await store.commit(lease, changed, b"s", [entry(1)])
            assert failed.value.reason == told
            assert "secret" not in failed.value.message
            assert await failure(store.try_out("ann", 1000)) == told
            assert await store.find("ann", made.id) == made
            assert await store.session(made.id) == (b"", [])
            await admin.execute("DROP TRIGGER refuse ON event")
            await store.commit(lease, changed, b"s", [entry(1)])
            assert await store.find("ann", made.id) == changed
    finally:
        await admin.execute("DROP FUNCTION refuse CASCADE")
        await admin.close()


async def test_a_lock_that_is_not_given_back_is_told_in_time(postgres: Postgres) -> None:
    server = await postgres.emptied()
    async with opened(server, DEADLINE) as store:
        made = interview()
        lease = await driven(store, made)
        blocking = await postgres.connect("viva")
        try:
            async with blocking.transaction():
                await blocking.execute("LOCK TABLE interview IN ACCESS EXCLUSIVE MODE")
                assert await failure(store.commit(lease, made, b"", [])) == "STORE_TIMEOUT"
            await store.commit(lease, made, b"", [])
        finally:
            await blocking.close()


async def test_a_call_that_is_given_up_leaves_its_connection_to_nobody(postgres: Postgres) -> None:
    server = await postgres.emptied()
    async with opened(server) as store:
        made = interview()
        lease = await driven(store, made)
        blocking = await postgres.connect("viva")
        async with blocking.transaction():
            await blocking.execute("LOCK TABLE turn IN ACCESS EXCLUSIVE MODE")
            commit = asyncio.create_task(
                store.commit(lease, replace(made, turns=(turn(1),)), b"", [])
            )
            await until(lambda: waits(postgres))
            commit.cancel()
            await asyncio.wait([commit])
            assert commit.cancelled()
        await blocking.close()
        found = await store.find("ann", made.id)
        assert found == made


async def rows_written(postgres: Postgres) -> dict[str, int]:
    """In which transaction each turn was written."""
    admin = await postgres.connect("viva")
    try:
        rows = await admin.fetch("SELECT id, xmin::text::int8 AS written FROM turn")
        return {row["id"]: row["written"] for row in rows}
    finally:
        await admin.close()


async def test_a_commit_writes_only_the_turns_that_changed(postgres: Postgres) -> None:
    server = await postgres.emptied()
    async with opened(server) as store:
        made = interview()
        lease = await driven(store, made)
        turns = tuple(turn(number) for number in range(1, 6))
        await store.commit(lease, replace(made, turns=turns), b"", [])
        before = await rows_written(postgres)
        changed = (*turns[:3], replace(turns[3], text="Changed."), turns[4], turn(6))
        await store.commit(lease, replace(made, turns=changed), b"", [])
        after = await rows_written(postgres)
        assert {name for name in after if after[name] != before.get(name)} == {"t4", "t6"}


async def test_a_commit_after_one_that_failed_writes_only_what_is_new(postgres: Postgres) -> None:
    server = await postgres.emptied()
    async with opened(server, DEADLINE) as store:
        made = interview()
        lease = await driven(store, made)
        turns = tuple(turn(number) for number in range(1, 6))
        await store.commit(lease, replace(made, turns=turns), b"one", [])
        before = await rows_written(postgres)
        # Of these nobody knows whether they are there.
        changed = (replace(turns[0], text="Changed."), *turns[1:], turn(6))
        blocking = await postgres.connect("viva")
        async with blocking.transaction():
            await blocking.execute("LOCK TABLE turn IN ACCESS EXCLUSIVE MODE")
            for _ in range(2):
                failing = store.commit(lease, replace(made, turns=changed), b"two", [])
                assert await failure(failing) == "STORE_TIMEOUT"
        await blocking.close()
        # One that was told of and taken back: it may be there all the same.
        left = changed[:5]
        await store.commit(lease, replace(made, turns=left), b"two", [])
        after = await rows_written(postgres)
        assert {name for name in after if after[name] != before.get(name)} == {"t1"}
        found = await store.find("ann", made.id)
        assert found is not None
        assert found.turns == left
        assert await store.session(made.id) == (b"two", [])


async def test_leases_are_kept_while_every_other_connection_is_waited_for(
    postgres: Postgres,
) -> None:
    server = await postgres.emptied()
    async with opened(server) as store:
        held = [(made := interview(), await driven(store, made)) for _ in range(10)]
        blocking = await postgres.connect("viva")
        async with blocking.transaction():
            await blocking.execute("LOCK TABLE turn IN ACCESS EXCLUSIVE MODE")
            stuck = [
                asyncio.create_task(store.commit(lease, replace(made, turns=(turn(1),)), b"", []))
                for made, lease in held
            ]
            await until(lambda: all_wait(postgres))
            assert await store.renew_all([lease for _, lease in held], SECONDS) == []
            assert not any(task.done() for task in stuck)
        await blocking.close()
        await asyncio.gather(*stuck)


async def all_wait(own: Postgres) -> bool:
    """Whether each of a server's usual connections waits for a lock."""
    admin = await own.connect()
    try:
        count = await admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND application_name = 'viva interview'"
        )
        return bool(count == _CONNECTIONS)
    finally:
        await admin.close()


async def test_two_processes_that_create_under_one_key_make_one(postgres: Postgres) -> None:
    server = await postgres.emptied()
    async with opened(server) as one, opened(server) as other:
        made: list[Interview] = [interview(key="k") for _ in range(6)]
        saved = await asyncio.gather(
            *(store.save(each) for store, each in zip([one, other] * 3, made, strict=True)),
            return_exceptions=True,
        )
        assert sorted(type(result).__name__ for result in saved) == (
            ["KeyTaken"] * 5 + ["NoneType"]
        )
        with pytest.raises(KeyTaken):
            await one.save(interview(key="k"))


async def test_a_commit_and_a_takeover_meet_in_one_order(postgres: Postgres) -> None:
    server = await postgres.emptied()
    async with opened(server) as one, opened(server) as other:
        made = interview()
        lease = await driven(one, made)
        for number in range(10):
            committed, taken = await asyncio.gather(
                one.commit(lease, replace(made, round=number), b"", []),
                other.acquire(made.id, f"{number}:1/x", SECONDS, beyond=lease.token),
                return_exceptions=True,
            )
            assert isinstance(taken, Lease)
            found = await other.find("ann", made.id)
            assert found is not None
            # Either it was written before the takeover, or it never will be.
            assert (found.round == number) == (committed is None)
            again = await one.acquire(made.id, ME, SECONDS, beyond=taken.token)
            assert isinstance(again, Lease)
            lease = again
            await one.commit(lease, replace(made, round=99), b"", [])


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:pass@hunter2@db:5432/viva",
        "postgresql://ann:pass/hunter2@db/viva",
        "postgresql://ann:pass#hunter2@db/viva",
        "postgresql://ann:hunter2@db:port/viva",
        "postgresql://ann:hunter2@[db/viva",
    ],
)
def test_a_url_whose_password_is_not_encoded_is_refused_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.setenv("VIVA_INTERVIEW_DATABASE_URL", url)
    with pytest.raises(SystemExit):
        load(InterviewServerSettings)
    said = capsys.readouterr().err
    assert "percent-encode" in said
    for told in (said, Server(url, Path("/")).shown):
        assert "hunter2" not in told


def test_a_url_is_shown_without_its_password() -> None:
    url = "postgresql://ann:hunter2%40@db:6543/viva"
    assert InterviewServerSettings(database_url=SecretStr(url)).database_url is not None
    assert Server(url, Path("/")).shown == "PostgreSQL at db:6543/viva"


@pytest.mark.parametrize("wrong", ["nobody@/viva", "postgres@/none"])
async def test_a_database_that_will_never_be_there_is_not_waited_for(
    postgres: Postgres, wrong: str
) -> None:
    server = Server(f"postgresql://{wrong}?host={postgres.folder}", Path("/"))
    with pytest.raises(ResourceMissing, match="VIVA_INTERVIEW_DATABASE_URL"):
        async with asyncio.timeout(GUARD_SECONDS):
            await until_there(server, GUARD_SECONDS, "VIVA_INTERVIEW_DATABASE_URL")


async def test_who_only_looks_gives_up_on_a_database_that_hangs(postgres: Postgres) -> None:
    os.kill(postgres.process.pid, signal.SIGSTOP)
    try:
        assert await failure(versions(Server(None, postgres.folder), tables(), seconds=0.2)) == (
            "STORE_TIMEOUT"
        )
    finally:
        os.kill(postgres.process.pid, signal.SIGCONT)


def told_failures() -> float:
    return sum(
        sample.value
        for metric in STORE_FAILURES.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    )


async def test_a_value_that_cannot_be_stored_is_refused_and_no_failure_of_the_store(
    postgres: Postgres,
) -> None:
    async with opened(await postgres.emptied()) as store:
        before = told_failures()
        with pytest.raises(InvalidField):
            await store.find_by_key("ann", "a\x00b")
        assert told_failures() == before
        assert await store.find_by_key("ann", "ab") is None


async def test_a_connection_that_cannot_be_made_is_nobodys_value(postgres: Postgres) -> None:
    """PostgreSQL calls a role that is not there an invalid parameter, as it does a bad value."""
    admin = await postgres.connect()
    async with open_database(await postgres.emptied(), SECONDS) as database:
        before = told_failures()
        await admin.execute(f"ALTER ROLE {APPLICATION_ROLE} RENAME TO elsewhere")
        try:
            with pytest.raises(StoreFailed):
                async with database.connection("find"):
                    pass
            assert told_failures() == before + 1
        finally:
            await admin.execute(f"ALTER ROLE elsewhere RENAME TO {APPLICATION_ROLE}")
            await admin.close()
        async with database.connection("find") as connection:
            assert await connection.fetchval("SELECT 1") == 1
