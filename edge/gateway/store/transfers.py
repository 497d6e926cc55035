"""Guests whose interviews pass to an account, until they have.

In a transaction of the caller's that concerns everybody: two users are in it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg


@dataclass(frozen=True, slots=True)
class Transfer:
    """What passes from whom to whom.

    Attributes:
        requested: When the guest logged in.
        attempts: How often in a row the interviews could not be reached.
    """

    guest_id: str
    user_id: str
    requested: datetime
    attempts: int = 0


async def add(
    connection: asyncpg.Connection, guest_id: str, user_id: str, now: datetime, due: datetime
) -> None:
    """Remembers that a guest's interviews become a user's."""
    await connection.execute(
        "INSERT INTO account.transfer (guest_id, user_id, requested, due) VALUES ($1, $2, $3, $4)",
        uuid.UUID(guest_id),
        uuid.UUID(user_id),
        now,
        due,
    )


async def known(connection: asyncpg.Connection, guest_id: str) -> bool:
    """Whether a guest's interviews become a user's."""
    row = await connection.fetchrow(
        "SELECT FROM account.transfer WHERE guest_id = $1", uuid.UUID(guest_id)
    )
    return row is not None


async def due(connection: asyncpg.Connection, now: datetime, limit: int) -> Sequence[Transfer]:
    """Those that are to be gone on with."""
    rows = await connection.fetch(
        "SELECT guest_id, user_id, requested, attempts FROM account.transfer"
        " WHERE due <= $1 ORDER BY due LIMIT $2",
        now,
        limit,
    )
    return [
        Transfer(str(row["guest_id"]), str(row["user_id"]), row["requested"], row["attempts"])
        for row in rows
    ]


async def remove(connection: asyncpg.Connection, guest_id: str) -> None:
    """Forgets a transfer that is done."""
    await connection.execute(
        "DELETE FROM account.transfer WHERE guest_id = $1", uuid.UUID(guest_id)
    )


async def failed(connection: asyncpg.Connection, guest_id: str, due: datetime) -> None:
    """The interviews could not be reached: again at `due`."""
    await connection.execute(
        "UPDATE account.transfer SET attempts = attempts + 1, due = $2 WHERE guest_id = $1",
        uuid.UUID(guest_id),
        due,
    )


async def passed(connection: asyncpg.Connection, guest_id: str, due: datetime) -> None:
    """The interviews that there were are the user's: what has come by `due` follows then."""
    await connection.execute(
        "UPDATE account.transfer SET attempts = 0, due = $2 WHERE guest_id = $1",
        uuid.UUID(guest_id),
        due,
    )
