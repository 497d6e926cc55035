"""What was used by accounts that are gone, by a digest of their address.

In a transaction of the caller's.
"""

from __future__ import annotations

from datetime import date

import asyncpg


async def add(
    connection: asyncpg.Connection,
    digest: bytes,
    kind: str,
    month: date,
    used: int,
    *,
    proven: bool,
) -> None:
    """Counts more of a kind in a month; `proven`: by somebody who has read the address's mail."""
    await connection.execute(
        "INSERT INTO account.remembered_use AS before (digest, kind, month, proven, used)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (digest, kind, month, proven)"
        " DO UPDATE SET used = before.used + excluded.used",
        digest,
        kind,
        month,
        proven,
        used,
    )


async def count(
    connection: asyncpg.Connection, digest: bytes, kind: str, month: date, *, proven_only: bool
) -> int:
    """How much is counted of a kind in a month."""
    found = await connection.fetchval(
        "SELECT coalesce(sum(used), 0) FROM account.remembered_use"
        " WHERE digest = $1 AND kind = $2 AND month = $3 AND (proven OR NOT $4)",
        digest,
        kind,
        month,
        proven_only,
    )
    return int(found)


async def forget_before(connection: asyncpg.Connection, month: date) -> None:
    """Forgets the months before."""
    await connection.execute("DELETE FROM account.remembered_use WHERE month < $1", month)
