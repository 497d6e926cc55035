"""Messages of a call that are taken one after the other, each once the one before it is stored."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic

from services.interview.conversation import events as m
from services.interview.pump import MOST_BYTES, MessageT, weight


class InTurn(Generic[MessageT]):
    """Takes them; `run` those that have to wait, of which `MOST_BYTES` are kept.

    All that may be typed in an interview is less.
    """

    def __init__(
        self,
        take: Callable[[MessageT], m.Store],
        settled: Callable[[m.Store], Awaitable[object]],
    ) -> None:
        """Has each taken by `take`; `settled` waits until that is stored, or could not be."""
        self._take = take
        self._settled = settled
        self._said: m.Store | None = None
        self._waiting: deque[MessageT] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()

    async def bring(self, message: MessageT) -> None:
        """Brings the next: it is taken at once where nothing is waited for.

        Where too many wait, whoever brings it waits, too.
        """
        if not self._waiting and (self._said is None or self._said.done.is_set()):
            self._said = self._take(message)
            return
        self._waiting.append(message)
        self._bytes += weight(message)
        self._wake()
        await self._until(lambda: self._bytes <= MOST_BYTES)

    async def all_taken(self) -> None:
        """Waits until none waits any more."""
        await self._until(lambda: not self._waiting)

    async def run(self) -> None:
        """Takes those that wait, for ever; what `take` raises ends it."""
        while True:
            await self._until(lambda: bool(self._waiting))
            if self._said is not None:
                await self._settled(self._said)
            message = self._waiting[0]
            self._said = self._take(message)
            self._waiting.popleft()
            self._bytes -= weight(message)
            self._wake()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
