"""Sessions: opened by logging in, renewed by refresh tokens, ended.

A refresh token is replaced at every use. One that is used again afterwards is in two hands, and
nobody knows whose is which: the session ends (RFC 9700, 4.14.2). Two calls that were under way at
the same moment are no theft: one of them gets the next token, the other is told to take it. Nor is
a call that is made again because its answer was lost: soon after, and with nobody having used the
token it was answered with, it gets another in that one's place. If somebody does have the one that
was lost, its use ends the session as any other token's does that was replaced.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import asyncpg

from edge.gateway.accounts.user import Kind, User
from edge.gateway.store import audit, users
from edge.gateway.store import sessions as store
from edge.gateway.store.audit import Done
from edge.gateway.store.sessions import Held, Session
from edge.gateway.store.tables import SWEEPS
from edge.gateway.tokens.access import Claims
from edge.gateway.tokens.liveness import LiveSessions
from edge.gateway.tokens.secrets import digest, new_token
from services.runtime.errors import Aborted, InvalidField, ServiceError, Unauthenticated
from services.runtime.ids import new_uuid
from services.runtime.postgres import sweeping
from services.runtime.postgres.database import EVERYBODY, Database, Owner
from services.runtime.wall_clock import Clock

_LONGEST_AGENT = 256
MOST_SESSIONS = 50
"""Of one user's at the same time: more than anybody has browsers and programs, and few enough to be
shown in one list. Without an end, whoever logs in again and again fills it."""
_ANSWER_LOST = timedelta(seconds=30)
"""So long after it was replaced, a token may be used again by whom the answer did not reach: a
client gives a call up after 10 s, and makes it again at once or when its page is loaded again."""

ReadT = TypeVar("ReadT")


@dataclass(frozen=True, slots=True)
class Opened:
    """A session, and what renews it."""

    user: User
    session_id: str
    refresh_token: str


class Sessions:
    """Opens, renews and ends sessions."""

    def __init__(
        self,
        database: Database,
        live: LiveSessions,
        clock: Clock,
        life: timedelta,
        longest: timedelta,
    ) -> None:
        """Takes how long a session lasts that is not renewed, and how long one that is."""
        self._database = database
        self._live = live
        self._clock = clock
        self.life = life
        self._longest = longest
        self._over: dict[int, list[str]] = {}

    async def open(self, connection: asyncpg.Connection, user: User, user_agent: str) -> Opened:
        """Opens a session in a transaction of the caller's, by `ending`.

        Where the user has more than `MOST_SESSIONS`, those end that were not used for longest.
        """
        now, token = self._clock(), new_token()
        begun = await _begun(connection, user, now)
        session = Session(new_uuid(), user.id, begun, now, begun + self.life, _short(user_agent))
        await store.add(connection, session)
        await store.add_token(connection, digest(token), session.id, user.id, now)
        for over in await store.revoke_all_but_newest(connection, user.id, now, MOST_SESSIONS):
            self._end(connection, over)
        return Opened(user, session.id, token)

    async def refresh(
        self,
        token: str,
        address: str | None,
        read: Callable[[asyncpg.Connection, User], Awaitable[ReadT]],
    ) -> tuple[Opened, ReadT]:
        """Renews a session by its newest refresh token.

        Args:
            token: The refresh token.
            address: Where the call comes from.
            read: What else the answer needs of the database. It is read before the token is
                replaced for good: where it cannot be, the token is as good as before.

        Raises:
            Unauthenticated: The token is not known, its session is over, or it was used before;
                in that case its session is over now.
            Aborted: Another call has renewed the session since this one arrived.
        """
        arrived = self._clock()
        async with self.ending("refresh", EVERYBODY) as connection:
            result = await self._refreshed(connection, token, arrived, address)
            if isinstance(result, Opened):
                return result, await read(connection, result.user)
        # Outside of the transaction, which is to be committed in any case.
        raise result

    async def _refreshed(
        self, connection: asyncpg.Connection, token: str, arrived: datetime, address: str | None
    ) -> Opened | ServiceError:
        old = digest(token)
        held = await store.held(connection, old, arrived)
        if held is None or held.ended:
            return session_over()
        now = self._clock()
        if held.rotated is not None and held.rotated > arrived:
            return Aborted(
                "REFRESH_RACED",
                "another call renewed the session at the same moment; use the token it got",
            )
        user = await users.find(connection, held.user_id)
        if user is None:
            return session_over()
        unread = await _is_unread(connection, held, now)
        if held.rotated is not None and not unread:
            await store.revoke(connection, held.user_id, held.session_id, now)
            self._end(connection, held.session_id)
            await audit.add(
                connection,
                Done(
                    now,
                    held.user_id,
                    "refresh_token_reused",
                    "nobody",
                    address,
                    {"session": held.session_id},
                ),
            )
            return Unauthenticated(
                "REFRESH_TOKEN_REUSED", "this token was used before; the session is over"
            )
        new = new_token()
        renewed = await _begun(connection, user, now)
        expires = min(renewed + self.life, held.created + self._longest)
        if unread:
            await store.withdraw_newest(connection, held)
        await store.rotate(connection, old, digest(new), held, now, expires)
        return Opened(user, held.session_id, new)

    async def prove(
        self, connection: asyncpg.Connection, claims: Claims, token: str, field: str
    ) -> None:
        """Has whoever shows an access token show its session's refresh token as well.

        An access token goes with every call; a refresh token only to where it is used up. The
        session is locked until the transaction, the caller's, ends.

        Args:
            connection: In a transaction that sees the session.
            claims: What the access token says.
            token: The refresh token.
            field: What it came in.

        Raises:
            Unauthenticated: The session is over.
            InvalidField: It is not the newest of this session.
        """
        now = self._clock()
        held = await store.held(connection, digest(token), now)
        if held is None or held.session_id != claims.session_id:
            raise InvalidField(field, "is not of the session that the access token is of")
        if held.ended:
            raise session_over()
        if held.rotated is not None and not await _is_unread(connection, held, now):
            raise InvalidField(field, "was used; take the one that it was replaced by")

    @asynccontextmanager
    async def ending(self, operation: str, owner: Owner) -> AsyncIterator[asyncpg.Connection]:
        """A transaction in which sessions may be ended.

        Until it is committed others still read that they go on: what they have read is not
        believed afterwards.
        """
        over: list[str] = []
        try:
            async with self._database.transaction(operation, owner) as connection:
                self._over[id(connection)] = over
                try:
                    yield connection
                finally:
                    del self._over[id(connection)]
        finally:  # After a commit that failed, too: nobody knows whether it happened.
            for session_id in over:
                self._live.ended(session_id)

    def _end(self, connection: asyncpg.Connection, session_id: str) -> None:
        self._live.ended(session_id)
        self._over[id(connection)].append(session_id)

    async def list(self, user_id: str) -> Sequence[Session]:
        """A user's sessions, the last used first."""
        async with self._database.transaction("list", user_id) as connection:
            return await store.of_user(connection, user_id, self._clock())

    async def end(self, connection: asyncpg.Connection, user_id: str, session_id: str) -> bool:
        """Ends a session in an `ending` of the caller's; whether there was one to end."""
        self._end(connection, session_id)
        return await store.revoke(connection, user_id, session_id, self._clock())

    async def end_all(
        self, connection: asyncpg.Connection, user_id: str, but: str | None = None
    ) -> int:
        """Ends a user's sessions, but for one, in an `ending` of the caller's; how many."""
        ended = await store.revoke_all(connection, user_id, self._clock(), but)
        for session_id in ended:
            self._end(connection, session_id)
        return len(ended)


async def _begun(connection: asyncpg.Connection, user: User, now: datetime) -> datetime:
    """From when a session lasts. A guest has no other way back in, and goes with the last one.

    So theirs does not end because the clock was behind when it began, and is put right. Of whom
    has a password it ends: they log in again.
    """
    return await sweeping.not_before(connection, SWEEPS, now) if user.kind is Kind.GUEST else now


async def _is_unread(connection: asyncpg.Connection, token: Held, now: datetime) -> bool:
    """Whether a token was replaced so lately that the answer with the next may have been lost."""
    return (
        token.rotated is not None
        and now - token.rotated <= _ANSWER_LOST
        and await store.is_last_used(connection, token)
    )


def session_over() -> Unauthenticated:
    """To whom a session is over that an access token is of."""
    return Unauthenticated("SESSION_ENDED", "the session is over; log in again")


def _short(user_agent: str) -> str:
    """What a client calls itself, as PostgreSQL takes it."""
    return user_agent.replace("\0", "")[:_LONGEST_AGENT]
