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


async def add(connection: asyncpg.Connection, user_id: str, now: datetime, due: datetime) -> None:
    """Remembers that all of a user's has to go; whoever deletes it has until `due`."""
    await connection.execute(
        "INSERT INTO account.deletion (user_id, requested, due) VALUES ($1, $2, $3)"
        " ON CONFLICT DO NOTHING",
        uuid.UUID(user_id),
        now,
        due,
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


async def failed(connection: asyncpg.Connection, deletion: Deletion, due: datetime) -> None:
    """The other parts could not be reached: again at `due`, unless another pass has come through.

    What comes next is that one's to say.
    """
    await connection.execute(
        "UPDATE account.deletion SET attempts = attempts + 1, due = $3"
        " WHERE user_id = $1 AND passes = $2",
        uuid.UUID(deletion.user_id),
        deletion.passes,
        due,
    )


async def passed(
    connection: asyncpg.Connection,
    deletion: Deletion,
    removed: tuple[int, int],
    due: datetime,
    finished: datetime | None,
) -> bool:
    """They removed so many interviews and recordings; again at `due` unless it is finished.

    Returns:
        Whether this is a pass of its own: of two at the same time one counts.
    """
    name = uuid.UUID(deletion.user_id)
    await connection.execute(
        "UPDATE account.deletion SET interviews = interviews + $2, recordings = recordings + $3"
        " WHERE user_id = $1",
        name,
        *removed,
    )
    done = await connection.execute(
        "UPDATE account.deletion SET passes = passes + 1, attempts = 0, due = $3, finished = $4"
        " WHERE user_id = $1 AND passes = $2",
        name,
        deletion.passes,
        due,
        finished,
    )
    return bool(done != "UPDATE 0")
