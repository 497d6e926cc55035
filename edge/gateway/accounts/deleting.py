"""Deleting accounts: at once here, and until it is done wherever else something of theirs is."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from edge.gateway.accounts.owners import INTERVIEWS, Owners
from edge.gateway.accounts.proof import Proof
from edge.gateway.accounts.unfinished import go_on_for_ever, go_on_with, wait_after
from edge.gateway.accounts.user import Kind
from edge.gateway.quotas.plans import Plans
from edge.gateway.store import audit, deletions, users
from edge.gateway.store import sessions as session_store
from edge.gateway.store.audit import Done
from edge.gateway.store.deletions import Deletion
from edge.gateway.tokens.sessions import Sessions
from services.runtime.errors import NotFound, ServiceError
from services.runtime.logs import log
from services.runtime.postgres.database import Database
from services.runtime.wall_clock import Clock

_logger = logging.getLogger(__name__)

SECOND_PASS = timedelta(minutes=2)
"""An interview that was being created when its owner was deleted is there by then."""
_PASSES = 2


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed with an account.

    Attributes:
        pending: Parts that could not be reached, and are asked again.
    """

    interviews: int
    recordings: int
    sessions: int
    pending: Sequence[str] = ()


class Deletions:
    """Deletes accounts; `run` goes on with what could not be finished."""

    def __init__(
        self, database: Database, sessions: Sessions, plans: Plans, owners: Owners, clock: Clock
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._plans = plans
        self._owners = owners
        self._clock = clock

    async def delete(
        self, user_id: str, actor: str, only: Kind | None = None, proof: Proof | None = None
    ) -> Removed:
        """Deletes a user: all rows of theirs now, all else now or later.

        Args:
            user_id: The user.
            actor: Who wants it, for the audit log.
            only: What they must be; None for whatever they are.
            proof: What has to hold still; None where nobody had to prove anything.

        Raises:
            NotFound: There is no such user.
            Unauthenticated, InvalidField: The proof does not hold any more.
            StoreFailed: The database could not do it; the account is still there.
        """
        now = self._clock()
        async with self._sessions.ending("delete", user_id) as connection:
            # First, as whoever else changes what a user is.
            user = await (
                users.find(connection, user_id, locked=True)
                if proof is None
                else proof.require(connection, now)
            )
            if user is None or only not in (None, user.kind):
                raise NotFound("user", user_id)
            live = len(await session_store.of_user(connection, user_id, now))
            await self._sessions.end_all(connection, user_id)
            # From now on it is known that everything has to go.
            await deletions.add(connection, user_id, now)
            await self._plans.remember(connection, user)
            await users.remove(connection, user_id)
            await audit.forget_places(connection, user_id)
            await audit.add(connection, Done(now, user_id, "account_deleted", actor))
        try:
            interviews, recordings = await self._pass(Deletion(user_id, 0, 0))
        except ServiceError:
            return Removed(0, 0, live, (INTERVIEWS,))
        return Removed(interviews, recordings, live)

    async def run(self) -> None:
        """Goes on with deletions that are due, for ever."""
        await go_on_for_ever(self.go_on)

    async def go_on(self) -> None:
        """Goes on with deletions that are due. What fails comes again."""
        await go_on_with(self._database, self._clock, deletions.due, self._pass)

    async def _pass(self, deletion: Deletion) -> tuple[int, int]:
        user_id = deletion.user_id
        try:
            removed = await self._owners.delete(user_id)
        except ServiceError as error:
            wait = wait_after(deletion.attempts)
            log(_logger, logging.WARNING, "deletion not finished", user=user_id, cause=error)
            async with self._database.transaction("pass", user_id) as connection:
                await deletions.failed(connection, user_id, self._clock() + wait)
            raise
        now = self._clock()
        finished = now if deletion.passes + 1 >= _PASSES else None
        async with self._database.transaction("pass", user_id) as connection:
            await deletions.passed(connection, user_id, removed, now + SECOND_PASS, finished)
        if finished:
            log(_logger, logging.INFO, "deletion finished", user=user_id)
        return removed
