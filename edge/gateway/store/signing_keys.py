"""Sealed signing keys. In a transaction of the caller's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

_LOCK = 0x766B6579


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A private key, encrypted."""

    id: str
    sealed: bytes
    created: datetime


async def lock(connection: asyncpg.Connection) -> None:
    """Lets one process at a time change keys, until the transaction ends."""
    await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")


async def all_keys(connection: asyncpg.Connection) -> Sequence[SealedKey]:
    """Every key, the oldest first."""
    rows = await connection.fetch(
        "SELECT id, sealed, created FROM account.signing_key ORDER BY created, id"
    )
    return [SealedKey(row["id"], row["sealed"], row["created"]) for row in rows]


async def add(connection: asyncpg.Connection, key: SealedKey) -> None:
    """Keeps a new key."""
    await connection.execute(
        "INSERT INTO account.signing_key (id, sealed, created) VALUES ($1, $2, $3)",
        key.id,
        key.sealed,
        key.created,
    )


async def remove(connection: asyncpg.Connection, key_ids: Sequence[str]) -> None:
    """Forgets keys."""
    await connection.execute("DELETE FROM account.signing_key WHERE id = ANY($1)", list(key_ids))
