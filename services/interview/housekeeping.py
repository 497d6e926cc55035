"""What is done for interviews that nobody is in: reports, old ones, files that are left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from services.interview.house import House
from services.interview.rebuilding import UNREADABLE
from services.interview.recordings.recordings import Recordings
from services.interview.sessions import Sessions
from services.interview.store.store import Expiry, LeaseLost, NotExpired, Store
from services.runtime.clock_jumps import tell_doubt
from services.runtime.errors import FailedPrecondition, ServiceError
from services.runtime.logs import log
from services.runtime.wall_clock import Clock

_logger = logging.getLogger(__name__)

REVIEW_SECONDS = 5.0
"""So often it is looked whether somebody's report was left half written."""
SWEEP_SECONDS = 3600.0
"""So often old interviews and strange files are looked for."""
DELETIONS_REMEMBERED = timedelta(days=30)
"""A deletion that is asked for again within this is answered as before."""
_SOME = 50


class Housekeeping:
    """`run` does it all, for as long as the server lives."""

    def __init__(
        self,
        store: Store,
        house: House,
        sessions: Sessions,
        recordings: Recordings,
        retention_days: float,
        clock: Clock,
    ) -> None:
        """Takes after how many days without any change an interview is deleted; 0 for never.

        An owner may wish theirs to go sooner. The clock shows the present, with its time zone.
        """
        self._store = store
        self._house = house
        self._sessions = sessions
        self._recordings = recordings
        self._retention = timedelta(days=retention_days) if retention_days else None
        self._clock = clock

    async def run(self) -> None:
        """Does what is due, again and again. What fails is tried again when it is due next."""
        loop = asyncio.get_running_loop()
        sweep_at = loop.time()
        while True:
            await self._tried(self.finish_reviews)
            if loop.time() >= sweep_at:
                sweep_at = loop.time() + SWEEP_SECONDS
                await self._tried(self.delete_old)
                await self._tried(self._recordings.sweep)
            await asyncio.sleep(REVIEW_SECONDS)

    async def _tried(self, duty: Callable[[], Awaitable[None]]) -> None:
        """Does one of the duties; if it fails, the others are done all the same."""
        with suppress(ServiceError, LeaseLost), _logged():  # The store logs its own.
            await duty()

    async def finish_reviews(self) -> None:
        """Has the reports written whose writer died; what cannot be read any more has failed."""
        for user, interview_id in await self._store.unreviewed(_SOME):
            with suppress(ServiceError), _logged(interview_id):
                try:
                    await self._sessions.open(user, interview_id)
                except FailedPrecondition as error:
                    if error.reason == UNREADABLE:
                        await self._sessions.fail(user, interview_id, error)
                # Anything else: another was faster, or there is no room now.

    async def delete_old(self) -> None:
        """Deletes what is older than it may be, with everything of it, if the clock is believed."""
        now = self._clock()
        sweeps, believed = await self._store.judge_sweep(now)
        tell_doubt(_logger, sweeps, now)
        if not believed:
            return
        await self._store.forget_deletions(now - DELETIONS_REMEMBERED)
        expiry = Expiry(now, self._retention)
        while some := await self._store.expired(now, self._retention, _SOME):
            deleted = 0
            for user, interview_id in some:
                with suppress(LeaseLost, NotExpired, ServiceError), _logged(interview_id):
                    # Looked at once more: before its turn comes its candidate may.
                    await self._house.delete(user, interview_id, expiry)
                    deleted += 1
            if not deleted:
                return
            log(_logger, logging.INFO, "old interviews deleted", count=deleted)


@contextmanager
def _logged(interview_id: str | None = None) -> Iterator[None]:
    """Logs a fault of our own, or of a row, and goes on: it must not end the interviews held."""
    try:
        yield
    except (ServiceError, LeaseLost, NotExpired):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the server lives
        log(_logger, logging.ERROR, "housekeeping failed", interview=interview_id, cause=error)
