"""What was done with accounts: rows are only added. In a transaction of the caller's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

KEPT = timedelta(days=365)
"""How long a row is kept; the table's trigger knows it too."""


@dataclass(frozen=True, slots=True)
class Done:
    """Something that was done with an account.

    Attributes:
        action: What: "log_in", "password_changed", …
        actor: Who: "user", "nobody", "operator", "gateway".
        address: Where the call came from; None when nobody called.
        details: What else there is to know; never a secret, a password or an e-mail address.
    """

    at: datetime
    user_id: str | None
    action: str
    actor: str = "user"
    address: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


async def add(connection: asyncpg.Connection, done: Done) -> None:
    """Writes it down."""
    await connection.execute(
        "INSERT INTO account.audit (at, user_id, action, actor, address, details)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        done.at,
        uuid.UUID(done.user_id) if done.user_id else None,
        done.action,
        done.actor,
        done.address,
        json.dumps(done.details),
    )


async def of_user(connection: asyncpg.Connection, user_id: str) -> Sequence[Done]:
    """What was done with a user's account, oldest first."""
    rows = await connection.fetch(
        "SELECT at, action, actor, address, details FROM account.audit"
        " WHERE user_id = $1 ORDER BY id",
        uuid.UUID(user_id),
    )
    return [
        Done(
            row["at"],
            user_id,
            row["action"],
            row["actor"],
            row["address"],
            json.loads(row["details"]),
        )
        for row in rows
    ]


async def forget_places(connection: asyncpg.Connection, user_id: str) -> None:
    """Removes where a user's calls came from: what is left names nobody."""
    await connection.execute(
        "UPDATE account.audit SET address = NULL WHERE user_id = $1 AND address IS NOT NULL",
        uuid.UUID(user_id),
    )


async def forget_old(connection: asyncpg.Connection, now: datetime) -> None:
    """Removes what is older than it is kept."""
    await connection.execute("DELETE FROM account.audit WHERE at < $1", now - KEPT)
