"""When simulated engines worked, and for whom."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from services.runtime.request import current_request


@dataclass(slots=True)
class Work:
    """A record of intervals and moments, on the running loop's clock, by caller.

    Attributes:
        spans: Begin and end of each piece of work.
        turns: When each candidate turn was told to be over.
    """

    spans: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    turns: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def take(self, seconds: float) -> None:
        """Works for the running request's caller."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(seconds)
        self.spans[current_request().caller].append((began, loop.time()))

    def turn_over(self) -> None:
        """Notes that the caller's candidate has finished."""
        self.turns[current_request().caller].append(asyncio.get_running_loop().time())

    def within(self, caller: str, begin: float, end: float) -> float:
        """Seconds between two moments in which anything was done for a caller."""
        busy, reached = 0.0, begin
        for began, ended in sorted(self.spans[caller]):
            start, stop = max(began, reached), min(ended, end)
            if stop > start:
                busy += stop - start
                reached = stop
        return busy
