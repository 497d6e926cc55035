"""Attempts that are counted by what they were made on. In a transaction of the caller's."""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg

_WAIT = (
    "CASE WHEN failures.count < $3 THEN interval '0' ELSE"
    " least($5::interval, interval '1 second' * power(2, least(failures.count - $3, 20))) END"
)
_ATTEMPT = f"""
    INSERT INTO account.failures AS failures (subject, count, last) VALUES ($1, 1, $2)
    ON CONFLICT (subject) DO UPDATE SET
        count = CASE WHEN failures.last < $2::timestamptz - $4::interval THEN 1
            ELSE failures.count + 1 END,
        last = $2
    WHERE failures.count < $3 OR failures.last <= $2::timestamptz - {_WAIT}
        OR failures.last < $2::timestamptz - $4::interval
    RETURNING count
"""  # noqa: S608
_LEFT = f"""
    SELECT failures.last + {_WAIT} - $2::timestamptz FROM account.failures AS failures
    WHERE subject = $1 AND $4::interval IS NOT NULL
"""  # noqa: S608


_UNDO = """
    UPDATE account.failures SET count = greatest(count - 1, 0), last = last -
        CASE WHEN count - 1 < $2 THEN interval '0' ELSE
        least($3::interval, interval '1 second' * power(2, least(count - 1 - $2, 20))) END
    WHERE subject = $1
"""


async def attempt(
    connection: asyncpg.Connection,
    subject: bytes,
    now: datetime,
    *,
    free: int,
    window: timedelta,
    longest: timedelta,
) -> timedelta | None:
    """Counts an attempt, unless it comes too early; how long to wait then.

    Args:
        connection: In a transaction.
        subject: What it is made on.
        now: The present.
        free: So many need not wait; the next ones wait 1, 2, 4, … seconds.
        window: After so long without an attempt all is forgotten.
        longest: So long is waited at most.
    """
    told = (subject, now, free, window, longest)
    if await connection.fetchval(_ATTEMPT, *told) is not None:
        return None
    left: timedelta | None = await connection.fetchval(_LEFT, *told)
    return max(left or timedelta(), timedelta(seconds=1))


async def forget(connection: asyncpg.Connection, subject: bytes) -> None:
    """Counts nothing any more of what was attempted."""
    await connection.execute("DELETE FROM account.failures WHERE subject = $1", subject)


async def take_back(connection: asyncpg.Connection, subject: bytes) -> None:
    """Counts one attempt less."""
    await connection.execute(
        "UPDATE account.failures SET count = greatest(count - 1, 0) WHERE subject = $1", subject
    )


async def undo(
    connection: asyncpg.Connection, subject: bytes, *, free: int, longest: timedelta
) -> None:
    """Counts an attempt less that was not made, and gives back the wait that had led to it."""
    await connection.execute(_UNDO, subject, free, longest)


async def forget_old(connection: asyncpg.Connection, before: datetime) -> None:
    """Forgets what nobody has attempted since then."""
    await connection.execute("DELETE FROM account.failures WHERE last < $1", before)
