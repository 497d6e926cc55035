"""A guest who logs in brings their interviews along.

Whoever does has shown both: the guest's tokens, and the account's password. From then on nobody is
the guest any more, and it is on record whose the interviews become: in one transaction, with the
log-in itself. They follow at once, or when they can be reached. One that was being created by then
follows when it is there; only then is the guest deleted.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from edge.gateway.accounts.deleting import SECOND_PASS, Deletions
from edge.gateway.accounts.guest import FIELD, Guest
from edge.gateway.accounts.owners import Owners
from edge.gateway.accounts.unfinished import go_on_for_ever, go_on_with, wait_after
from edge.gateway.accounts.user import Kind, User
from edge.gateway.quotas.plans import Plans
from edge.gateway.store import transfers, users
from edge.gateway.store.transfers import Transfer
from edge.gateway.tokens.sessions import Sessions
from services.runtime.errors import FailedPrecondition, NotFound, ServiceError
from services.runtime.logs import log
from services.runtime.postgres.database import EVERYBODY, Database
from services.runtime.wall_clock import Clock

_logger = logging.getLogger(__name__)

AT_ONCE = timedelta(seconds=15)
"""So long the log-in itself may try; then it is gone on with in the background."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a guest's log-in brought along.

    Attributes:
        interviews: So many are the user's.
        pending: Whether they could not be reached, and follow.
    """

    interviews: int
    pending: bool


def require_guest(guest: Guest) -> None:
    """Only a guest has interviews that can become another user's.

    Raises:
        FailedPrecondition: The token is a member's.
        InvalidField: It came alone.
    """
    if guest.claims.kind is not Kind.GUEST:
        raise FailedPrecondition("LOGGED_IN", "only a guest's interviews can be brought along")
    guest.proof()


class Transfers:
    """Has guests' interviews become an account's; `run` goes on with what could not be finished."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        plans: Plans,
        owners: Owners,
        deletions: Deletions,
        clock: Clock,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._plans = plans
        self._owners = owners
        self._deletions = deletions
        self._clock = clock

    async def begin(self, connection: asyncpg.Connection, shown: Guest, user: User) -> None:
        """Ends a guest in favour of a user, in an `ending` of the caller's.

        Raises:
            FailedPrecondition: The guest is none any more.
            Unauthenticated: The guest's session is over.
            InvalidField: The refresh token is not the guest's newest.
            QuotaExhausted: The user's plan has no room for what the guest has used.
        """
        found = await users.lock(connection, {shown.id, user.id})
        guest, heir = found.get(shown.id), found.get(user.id)
        if guest is None or guest.kind is not Kind.GUEST:
            raise FailedPrecondition("LOGGED_IN", "this guest is registered already")
        if heir is None:
            raise NotFound("user", user.id)
        await self._sessions.prove(connection, shown.claims, shown.proof(), FIELD)
        await self._plans.pass_on(connection, guest, heir)
        now = self._clock()
        await transfers.add(connection, guest.id, heir.id, now, now + AT_ONCE)
        await self._sessions.end_all(connection, guest.id)

    async def finish(self, guest_id: str, user_id: str) -> Brought:
        """Has the interviews follow what was begun just now, if they can be reached."""
        try:
            transfer = Transfer(guest_id, user_id, self._clock())
            return Brought(await self._pass(transfer), pending=False)
        except ServiceError:
            return Brought(0, pending=True)

    async def run(self) -> None:
        """Goes on with transfers that are due, for ever."""
        await go_on_for_ever(self.go_on)

    async def go_on(self) -> None:
        """Goes on with transfers that are due. What fails comes again."""
        await go_on_with(self._database, self._clock, transfers.due, self._pass)

    async def _pass(self, transfer: Transfer) -> int:
        guest, settled = transfer.guest_id, transfer.requested + SECOND_PASS
        last = self._clock() >= settled
        try:
            moved = await self._owners.transfer(guest, transfer.user_id)
        except ServiceError as error:
            wait = wait_after(transfer.attempts)
            log(_logger, logging.WARNING, "transfer not finished", user=guest, cause=error)
            async with self._database.transaction("pass", EVERYBODY) as connection:
                await transfers.failed(connection, guest, self._clock() + wait)
            raise
        if not last:
            async with self._database.transaction("pass", EVERYBODY) as connection:
                await transfers.passed(connection, guest, settled)
            return moved
        try:
            # What is left is nobody's: the record of the transfer goes with the guest.
            await self._deletions.delete(guest, "gateway", only=Kind.GUEST)
        except NotFound:
            async with self._database.transaction("pass", EVERYBODY) as connection:
                await transfers.remove(connection, guest)
        log(_logger, logging.INFO, "transfer finished", user=transfer.user_id, interviews=moved)
        return moved
