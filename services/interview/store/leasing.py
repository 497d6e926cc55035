"""Leases in PostgreSQL. Their time is the database's, one clock for all orchestrators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from services.interview.store.rows import uuid_of
from services.interview.store.store import Holder, Lease, LeaseLost

_ACQUIRE = """
    INSERT INTO lease (interview_id, user_id, holder, token, expires)
    SELECT id, user_id, $2, 1, clock_timestamp() + $3 FROM interview WHERE id = $1
    ON CONFLICT (interview_id) DO UPDATE
        SET holder = excluded.holder, token = lease.token + 1, expires = excluded.expires
        WHERE lease.expires <= clock_timestamp() OR lease.token = $4 OR lease.holder = $2
    RETURNING token
"""
_MINE = """
    SELECT lease.interview_id, lease.token FROM lease
    JOIN unnest($1::uuid[], $2::bigint[]) AS mine (interview_id, token) USING (interview_id, token)
    WHERE lease.expires > '-infinity'
"""
# A commit that hangs has its interview's lease locked, which nobody can take then: the others do
# not wait for it.
_RENEW = f"""
    WITH free AS ({_MINE} FOR NO KEY UPDATE OF lease SKIP LOCKED)
    UPDATE lease SET expires = clock_timestamp() + $3
    FROM free WHERE lease.interview_id = free.interview_id
"""  # noqa: S608


async def acquire(
    connection: asyncpg.Connection,
    interview_id: str,
    holder: str,
    seconds: float,
    beyond: int | None,
) -> Lease | Holder:
    """Takes a lease that is free, has run out, or has the token `beyond`; or says who has it.

    Raises:
        LeaseLost: There is no such interview.
    """
    name = uuid_of(interview_id)
    token = await connection.fetchval(_ACQUIRE, name, holder, timedelta(seconds=seconds), beyond)
    if token is not None:
        return Lease(interview_id, holder, token)
    row = await connection.fetchrow("SELECT holder, token FROM lease WHERE interview_id = $1", name)
    if row is None:
        raise LeaseLost(interview_id)
    return Holder(row["holder"], row["token"])


async def holder(connection: asyncpg.Connection, interview_id: str) -> Holder | None:
    """Who has the lease of an interview now."""
    row = await connection.fetchrow(
        "SELECT holder, token FROM lease WHERE interview_id = $1 AND expires > clock_timestamp()",
        uuid_of(interview_id),
    )
    return None if row is None else Holder(row["holder"], row["token"])


async def renew(
    connection: asyncpg.Connection, leases: Sequence[Lease], seconds: float
) -> Sequence[Lease]:
    """Keeps leases, also such as have run out if nobody took them; those that are lost.

    One of an interview that is being written is neither: the next renewal may find it free. One
    that was given back is lost: this renewal may have been on its way meanwhile.
    """
    # A renewal that a crash of the database forgets costs nothing but a takeover.
    await connection.execute("SET LOCAL synchronous_commit = off")
    names = [uuid_of(lease.interview_id) for lease in leases]
    tokens = [lease.token for lease in leases]
    await connection.execute(_RENEW, names, tokens, timedelta(seconds=seconds))
    found = await connection.fetch(_MINE, names, tokens)
    kept = {(row["interview_id"].hex, row["token"]) for row in found}
    return [lease for lease in leases if (lease.interview_id, lease.token) not in kept]


async def release(connection: asyncpg.Connection, lease: Lease) -> None:
    """Gives a lease back. Its row stays: the next token must be higher."""
    await connection.execute(
        "UPDATE lease SET expires = '-infinity' WHERE interview_id = $1 AND token = $2",
        uuid_of(lease.interview_id),
        lease.token,
    )


async def require(connection: asyncpg.Connection, lease: Lease) -> None:
    """Checks that a lease is the newest, and keeps it so until the transaction ends.

    Raises:
        LeaseLost: It is not.
    """
    token = await connection.fetchval(
        "SELECT token FROM lease WHERE interview_id = $1 FOR SHARE", uuid_of(lease.interview_id)
    )
    if token != lease.token:
        raise LeaseLost(lease.interview_id)


async def require_free(
    connection: asyncpg.Connection, interview_id: str, lease: Lease | None
) -> None:
    """Checks that nobody has a lease but, if it is given, by this one.

    Raises:
        LeaseLost: Somebody has.
    """
    row = await connection.fetchrow(
        "SELECT token, expires > clock_timestamp() AS held FROM lease WHERE interview_id = $1"
        " FOR UPDATE",
        uuid_of(interview_id),
    )
    if row is not None and row["held"] and (lease is None or row["token"] != lease.token):
        raise LeaseLost(interview_id)
