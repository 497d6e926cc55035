"""Ends long streams where nothing is cut, once the server drains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

from services.runtime.errors import Draining
from services.runtime.request import current_request

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

# A stream whose caller has just ended it ends by itself, a moment after its last answer.
_PARTING_SECONDS = 1.0


async def until_finished(
    items: AsyncIterator[ItemT], unfinished: Callable[[], bool]
) -> AsyncGenerator[ItemT]:
    """Passes a stream's answers on, until the server drains and their source has finished.

    Args:
        items: The answers, none of them None; closed by whoever opened them.
        unfinished: Whether the source works on something, even if no answer has told of it yet.
            An answer follows before it has finished.

    Raises:
        Draining: The server drains; what was begun has been finished.
    """
    draining = current_request().draining
    while True:
        over = draining.is_set() and not unfinished()
        following = anext(items, None)
        item = await (
            following if unfinished() else unless_draining(following, draining, unfinished)
        )
        if item is None:
            return
        if over and unfinished():
            raise Draining
        yield item


async def unless_draining(
    work: Awaitable[ResultT], draining: asyncio.Event, unfinished: Callable[[], bool] = bool
) -> ResultT:
    """What the work comes to; cancels it when the server drains and nothing is unfinished.

    Raises:
        Draining: The server drained first, by more than a moment.
    """
    working = asyncio.ensure_future(work)
    notice = asyncio.create_task(draining.wait())
    try:
        await asyncio.wait({working, notice}, return_when=asyncio.FIRST_COMPLETED)
        if not unfinished():
            await asyncio.wait({working}, timeout=_PARTING_SECONDS if notice.done() else None)
            if not working.done():
                raise Draining
        return await working
    finally:
        notice.cancel()
        working.cancel()
        # Not a wait alone: asyncio would log an error of its that nobody takes.
        await asyncio.gather(working, return_exceptions=True)
