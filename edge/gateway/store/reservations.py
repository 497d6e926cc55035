"""What users have used, in a transaction of the caller's."""

from __future__ import annotations

import uuid
from datetime import date, datetime

import asyncpg


async def add(
    connection: asyncpg.Connection, user_id: str, kind: str, key: str, month: date, now: datetime
) -> None:
    """Counts a use."""
    await connection.execute(
        "INSERT INTO account.reservation (user_id, kind, key, month, created)"
        " VALUES ($1, $2, $3, $4, $5)",
        uuid.UUID(user_id),
        kind,
        key,
        month,
        now,
    )


async def known(connection: asyncpg.Connection, user_id: str, kind: str, key: str) -> bool:
    """Whether a use is counted."""
    row = await connection.fetchrow(
        "SELECT FROM account.reservation WHERE user_id = $1 AND kind = $2 AND key = $3",
        uuid.UUID(user_id),
        kind,
        key,
    )
    return row is not None


async def remove(connection: asyncpg.Connection, kind: str, key: str) -> None:
    """Counts a use no more, whosever it has become."""
    await connection.execute(
        "DELETE FROM account.reservation WHERE kind = $1 AND key = $2", kind, key
    )


async def pass_on(connection: asyncpg.Connection, user_id: str, heir: str) -> None:
    """Counts a user's uses as another's, each in its month."""
    await connection.execute(
        "UPDATE account.reservation SET user_id = $2 WHERE user_id = $1",
        uuid.UUID(user_id),
        uuid.UUID(heir),
    )


async def count(connection: asyncpg.Connection, user_id: str, kind: str, month: date | None) -> int:
    """How many uses are counted in a month; None: ever."""
    found = await connection.fetchval(
        "SELECT count(*) FROM account.reservation"
        " WHERE user_id = $1 AND kind = $2 AND ($3::date IS NULL OR month = $3)",
        uuid.UUID(user_id),
        kind,
        month,
    )
    return int(found)
