"""How long interviews are kept: as long as their user's settings say, in the end always.

Two servers keep it, and calls are broken off between the two, or overtake each other. So it is put
on record first that they may differ, and what the settings say then is told again, once no call
that was begun before can be under way any more.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import asyncpg

from edge.gateway.accounts import wire
from edge.gateway.accounts.owners import SECONDS, Owners
from edge.gateway.accounts.unfinished import go_on_for_ever, go_on_with, wait_after
from edge.gateway.store import retention, users
from edge.gateway.store.retention import Doubt
from services.runtime.errors import ServiceError
from services.runtime.logs import log
from services.runtime.postgres.database import Database
from services.runtime.wall_clock import Clock

_logger = logging.getLogger(__name__)

SETTLED = timedelta(seconds=2 * SECONDS)
"""What was told is kept or lost by then."""


class Retention:
    """Tells the interviews; `run` goes on until they agree with the settings."""

    def __init__(self, database: Database, owners: Owners, clock: Clock) -> None:
        self._database = database
        self._owners = owners
        self._clock = clock

    async def changed(self, connection: asyncpg.Connection, user_id: str) -> None:
        """Notes that a user's settings say another time, in a transaction of the caller's."""
        await retention.doubt(connection, user_id, self._clock() + SETTLED)

    async def require(self, user_id: str, settings: Mapping[str, Any]) -> None:
        """Has interviews kept as settings will say that are not kept yet.

        Raises:
            Unavailable: It could not be told; the settings are to stay what they are.
        """
        async with self._database.transaction("require", user_id) as connection:
            await self.changed(connection, user_id)
        await self._owners.keep_for(user_id, wire.retention(settings))

    async def run(self) -> None:
        """Tells what is due, for ever."""
        await go_on_for_ever(self.go_on)

    async def go_on(self) -> None:
        """Tells what is due. What fails comes again."""
        await go_on_with(self._database, self._clock, retention.due, self._pass)

    async def _pass(self, known: Doubt) -> None:
        user_id = known.user_id
        async with self._database.transaction("pass", user_id) as connection:
            user = await users.find(connection, user_id)
        if user is None:
            return  # It went with them.
        try:
            await self._owners.keep_for(user_id, wire.retention(user.settings))
        except ServiceError as error:
            wait = wait_after(known.attempts)
            log(_logger, logging.WARNING, "retention not told", user=user_id, cause=error)
            async with self._database.transaction("pass", user_id) as connection:
                await retention.failed(connection, known, self._clock() + wait)
            raise
        async with self._database.transaction("pass", user_id) as connection:
            await retention.settled(connection, known)
