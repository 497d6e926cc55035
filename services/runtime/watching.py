"""Streams of a session end with it.

The edge looks at a call when it begins. What answers it may run for hours, and whoever called may
have been logged out meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from services.runtime.errors import ServiceError, Unauthenticated
from services.runtime.logs import log
from services.runtime.metrics import SESSIONS_UNCHECKED

_logger = logging.getLogger(__name__)

CHECK_SECONDS = 30.0
"""How often a session is asked about. The answer may be 20 s old where another gateway ended it,
and takes 3 s at most: a stream is over within a minute."""
AGAIN_SECONDS = 2.0
"""Asked again so soon while nobody can say."""

Watch = Callable[[str], Coroutine[Any, Any, None]]
"""Runs beside a stream of the session that it is given, and raises when the stream is to end."""


class SessionWatch:
    """Ends streams whose session is over; while nobody can say whether it is, they go on."""

    def __init__(self, is_live: Callable[[str], Awaitable[bool]]) -> None:
        """Takes who says whether a session goes on, or raises a ServiceError."""
        self._is_live = is_live
        self._unchecked = 0
        self._away = False

    async def __call__(self, session: str) -> None:
        """Runs as long as the session.

        Raises:
            Unauthenticated: It is over.
        """
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if not await self._asked(session):
                raise Unauthenticated("SESSION_ENDED", "the session is over; log in again")

    async def _asked(self, session: str) -> bool:
        """Whether the session goes on, by the first who can say."""
        try:
            live = await self._is_live(session)
        except ServiceError as error:
            self._tell_away(error)
        else:
            self._tell_back()
            return live
        self._count(+1)
        try:
            live = await self._until_told(session)
        finally:
            self._count(-1)
        self._tell_back()
        return live

    async def _until_told(self, session: str) -> bool:
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            with suppress(ServiceError):
                return await self._is_live(session)

    def _count(self, more: int) -> None:
        self._unchecked += more
        SESSIONS_UNCHECKED.inc(more)

    def _tell_away(self, error: ServiceError) -> None:
        """Logs that nobody can say, once an outage.

        Where nobody has waited for the end of the last one this may be another.
        """
        if not self._away or not self._unchecked:
            self._away = True
            log(_logger, logging.WARNING, "sessions cannot be checked", cause=error)

    def _tell_back(self) -> None:
        """Logs that all who were asked about have been told of; the outage is over."""
        if self._away and not self._unchecked:
            self._away = False
            log(_logger, logging.INFO, "sessions can be checked again")


@asynccontextmanager
async def watched(watching: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """A scope that is left at once with what `watching` raises, whatever it waits for."""
    task = asyncio.create_task(watching)
    try:
        async with asyncio.timeout(None) as limit:

            def end(_: asyncio.Task[None]) -> None:
                limit.reschedule(asyncio.get_running_loop().time())

            task.add_done_callback(end)
            try:
                yield
            finally:
                task.remove_done_callback(end)
    except TimeoutError:
        if limit.expired():
            task.result()
        raise
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def sent_whole(
    write: Callable[[Any], Coroutine[Any, Any, None]],
) -> AsyncIterator[Callable[[Any], Awaitable[None]]]:
    """A `write` that may be left while it waits for its reader.

    What it had begun to send is sent before the scope ends: gRPC takes no status while a message is
    on its way. A caller that reads nothing has the call cut by the proxy when nothing moves.
    """
    sending: asyncio.Task[None] | None = None

    async def left(message: Any) -> None:
        nonlocal sending
        sending = asyncio.create_task(write(message))
        await asyncio.shield(sending)

    try:
        yield left
    finally:
        if sending is not None and not sending.done():
            await asyncio.gather(sending, return_exceptions=True)
