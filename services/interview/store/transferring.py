"""Giving interviews to another user, in a transaction of the caller's that concerns everybody."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from services.interview.store import leasing, rows
from services.interview.store.rows import uuid_of
from services.interview.store.store import Lease, Rewrapped


async def transfer(
    connection: asyncpg.Connection,
    user: str,
    heir: str,
    leases: Sequence[Lease],
    rewrapped: Rewrapped,
) -> int:
    """See `Store.transfer`.

    Raises:
        LeaseLost: Somebody drives one of them.
    """
    for lease in leases:
        await leasing.require(connection, lease)
    names = [uuid_of(lease.interview_id) for lease in leases]
    recorded = await connection.fetch(
        f"SELECT {rows.RECORDED_COLUMNS} FROM recording"  # noqa: S608
        " WHERE interview_id = ANY($1) AND user_id = $2 FOR UPDATE",
        names,
        user,
    )
    # The owner of all that belongs to it follows by its foreign key. What a creation was named by
    # the other user may have used, too.
    moved = await connection.fetch(
        "UPDATE interview SET user_id = $3, key = NULL WHERE id = ANY($1) AND user_id = $2"
        " RETURNING id",
        names,
        user,
        heir,
    )
    await connection.executemany(
        "UPDATE recording SET wrapped_key = $3 WHERE file = $1 AND user_id = $2",
        [(row["file"], heir, rewrapped(rows.recorded(row))) for row in recorded],
    )
    return len(moved)
