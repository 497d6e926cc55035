"""Sessions and their families of refresh tokens, in a transaction of the caller's."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

REMEMBERED = timedelta(days=7)
"""A token that was replaced longer ago is not known any more, and cannot end its session."""


@dataclass(frozen=True, slots=True)
class Session:
    """A place where a user is logged in."""

    id: str
    user_id: str
    created: datetime
    used: datetime
    expires: datetime
    user_agent: str


@dataclass(frozen=True, slots=True)
class Held:
    """A refresh token and its session.

    Attributes:
        issued: When it was given out.
        rotated: When it was replaced, by its use or unused (`withdraw_newest`: then not after it
            was issued); None for the newest.
        ended: Whether the session is over.
    """

    session_id: str
    user_id: str
    created: datetime
    issued: datetime
    rotated: datetime | None
    ended: bool


async def add(connection: asyncpg.Connection, session: Session) -> None:
    """Keeps a new session."""
    await connection.execute(
        "INSERT INTO account.session (id, user_id, created, used, expires, user_agent)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        uuid.UUID(session.id),
        uuid.UUID(session.user_id),
        session.created,
        session.used,
        session.expires,
        session.user_agent,
    )


async def add_token(
    connection: asyncpg.Connection, digest: bytes, session_id: str, user_id: str, now: datetime
) -> None:
    """Keeps a refresh token by its hash."""
    await connection.execute(
        "INSERT INTO account.refresh_token (hash, session_id, user_id, created)"
        " VALUES ($1, $2, $3, $4)",
        digest,
        uuid.UUID(session_id),
        uuid.UUID(user_id),
        now,
    )


async def held(connection: asyncpg.Connection, digest: bytes, now: datetime) -> Held | None:
    """A refresh token; it and its session are locked until the transaction ends."""
    row = await connection.fetchrow(
        "SELECT t.session_id, t.user_id, t.created AS issued, t.rotated, s.created,"
        " s.revoked IS NOT NULL OR s.expires <= $2 AS ended"
        " FROM account.refresh_token t JOIN account.session s ON s.id = t.session_id"
        " WHERE t.hash = $1 FOR UPDATE",
        digest,
        now,
    )
    if row is None:
        return None
    return Held(
        str(row["session_id"]),
        str(row["user_id"]),
        row["created"],
        row["issued"],
        row["rotated"],
        row["ended"],
    )


async def is_last_used(connection: asyncpg.Connection, token: Held) -> bool:
    """Whether a token that was replaced was used, and none of its session was used after it."""
    if token.rotated is None or token.rotated <= token.issued:
        return False
    row = await connection.fetchrow(
        "SELECT FROM account.refresh_token WHERE session_id = $1 AND rotated > $2",
        uuid.UUID(token.session_id),
        token.rotated,
    )
    return row is None


async def withdraw_newest(connection: asyncpg.Connection, token: Held) -> None:
    """Marks a session's newest token as replaced, though nobody has used it."""
    await connection.execute(
        "UPDATE account.refresh_token SET rotated = created"
        " WHERE session_id = $1 AND rotated IS NULL",
        uuid.UUID(token.session_id),
    )


async def rotate(
    connection: asyncpg.Connection,
    old: bytes,
    new: bytes,
    token: Held,
    now: datetime,
    expires: datetime,
) -> None:
    """Replaces a family's newest token, and keeps the session alive."""
    session = uuid.UUID(token.session_id)
    await connection.execute(
        "UPDATE account.refresh_token SET rotated = $2 WHERE hash = $1", old, now
    )
    await add_token(connection, new, token.session_id, token.user_id, now)
    await connection.execute(
        "UPDATE account.session SET used = $2, expires = $3 WHERE id = $1", session, now, expires
    )
    await connection.execute(
        "DELETE FROM account.refresh_token WHERE session_id = $1 AND rotated < $2",
        session,
        now - REMEMBERED,
    )


async def revoke(
    connection: asyncpg.Connection, user_id: str, session_id: str, now: datetime
) -> bool:
    """Ends a session of the user's; whether there was one to end."""
    done = await connection.execute(
        "UPDATE account.session SET revoked = $3"
        " WHERE id = $2 AND user_id = $1 AND revoked IS NULL",
        uuid.UUID(user_id),
        uuid.UUID(session_id),
        now,
    )
    return bool(done == "UPDATE 1")


async def revoke_all(
    connection: asyncpg.Connection, user_id: str, now: datetime, but: str | None = None
) -> Sequence[str]:
    """Ends all of a user's sessions, but for one; the ids of those that it ended."""
    rows = await connection.fetch(
        "UPDATE account.session SET revoked = $2 WHERE user_id = $1 AND revoked IS NULL"
        " AND ($3::uuid IS NULL OR id <> $3) RETURNING id",
        uuid.UUID(user_id),
        now,
        uuid.UUID(but) if but else None,
    )
    return [str(row["id"]) for row in rows]


async def revoke_all_but_newest(
    connection: asyncpg.Connection, user_id: str, now: datetime, most: int
) -> Sequence[str]:
    """Ends a user's sessions but the `most` that were used last; the ids of those that it ended."""
    rows = await connection.fetch(
        "UPDATE account.session SET revoked = $2 WHERE id IN"
        " (SELECT id FROM account.session WHERE user_id = $1 AND revoked IS NULL AND expires > $2"
        " ORDER BY used DESC, id DESC OFFSET $3) RETURNING id",
        uuid.UUID(user_id),
        now,
        most,
    )
    return [str(row["id"]) for row in rows]


async def live(connection: asyncpg.Connection, session_id: str, now: datetime) -> bool:
    """Whether a session goes on."""
    row = await connection.fetchrow(
        "SELECT FROM account.session WHERE id = $1 AND revoked IS NULL AND expires > $2",
        uuid.UUID(session_id),
        now,
    )
    return row is not None


async def of_user(connection: asyncpg.Connection, user_id: str, now: datetime) -> Sequence[Session]:
    """A user's sessions that go on, the last used first."""
    rows = await connection.fetch(
        "SELECT id, user_id, created, used, expires, user_agent FROM account.session"
        " WHERE user_id = $1 AND revoked IS NULL AND expires > $2 ORDER BY used DESC, id DESC",
        uuid.UUID(user_id),
        now,
    )
    return [
        Session(
            str(row["id"]),
            str(row["user_id"]),
            row["created"],
            row["used"],
            row["expires"],
            row["user_agent"],
        )
        for row in rows
    ]


async def forget_ended(connection: asyncpg.Connection, before: datetime) -> None:
    """Removes sessions that ended before then."""
    await connection.execute(
        "DELETE FROM account.session WHERE expires < $1 OR revoked < $1", before
    )
