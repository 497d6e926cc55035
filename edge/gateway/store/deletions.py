"""Accounts that were deleted, and what is still to be removed elsewhere.

In a transaction of the caller's.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deleted account.

    Attributes:
        attempts: How often in a row the other parts could not be reached.
        passes: How often they have removed what they had.
    """

    user_id: str
    attempts: int
    passes: int


async def add(connection: asyncpg.Connection, user_id: str, now: datetime) -> None:
    """Remembers that all of a user's has to go."""
    await connection.execute(
        "INSERT INTO account.deletion (user_id, requested, due) VALUES ($1, $2, $2)"
        " ON CONFLICT DO NOTHING",
        uuid.UUID(user_id),
        now,
    )


async def due(connection: asyncpg.Connection, now: datetime, limit: int) -> Sequence[Deletion]:
    """Those that are to be gone on with."""
    rows = await connection.fetch(
        "SELECT user_id, attempts, passes FROM account.deletion"
        " WHERE finished IS NULL AND due <= $1 ORDER BY due LIMIT $2",
        now,
        limit,
    )
    return [Deletion(str(row["user_id"]), row["attempts"], row["passes"]) for row in rows]


async def failed(connection: asyncpg.Connection, user_id: str, due: datetime) -> None:
    """The other parts could not be reached: again at `due`."""
    await connection.execute(
        "UPDATE account.deletion SET attempts = attempts + 1, due = $2 WHERE user_id = $1",
        uuid.UUID(user_id),
        due,
    )


async def passed(
    connection: asyncpg.Connection,
    user_id: str,
    removed: tuple[int, int],
    due: datetime,
    finished: datetime | None,
) -> None:
    """They removed so many interviews and recordings; again at `due` unless it is finished."""
    await connection.execute(
        "UPDATE account.deletion SET passes = passes + 1, attempts = 0, due = $4,"
        " interviews = interviews + $2, recordings = recordings + $3, finished = $5"
        " WHERE user_id = $1",
        uuid.UUID(user_id),
        *removed,
        due,
        finished,
    )
