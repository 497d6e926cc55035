"""Users, in a transaction of the caller's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from edge.gateway.accounts.user import Kind, Plan, User
from services.runtime.errors import AlreadyExists

_COLUMNS = "id, email::text, email_proven, kind, plan, password, settings, created"


class EmailTaken(AlreadyExists):
    """Another user has the e-mail address."""

    def __init__(self) -> None:
        super().__init__("EMAIL_TAKEN", "email: there is an account with this address; log in")


def _user(row: Mapping[str, Any] | None) -> User | None:
    if row is None:
        return None
    return User(
        id=str(row["id"]),
        email=row["email"],
        email_proven=row["email_proven"],
        kind=Kind(row["kind"]),
        plan=Plan(row["plan"]),
        password=row["password"],
        settings=json.loads(row["settings"]),
        created=row["created"],
    )


async def add(connection: asyncpg.Connection, user: User) -> None:
    """Keeps a new user.

    Raises:
        EmailTaken: Another has the address.
    """
    try:
        await connection.execute(
            "INSERT INTO account.users (id, email, kind, plan, password, settings, created)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            uuid.UUID(user.id),
            user.email,
            user.kind,
            user.plan,
            user.password,
            json.dumps(user.settings),
            user.created,
        )
    except asyncpg.UniqueViolationError:
        raise EmailTaken from None


async def find(
    connection: asyncpg.Connection, user_id: str, *, locked: bool = False
) -> User | None:
    """The user of this id; `locked` until the transaction ends."""
    if locked:
        # Whatever the id's form: the mesh's own callers may write it otherwise.
        return next(iter((await lock(connection, [user_id])).values()), None)
    return _user(
        await connection.fetchrow(
            f"SELECT {_COLUMNS} FROM account.users WHERE id = $1",  # noqa: S608
            uuid.UUID(user_id),
        )
    )


async def lock(connection: asyncpg.Connection, user_ids: Collection[str]) -> Mapping[str, User]:
    """The users of these ids that there are, locked until the transaction ends."""
    rows = await connection.fetch(
        # In one order, or two that lock several could wait for each other. Rows that refer to the
        # user may come meanwhile: whoever adds one has locked its session, and would wait for who
        # ends that.
        f"SELECT {_COLUMNS} FROM account.users WHERE id = ANY($1)"  # noqa: S608
        " ORDER BY id FOR NO KEY UPDATE",
        [uuid.UUID(user_id) for user_id in user_ids],
    )
    return {user.id: user for row in rows if (user := _user(row)) is not None}


async def find_by_email(connection: asyncpg.Connection, email: str) -> User | None:
    """The user with this address, whatever its case."""
    return _user(
        await connection.fetchrow(
            f"SELECT {_COLUMNS} FROM account.users WHERE email = $1",  # noqa: S608
            email,
        )
    )


async def make_member(
    connection: asyncpg.Connection, user_id: str, email: str, password: str
) -> bool:
    """Makes a guest a member; whether there was such a guest, whose interviews pass to nobody.

    Args:
        connection: In a transaction that concerns everybody and has locked the guest.
        user_id: The guest.
        email: The member's address.
        password: The hash of their password.

    Raises:
        EmailTaken: Another has the address.
    """
    try:
        done = await connection.execute(
            "UPDATE account.users SET kind = 'member', email = $2, password = $3"
            " WHERE id = $1 AND kind = 'guest'"
            " AND NOT EXISTS (SELECT FROM account.transfer WHERE guest_id = $1)",
            uuid.UUID(user_id),
            email,
            password,
        )
    except asyncpg.UniqueViolationError:
        raise EmailTaken from None
    return bool(done == "UPDATE 1")


async def set_password(connection: asyncpg.Connection, user_id: str, password: str) -> None:
    """Keeps another hash."""
    await connection.execute(
        "UPDATE account.users SET password = $2 WHERE id = $1", uuid.UUID(user_id), password
    )


async def prove_email(connection: asyncpg.Connection, user_id: str) -> None:
    """Notes that the user reads the mail of their address."""
    await connection.execute(
        "UPDATE account.users SET email_proven = true WHERE id = $1", uuid.UUID(user_id)
    )


async def set_settings(
    connection: asyncpg.Connection, user_id: str, settings: Mapping[str, Any]
) -> None:
    """Keeps other settings."""
    await connection.execute(
        "UPDATE account.users SET settings = $2 WHERE id = $1",
        uuid.UUID(user_id),
        json.dumps(settings),
    )


async def set_plan(connection: asyncpg.Connection, user_id: str, plan: Plan) -> None:
    """Gives another plan."""
    await connection.execute(
        "UPDATE account.users SET plan = $2 WHERE id = $1", uuid.UUID(user_id), plan
    )


async def set_kind(connection: asyncpg.Connection, user_id: str, kind: Kind) -> None:
    """Makes a member an administrator, or one of those a member."""
    await connection.execute(
        "UPDATE account.users SET kind = $2 WHERE id = $1 AND kind <> 'guest'",
        uuid.UUID(user_id),
        kind,
    )


async def remove(connection: asyncpg.Connection, user_id: str) -> bool:
    """Removes a user with all that hangs on them; whether there was one."""
    done = await connection.execute("DELETE FROM account.users WHERE id = $1", uuid.UUID(user_id))
    return bool(done == "DELETE 1")


async def page(
    connection: asyncpg.Connection, limit: int, after: str | None = None
) -> Sequence[User]:
    """Up to `limit` users who are no guests, in the order of their ids."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM account.users"  # noqa: S608
        " WHERE kind <> 'guest' AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $1",
        limit,
        uuid.UUID(after) if after else None,
    )
    return [user for row in rows if (user := _user(row)) is not None]


async def left_guests(
    connection: asyncpg.Connection,
    now: datetime,
    older_than: datetime,
    limit: int,
    after: str | None = None,
) -> Sequence[str]:
    """Guests whom nobody can be any more, in the order of their ids.

    All their sessions are over, and nobody takes what is theirs.

    Args:
        connection: In a transaction.
        now: The present.
        older_than: They were made before then.
        limit: How many at most.
        after: Those behind this id alone.
    """
    rows = await connection.fetch(
        "SELECT id FROM account.users u WHERE kind = 'guest' AND created < $2 AND NOT EXISTS"
        " (SELECT FROM account.session s"
        " WHERE s.user_id = u.id AND s.revoked IS NULL AND s.expires > $1)"
        " AND NOT EXISTS (SELECT FROM account.transfer t WHERE t.guest_id = u.id)"
        " AND ($4::uuid IS NULL OR id > $4) ORDER BY id LIMIT $3",
        now,
        older_than,
        limit,
        None if after is None else uuid.UUID(after),
    )
    return [str(row["id"]) for row in rows]
