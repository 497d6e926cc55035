"""What is forgotten by age: ended sessions, used-up tokens, guests whom nobody can be any more."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta

from edge.gateway.accounts.deleting import Deletions
from edge.gateway.accounts.resetting import LIFE
from edge.gateway.accounts.user import Kind
from edge.gateway.mail.delivery import Outbox
from edge.gateway.quotas.plans import Plans
from edge.gateway.store import audit, failures, resets, sessions, users
from edge.gateway.store.tables import SWEEPS
from services.runtime.clock_jumps import tell_doubt
from services.runtime.errors import ServiceError
from services.runtime.postgres import sweeping
from services.runtime.postgres.database import EVERYBODY, Database
from services.runtime.wall_clock import Clock

_logger = logging.getLogger(__name__)

SWEEP_SECONDS = 3600.0
_ENDED_SESSIONS_KEPT = timedelta(days=30)
_FAILURES_KEPT = timedelta(days=1)
_GUESTS_KEPT = timedelta(days=1)
_SOME = 50


class Housekeeping:
    """`run` does it, for as long as the gateway lives."""

    def __init__(
        self,
        database: Database,
        deletions: Deletions,
        plans: Plans,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._plans = plans
        self._deletions = deletions
        self._clock = clock

    async def run(self) -> None:
        """Does what is due, again and again; what fails is logged, and due again the next time."""
        while True:
            with suppress(ServiceError):
                await self.sweep()
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Does it once; what the record forgets, if the clock is believed."""
        await asyncio.to_thread(self._outbox.forget, LIFE.total_seconds())
        now = self._clock()
        async with self._database.transaction("sweep", EVERYBODY) as connection:
            sweeps, believed = await sweeping.judge(connection, SWEEPS, now)
        tell_doubt(_logger, sweeps, now)
        if not believed:
            return
        async with self._database.transaction("sweep", EVERYBODY) as connection:
            await sessions.forget_ended(connection, now - _ENDED_SESSIONS_KEPT)
            await resets.forget_expired(connection, now)
            await self._plans.forget_past(connection)
            await failures.forget_old(connection, now - _FAILURES_KEPT)
            await audit.forget_old(connection, now)
        await self._delete_left_guests(now)

    async def _delete_left_guests(self, now: datetime) -> None:
        last: str | None = None
        while True:
            async with self._database.transaction("sweep", EVERYBODY) as connection:
                left = await users.left_guests(connection, now, now - _GUESTS_KEPT, _SOME, last)
            for guest in left:
                with suppress(ServiceError):  # One that is gone meanwhile, or due the next time.
                    await self._deletions.delete(guest, "gateway", only=Kind.GUEST)
            if len(left) < _SOME:
                return
            last = left[-1]
