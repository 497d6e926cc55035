"""What each plan allows: decided here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import asyncpg

from edge.gateway.accounts.user import Kind, Plan, User
from edge.gateway.quotas.remembering import RememberedUse
from edge.gateway.store import remembered_use, reservations, transfers, users
from services.runtime.errors import NotFound, QuotaExhausted
from services.runtime.postgres.database import EVERYBODY, Database
from services.runtime.wall_clock import Clock

INTERVIEW = "interview"
"""Interviews created."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of something a user has used.

    Attributes:
        used: So much.
        limit: So much they may; None for as much as they like.
        resets: When `used` begins at 0 again; None where it never does.
    """

    used: int
    limit: int | None
    resets: datetime | None


def month_of(moment: datetime) -> date:
    """The calendar month (UTC) of a moment, as its first day."""
    return moment.astimezone(UTC).date().replace(day=1)


def month_after(month: date) -> datetime:
    """When a month is over."""
    year, following = divmod(month.year * 12 + month.month, 12)
    return datetime(year, following + 1, 1, tzinfo=UTC)


class Plans:
    """Counts uses and says when there is none left."""

    def __init__(
        self,
        database: Database,
        remembered: RememberedUse,
        clock: Clock,
        *,
        free_interviews: int,
        guest_interviews: int,
    ) -> None:
        """Takes how many interviews the plan free allows a month, and a guest in all."""
        self._database = database
        self._remembered = remembered
        self._clock = clock
        self._free = free_interviews
        self._guest = guest_interviews

    async def usage(self, connection: asyncpg.Connection, user: User) -> Usage:
        """What a user has used, in a transaction of the caller's."""
        month = month_of(self._clock())
        guest = user.kind is Kind.GUEST
        used = await reservations.count(connection, user.id, INTERVIEW, None if guest else month)
        if guest:
            return Usage(used, self._guest, None)
        used += await self._remembered.used(connection, user, INTERVIEW, month)
        return Usage(used, None if user.plan is Plan.PRO else self._free, month_after(month))

    async def reserve(self, user_id: str, key: str) -> Usage:
        """Counts an interview; the same key counts once.

        Raises:
            NotFound: There is no such user, or it is a guest who is another by now.
            QuotaExhausted: They have none left.
        """
        # Whose a guest's interviews become is on record as that one's.
        async with self._database.transaction("reserve", EVERYBODY) as connection:
            # The lock is what makes two at once take turns.
            user = await users.find(connection, user_id, locked=True)
            if user is None or await transfers.known(connection, user_id):
                raise NotFound("user", user_id, "user_id")
            before = await self.usage(connection, user)
            if await reservations.known(connection, user_id, INTERVIEW, key):
                return before
            if before.limit is not None and before.used >= before.limit:
                raise _exhausted(user, before)
            now = self._clock()
            await reservations.add(connection, user_id, INTERVIEW, key, month_of(now), now)
            return Usage(before.used + 1, before.limit, before.resets)

    async def remember(self, connection: asyncpg.Connection, user: User) -> None:
        """Keeps counting what a user has used who leaves, in a transaction of the caller's."""
        await self._remembered.remember(connection, user, INTERVIEW, month_of(self._clock()))

    async def forget_past(self, connection: asyncpg.Connection) -> None:
        """Forgets what those have used who left before this month."""
        await remembered_use.forget_before(connection, month_of(self._clock()))

    async def pass_on(self, connection: asyncpg.Connection, guest: User, heir: User) -> None:
        """Counts what a guest has used as a user's, in a transaction of the caller's.

        Raises:
            QuotaExhausted: The user has not so much left.
        """
        month = month_of(self._clock())
        more = await reservations.count(connection, guest.id, INTERVIEW, month)
        before = await self.usage(connection, heir)
        if more and before.limit is not None and before.used + more > before.limit:
            raise _exhausted(heir, before)
        await reservations.pass_on(connection, guest.id, heir.id)

    async def release(self, user_id: str, key: str) -> Usage:
        """Gives an interview back that was not held; one that is not counted does no harm.

        A guest may have logged in since it was counted: it is given back whosever it is now.

        Raises:
            NotFound: There is no such user any more; it is given back all the same.
        """
        async with self._database.transaction("release", EVERYBODY) as connection:
            user = await users.find(connection, user_id, locked=True)
            await reservations.remove(connection, INTERVIEW, key)
            if user is not None:
                return await self.usage(connection, user)
        raise NotFound("user", user_id, "user_id")


def _exhausted(user: User, usage: Usage) -> QuotaExhausted:
    metadata = {"limit": str(usage.limit), "used": str(usage.used), "kind": user.kind.value}
    if usage.resets is None:
        message = f"a guest has {usage.limit} interview(s); register to go on, and keep it"
    else:
        metadata["reset_time"] = usage.resets.strftime("%Y-%m-%dT%H:%M:%SZ")
        message = f"the plan {user.plan} has {usage.limit} interviews a month, and all are used"
    return QuotaExhausted(f"user:{user.id}", message, metadata)
