"""Whether a session goes on, without asking the database at every call."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from edge.gateway.store import sessions as store
from services.runtime.postgres.database import EVERYBODY, Database
from services.runtime.wall_clock import Clock, now

REMEMBERED_SECONDS = 20.0
"""A session that another gateway has ended is refused after so long at the latest."""
_MOST = 10_000


class LiveSessions:
    """`is_live` of sessions; what this gateway ends is known at once."""

    def __init__(
        self,
        database: Database,
        clock: Clock = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Takes the calendar's clock, and the one that counts seconds."""
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        # Sessions that went on, and until when that is believed.
        self._believed: dict[str, float] = {}
        # Sessions that were ended here, each with the number of its end: a read that began before
        # says nothing of what is after it.
        self._ended: dict[str, int] = {}
        self._ends = 0

    async def is_live(self, session_id: str) -> bool:
        """Whether a session goes on: it was not ended, has not expired, and its user is there.

        Raises:
            StoreFailed: It is not known, and the database cannot be asked.
        """
        if self._believed.get(session_id, 0.0) > self._monotonic():
            return True
        try:
            uuid.UUID(session_id)
        except ValueError:
            return False
        began = self._ends
        async with self._database.transaction("is_live", EVERYBODY) as connection:
            live = await store.live(connection, session_id, self._clock())
        self._believed.pop(session_id, None)
        if live and self._ended.get(session_id, 0) <= began:
            while len(self._believed) >= _MOST:  # The oldest is first.
                del self._believed[next(iter(self._believed))]
            self._believed[session_id] = self._monotonic() + REMEMBERED_SECONDS
        return live

    def ended(self, session_id: str) -> None:
        """A session is over, or will be when a transaction is committed; told again then."""
        self._believed.pop(session_id, None)
        self._ended.pop(session_id, None)
        while len(self._ended) >= _MOST:
            del self._ended[next(iter(self._ended))]
        self._ends += 1
        self._ended[session_id] = self._ends
