"""The second wall: a query that forgets whose rows it wants gets its own user's, or none."""

from __future__ import annotations

import uuid
from urllib.parse import quote

import asyncpg
import pytest

from edge.gateway.accounts.user import Kind, User
from edge.gateway.store import users
from edge.gateway.store.tables import SCHEMA
from edge.gateway.store.tables import tables as accounts
from services.interview.store.tables import tables as interviews
from services.runtime.ids import new_uuid
from services.runtime.postgres.database import EVERYBODY, Server, open_database
from services.runtime.postgres.failures import StoreFailed
from services.runtime.postgres.migrating import upgrade
from services.runtime.postgres.row_security import APPLICATION_ROLE
from services.runtime.wall_clock import now
from tests.edge.gateway.stage import PATIENCE, Stage
from tests.interview.databases import Postgres

_OF_USERS = f"""
    SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relrowsecurity AND c.relforcerowsecurity
        AS walled
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind = 'r' AND n.nspname IN ('{SCHEMA}', 'public')
        AND (a.attname = 'user_id' OR c.relname = 'users' AND a.attname = 'id')
"""


async def test_every_table_that_names_a_user_is_walled_in(on: Stage) -> None:
    tables = await on.rows(_OF_USERS)
    assert {row["name"] for row in tables} >= {
        "account.users", "account.session", "account.reservation", "account.audit",
        "public.interview", "public.turn", "public.report", "public.recording",
    }  # fmt: skip
    assert [row["name"] for row in tables if not row["walled"]] == []


async def test_a_query_without_a_where_sees_its_own_user_alone(on: Stage) -> None:
    ann, bob = await on.member(), await on.member("bob@example.org")
    for user in (ann.account.id, bob.account.id):
        await on.gateway.plans.reserve(user, "one")
    tables = [row["name"] for row in await on.rows(_OF_USERS)]
    seen = set()
    async with on.gateway.database.transaction("test", ann.account.id) as connection:
        for table in tables:
            owner = "id" if table == "account.users" else "user_id"
            for row in await connection.fetch(f"SELECT {owner}::text AS owner FROM {table}"):
                assert row["owner"] == ann.account.id
                seen.add(table)
        assert await connection.execute("DELETE FROM account.reservation") == "DELETE 1"
    assert {"account.users", "account.session", "account.reservation", "account.audit"} <= seen
    [left] = await on.rows("SELECT user_id::text AS owner FROM account.reservation")
    assert left["owner"] == bob.account.id


async def test_a_transaction_of_nobody_sees_nothing(on: Stage) -> None:
    await on.member()
    async with on.gateway.database.connection("test") as connection:
        assert await connection.fetchval("SELECT current_user") == APPLICATION_ROLE
        assert not await connection.fetch("SELECT FROM account.users")
    async with on.gateway.database.transaction("test", EVERYBODY) as connection:
        assert len(await connection.fetch("SELECT FROM account.users")) == 1
    # What a transaction may see ends with it, on the same connection too.
    async with on.gateway.database.connection("test") as connection:
        assert not await connection.fetch("SELECT FROM account.users")


async def test_nobody_writes_into_anothers_rows(on: Stage) -> None:
    ann, bob = await on.member(), await on.member("bob@example.org")
    with pytest.raises(StoreFailed) as failed:
        async with on.gateway.database.transaction("test", ann.account.id) as connection:
            await connection.execute(
                "INSERT INTO account.reservation (user_id, kind, key, month, created)"
                " VALUES ($1, 'interview', 'one', now(), now())",
                uuid.UUID(bob.account.id),
            )
    assert isinstance(failed.value.__cause__, asyncpg.InsufficientPrivilegeError)


async def test_interviews_are_walled_in_as_well(on: Stage) -> None:
    admin = await on.postgres.connect("viva")
    for user in ("ann", "bob"):
        await admin.execute(
            "INSERT INTO interview (id, user_id, settings, plan, state, phase, round, created,"
            " epoch) VALUES ($1, $2, '{}', '{}', 1, 0, 0, now(), '')",
            uuid.uuid4(),
            user,
        )
    await admin.close()
    async with on.gateway.database.transaction("test", "ann") as connection:
        # The gateway's role may read them: the wall, not the role, keeps them apart.
        rows = await connection.fetch("SELECT user_id FROM interview")
    assert [row["user_id"] for row in rows] == ["ann"]


async def test_who_owns_the_tables_and_is_no_superuser_is_walled_in_too(
    postgres: Postgres,
) -> None:
    admin = await postgres.connect()
    await admin.execute("CREATE ROLE landlord LOGIN")
    await admin.execute("CREATE DATABASE leased OWNER landlord TEMPLATE template0")
    url = f"postgresql://landlord@/leased?host={quote(str(postgres.folder))}"
    server = Server(url, postgres.folder)
    try:
        for tables in (interviews(), accounts()):
            await upgrade(server, tables)
        ann, bob = (User(new_uuid(), Kind.GUEST, now()) for _ in range(2))
        async with open_database(server, PATIENCE) as database:
            for user in (ann, bob):
                async with database.transaction("test", user.id) as connection:
                    await users.add(connection, user)
            async with database.connection("test") as connection:
                assert await connection.fetchval("SELECT current_user") == "landlord"
                assert not await connection.fetch("SELECT FROM account.users")
            async with database.transaction("test", ann.id) as connection:
                [row] = await connection.fetch("SELECT id FROM account.users")
                assert str(row["id"]) == ann.id
    finally:
        await admin.execute("DROP DATABASE leased WITH (FORCE)")
        await admin.execute("DROP ROLE landlord")
        await admin.close()
