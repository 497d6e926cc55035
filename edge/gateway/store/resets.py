"""Tokens that set a new password, in a transaction of the caller's."""

from __future__ import annotations

import uuid
from datetime import datetime

import asyncpg


async def add(
    connection: asyncpg.Connection, digest: bytes, user_id: str, now: datetime, expires: datetime
) -> None:
    """Keeps a token by its hash."""
    await connection.execute(
        "INSERT INTO account.reset_token (hash, user_id, created, expires) VALUES ($1, $2, $3, $4)",
        digest,
        uuid.UUID(user_id),
        now,
        expires,
    )


async def good_for(connection: asyncpg.Connection, digest: bytes, now: datetime) -> str | None:
    """Whose password a token sets; None for one that is good no more."""
    user_id = await connection.fetchval(
        "SELECT user_id FROM account.reset_token WHERE hash = $1 AND expires > $2", digest, now
    )
    return None if user_id is None else str(user_id)


async def take(connection: asyncpg.Connection, digest: bytes, now: datetime) -> bool:
    """Uses a token up; False for one that is good no more."""
    done = await connection.execute(
        "DELETE FROM account.reset_token WHERE hash = $1 AND expires > $2", digest, now
    )
    return bool(done == "DELETE 1")


async def forget_all(connection: asyncpg.Connection, user_id: str) -> None:
    """Removes a user's tokens."""
    await connection.execute(
        "DELETE FROM account.reset_token WHERE user_id = $1", uuid.UUID(user_id)
    )


async def forget_expired(connection: asyncpg.Connection, now: datetime) -> None:
    """Removes tokens that are good no more."""
    await connection.execute("DELETE FROM account.reset_token WHERE expires <= $1", now)
