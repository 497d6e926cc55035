"""Ends long streams where nothing is cut, once the server drains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from services.runtime.errors import Draining
from services.runtime.request import current_request

ItemT = TypeVar("ItemT")

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
        item = await (anext(items, None) if begun else _next(items, draining))
        if item is None:
            return
        change = begins(item)
        if change and not begun and draining.is_set():
            raise Draining
        begun = begun if change is None else change
        yield item


async def _next(items: AsyncIterator[ItemT], draining: asyncio.Event) -> ItemT | None:
    """The next item, None at the end; raises Draining if the server drains and none is to come."""
    following = asyncio.ensure_future(anext(items, None))
    notice = asyncio.create_task(draining.wait())
    try:
        await asyncio.wait({following, notice}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({following}, timeout=_PARTING_SECONDS if notice.done() else None)
        if not following.done():
            raise Draining
        return await following
    finally:
        notice.cancel()
        if not following.done():
            following.cancel()
            await asyncio.wait({following})
