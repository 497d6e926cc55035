"""Users whose interviews may be kept for another time than their settings say.

In a transaction of the caller's.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg


@dataclass(frozen=True, slots=True)
class Doubt:
    """Whose it is.

    Attributes:
        attempts: How often in a row the interviews could not be reached.
        due: When they are told again. Another change has another.
    """

    user_id: str
    attempts: int
    due: datetime


async def doubt(connection: asyncpg.Connection, user_id: str, due: datetime) -> None:
    """Remembers that the interviews have to be told, at `due` or later."""
    await connection.execute(
        "INSERT INTO account.retention (user_id, due) VALUES ($1, $2)"
        " ON CONFLICT (user_id) DO UPDATE SET attempts = 0, due = excluded.due",
        uuid.UUID(user_id),
        due,
    )


async def due(connection: asyncpg.Connection, now: datetime, limit: int) -> Sequence[Doubt]:
    """Those of whom they are to be told."""
    rows = await connection.fetch(
        "SELECT user_id, attempts, due FROM account.retention"
        " WHERE due <= $1 ORDER BY due LIMIT $2",
        now,
        limit,
    )
    return [Doubt(str(row["user_id"]), row["attempts"], row["due"]) for row in rows]


async def settled(connection: asyncpg.Connection, known: Doubt) -> None:
    """They were told, and nothing has changed since it was due."""
    await connection.execute(
        "DELETE FROM account.retention WHERE user_id = $1 AND due = $2",
        uuid.UUID(known.user_id),
        known.due,
    )


async def failed(connection: asyncpg.Connection, known: Doubt, due: datetime) -> None:
    """They could not be reached: again at `due`, unless it has changed since."""
    await connection.execute(
        "UPDATE account.retention SET attempts = attempts + 1, due = $3"
        " WHERE user_id = $1 AND due = $2",
        uuid.UUID(known.user_id),
        known.due,
        due,
    )
