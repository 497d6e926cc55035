"""Turns between answers: a long one lets those who wait go first, an urgent one does not wait long.

A model's batch cannot be changed once it runs, so between batches is the only time to let somebody
else go first. What is left of an answer is submitted again, and the scheduler decides anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.llm.generation import Generation
from services.runtime.batching import BatchScheduler, Scheduled
from services.runtime.calls_under_way import progress

TURN_TOKENS = 64
"""Tokens after which an answer lets others of its class go first."""

_COMPANY_SECONDS = 0.03
"""Who waits no longer than this may still wait for company only, with a worker free: three times
the longest such wait of the engines here."""

_DECODE_COST = 16.0
"""What a generated token costs in prompt tokens: about 25 ms against 1.7 ms, measured."""


class Turns:
    """Who waits, and so whose turn is over. Used by the event loop and the model's threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[Generation, float] = {}

    @contextmanager
    def waiting(self, generation: Generation) -> Iterator[None]:
        """Counts a generation as waiting until its turn begins or the scope ends."""
        with self._lock:
            self._waiting[generation] = self._clock()
        try:
            yield
        finally:
            self.begin(generation)

    async def submit(
        self,
        scheduler: BatchScheduler[Generation, None],
        generation: Generation,
        deadline: float | None,
    ) -> Scheduled[None]:
        """Waits for a generation's next turn and runs it."""
        with self.waiting(generation):
            return await scheduler.submit(
                generation,
                caller=generation.caller,
                priority=generation.priority,
                deadline=deadline,
            )

    def begin(self, generation: Generation) -> None:
        """Says that its turn has begun; in the model's thread, what it generates shows there."""
        if (progressed := progress()) is not None:
            generation.progressed = progressed
        with self._lock:
            self._waiting.pop(generation, None)

    def over(self, generation: Generation, tokens: int) -> bool:
        """Whether a running answer shall let others go first after so many tokens of this turn.

        At once for a more urgent class, after `TURN_TOKENS` for its own. Less urgent work waits.
        """
        before = self._clock() - _COMPANY_SECONDS
        with self._lock:
            return any(
                other.priority < generation.priority
                or (tokens >= TURN_TOKENS and other.priority == generation.priority)
                for other, since in self._waiting.items()
                if since <= before
            )


def cost(generation: Generation) -> float:
    """An estimate of a turn's work, in prompt tokens."""
    prompt = len(generation.prompt) - generation.reused + len(generation.answer)
    return prompt + _DECODE_COST * min(generation.remaining, TURN_TOKENS)
