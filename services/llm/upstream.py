"""Admission to a model server elsewhere: so many requests at once, so many waiting, none too late.

What it does with a request is not known here, so the time until one ends is taken from those that
ended. When all places are taken the most urgent class goes first, and in a class callers take
turns. A server that asks for a pause gets it from all requests.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.runtime import metrics
from services.runtime.batching import Priority
from services.runtime.errors import DeadlineExpired, Overloaded

_NAME = "llm"
_SMOOTHING = 0.2
_LEAST_RETRY = 0.05


@dataclass(slots=True, order=True)
class _Waiter:
    priority: Priority
    turn: int
    order: int
    place: asyncio.Future[None] = field(compare=False)


class Upstream:
    """The places at the server. For one event loop."""

    def __init__(self, places: int, max_queue: int) -> None:
        """Takes the most requests at once, and the most that wait for a place."""
        self._places = places
        self._max_queue = max_queue
        self._taken = 0
        self._waiting: list[_Waiter] = []
        self._callers: Counter[str] = Counter()
        self._arrivals = 0
        self._seconds = 0.0
        self._paused_until = 0.0

    @asynccontextmanager
    async def place(
        self, *, caller: str, priority: Priority, deadline: float | None
    ) -> AsyncGenerator[float, None]:
        """Holds a place; yields the seconds it was waited for.

        Args:
            caller: Who takes turns with others.
            priority: Its class.
            deadline: On the event loop's clock, in seconds; None waits as long as it takes.

        Raises:
            Overloaded: The deadline would pass first, or too many wait; raised at once.
            DeadlineExpired: It passed nevertheless.
        """
        clock = asyncio.get_running_loop().time
        arrived = clock()
        self._admit(priority, arrived, deadline)
        self._callers[caller] += 1
        try:
            await self._wait(caller, priority, deadline)
            started = clock()
            try:
                yield started - arrived
                self._learn(clock() - started)
            finally:
                self._taken -= 1
                self._fill()
        finally:
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]

    def pause(self, seconds: float) -> None:
        """Lets nobody in for so long: the server asked for it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if until > self._paused_until:
            self._paused_until = until
            loop.call_at(until, self._fill)

    def _admit(self, priority: Priority, now: float, deadline: float | None) -> None:
        wait = self._forecast(priority, now)
        if wait and len(self._waiting) >= self._max_queue:
            reason, words = "queue_full", "too many requests wait for the model's server"
        elif deadline is not None and wait and now + wait >= deadline:
            reason, words = "deadline", "the model's server has no place free before the deadline"
        else:
            return
        metrics.REFUSED.labels(_NAME, reason).inc()
        raise Overloaded(words, retry_after=max(wait, _LEAST_RETRY))

    def _forecast(self, priority: Priority, now: float) -> float:
        """Seconds until a place is free for work of this class; 0 when one is."""
        pause = max(0.0, self._paused_until - now)
        if self._taken < self._places and not self._waiting:
            return pause
        ahead = sum(waiter.priority <= priority for waiter in self._waiting)
        # Requests end one after another, so places become free that much faster than one ends.
        turns = max(_LEAST_RETRY, self._seconds) * (ahead + 1) / self._places
        return pause + turns

    async def _wait(self, caller: str, priority: Priority, deadline: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._arrivals += 1
        waiter = _Waiter(priority, self._callers[caller], self._arrivals, loop.create_future())
        heapq.heappush(self._waiting, waiter)
        self._fill()
        try:
            async with asyncio.timeout_at(deadline):
                await waiter.place
        except (TimeoutError, asyncio.CancelledError) as error:
            if waiter.place.done() and not waiter.place.cancelled():
                self._taken -= 1
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
                heapq.heapify(self._waiting)
            self._fill()
            if isinstance(error, TimeoutError):
                raise DeadlineExpired from None
            raise

    def _fill(self) -> None:
        """Hands free places to those who wait."""
        paused = asyncio.get_running_loop().time() < self._paused_until
        while self._waiting and self._taken < self._places and not paused:
            waiter = heapq.heappop(self._waiting)
            if not waiter.place.done():
                waiter.place.set_result(None)
                self._taken += 1
        metrics.QUEUE_LENGTH.labels(_NAME).set(len(self._waiting))

    def _learn(self, seconds: float) -> None:
        known = self._seconds or seconds
        self._seconds = known + _SMOOTHING * (seconds - known)
