"""Ends long streams where nothing is cut, once the server drains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from services.runtime.errors import Draining
from services.runtime.request import current_request

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

# A stream whose caller has just ended it ends by itself, a moment after its last answer.
_PARTING_SECONDS = 1.0


async def until_draining(
    items: AsyncIterator[ItemT], begins: Callable[[ItemT], bool | None]
) -> AsyncIterator[ItemT]:
    """Passes a stream's answers on, until the server drains and nothing is left unfinished.

    Args:
        items: The answers, none of them None; closed by whoever opened them.
        begins: Asked once for each answer, in order: True if it begins something, a turn or a
            sentence say, False if it ends that, None if it does neither.

    Raises:
        Draining: The server drains; what was begun has been ended.
    """
    draining = current_request().draining
    begun = False
    while True:
        following = anext(items, None)
        item = await (following if begun else unless_draining(following, draining))
        if item is None:
            return
        change = begins(item)
        if change and not begun and draining.is_set():
            raise Draining
        begun = begun if change is None else change
        yield item


async def unless_draining(work: Awaitable[ResultT], draining: asyncio.Event) -> ResultT:
    """What the work comes to; cancels it when the server drains.

    Raises:
        Draining: The server drained first, by more than a moment.
    """
    working = asyncio.ensure_future(work)
    notice = asyncio.create_task(draining.wait())
    try:
        await asyncio.wait({working, notice}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({working}, timeout=_PARTING_SECONDS if notice.done() else None)
        if not working.done():
            raise Draining
        return await working
    finally:
        notice.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
