"""What interviews take of a user's quota: counted before one is kept, given back if none is held.

Whether an interview was kept or removed, or its use counted, is not known when the answer is late
or whoever asked has gone away. So a use is given back by what the store has, in a task that
outlives the call and tries until the store and the gateway answer.
"""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Protocol

import grpc

from services.interview.clients.seams import Quota
from services.runtime.errors import ServiceError
from services.runtime.logs import log
from services.runtime.telemetry import trace_alone

_logger = logging.getLogger(__name__)

CLOSING_SECONDS = 3.0
"""What is still to be given back when the server stops has this long."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
_TRIES = 60
"""Over 50 minutes: a gateway that is away for longer is not waited for."""
# What else is answered may be answered otherwise the next time.
_FOR_GOOD = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED}


class Kept(Protocol):
    """Knows which interviews there are."""

    async def holds(self, interview_id: str) -> bool:
        """See `Store.holds`."""
        ...


class Uses:
    """Reserves uses and gives them back. What is under way is finished or given up at its exit."""

    def __init__(self, quota: Quota, kept: Kept) -> None:
        """Takes where uses are counted, and who knows which interviews there are."""
        self._quota = quota
        self._kept = kept
        self._returning: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Uses:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._returning:
            return
        _, late = await asyncio.wait(self._returning, timeout=CLOSING_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            log(_logger, logging.WARNING, "quota not given back: stopping", count=len(late))

    async def reserve(self, user: str, interview_id: str) -> None:
        """Counts an interview of the user's; see `Quota.reserve`."""
        await self._quota.reserve(user, interview_id)

    def give_back(self, user: str, interview_id: str) -> asyncio.Task[None]:
        """Counts an interview no more, unless it is held.

        The task, which nobody needs to await, raises nothing.
        """
        # A context of its own: the call's time may be up, and is no limit here.
        task = asyncio.create_task(
            self._give_back(user, interview_id), name="quota-release", context=trace_alone()
        )
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)
        return task

    async def _give_back(self, user: str, interview_id: str) -> None:
        wait, cause = _FIRST_WAIT, None
        for _ in range(_TRIES):
            try:
                if await self._kept.holds(interview_id):
                    return
                await self._quota.release(user, interview_id)
            except ServiceError as error:
                if error.code is grpc.StatusCode.NOT_FOUND:
                    return  # Its user is gone, and all uses.
                cause = error
                if error.code in _FOR_GOOD:
                    break
                log(_logger, logging.WARNING, "quota not given back yet", cause=error)
            else:
                return
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
        log(_logger, logging.ERROR, "quota never given back", cause=cause, interview=interview_id)
