"""Waiting work of one class of urgency: who may go first, and whether everybody can be in time."""

from __future__ import annotations

import asyncio
import bisect
import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from opentelemetry import context as otel_context

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

Estimate = Callable[[float, int], float]
"""Seconds that work of this cost, in this many items, takes the model."""


@dataclass(slots=True, eq=False)
class Submission:
    """Items that were submitted together; `cost` and `items` count those that still wait."""

    caller: str
    deadline: float
    order: int
    cost: float = 0.0
    items: int = 0

    @property
    def place(self) -> tuple[float, int]:
        """Earliest deadline first; those of equal deadline as they came."""
        return (self.deadline, self.order)


@dataclass(slots=True, eq=False)
class Job(Generic[ItemT, ResultT]):
    """One item on its way to the model."""

    item: ItemT
    future: asyncio.Future[ResultT]
    submission: Submission
    key: Hashable
    cost: float
    order: int
    submitted: float
    context: otel_context.Context
    queued: bool = True

    @property
    def caller(self) -> str:
        """Who shares fairly with others."""
        return self.submission.caller

    @property
    def deadline(self) -> float:
        """On the event loop's clock, in seconds."""
        return self.submission.deadline

    @property
    def urgency(self) -> tuple[float, int]:
        """What a caller's own items are ordered by."""
        return (self.submission.deadline, self.order)

    def __lt__(self, other: Job[ItemT, ResultT]) -> bool:
        return self.urgency < other.urgency


@dataclass(slots=True)
class WaitingLine(Generic[ItemT, ResultT]):
    """The waiting jobs: key → caller → heap by urgency. Dropped jobs leave their heap lazily."""

    jobs: dict[Hashable, dict[str, list[Job[ItemT, ResultT]]]] = field(default_factory=dict)
    waiting: Counter[Hashable] = field(default_factory=Counter)
    cost: float = 0.0
    items: int = 0
    _submissions: list[Submission] = field(default_factory=list)

    def push(self, job: Job[ItemT, ResultT]) -> None:
        """Takes a job in."""
        callers = self.jobs.setdefault(job.key, {})
        heapq.heappush(callers.setdefault(job.caller, []), job)
        self.waiting[job.key] += 1
        self.cost += job.cost
        self.items += 1
        if job.submission.items == 0:
            bisect.insort(self._submissions, job.submission, key=lambda s: s.place)
        job.submission.items += 1
        job.submission.cost += job.cost

    def forget(self, job: Job[ItemT, ResultT]) -> None:
        """Takes a job out; its heap entry is skipped when met."""
        job.queued = False
        self.waiting[job.key] -= 1
        if self.waiting[job.key] == 0:
            # Nothing live is left under this key: its dropped entries go too.
            del self.waiting[job.key]
            self.jobs.pop(job.key, None)
        self.items -= 1
        self.cost = max(0.0, self.cost - job.cost) if self.items else 0.0
        job.submission.items -= 1
        job.submission.cost -= job.cost
        if job.submission.items == 0:
            at = bisect.bisect_left(self._submissions, job.submission.place, key=lambda s: s.place)
            del self._submissions[at]

    def heads(self, key: Hashable) -> list[Job[ItemT, ResultT]]:
        """Each caller's most urgent job under `key`."""
        callers = self.jobs.get(key, {})
        found = []
        for caller in list(callers):
            heap = callers[caller]
            while heap and not heap[0].queued:
                heapq.heappop(heap)
            if heap:
                found.append(heap[0])
            else:
                del callers[caller]
        return found

    def live(self) -> Iterator[Job[ItemT, ResultT]]:
        """Every job that waits."""
        for callers in list(self.jobs.values()):
            for job in itertools.chain.from_iterable(list(callers.values())):
                if job.queued:
                    yield job

    def cost_of(self, caller: str) -> tuple[float, int]:
        """Cost and number of a caller's waiting items."""
        own = [s for s in self._submissions if s.caller == caller]
        return sum(s.cost for s in own), sum(s.items for s in own)

    def finish(self, deadline: float, cost: float, items: int, estimate: Estimate) -> float:
        """Seconds until new work would be done if all goes earliest deadline first."""
        at = bisect.bisect_right(self._submissions, deadline, key=lambda s: s.deadline)
        before = self._submissions[:at]
        return estimate(sum(s.cost for s in before) + cost, sum(s.items for s in before) + items)

    def slack(self, now: float, cost: float, items: int, estimate: Estimate, after: float) -> float:
        """The least time to spare of waiting submissions due after `after`, in seconds.

        Earliest deadline first, once this much other work has gone before them; infinite when none
        of them has a deadline.
        """
        least = math.inf
        for submission in self._submissions:
            if submission.deadline == math.inf:
                break
            cost += submission.cost
            items += submission.items
            if submission.deadline > after:
                least = min(least, submission.deadline - now - estimate(cost, items))
        return least


class Shares:
    """Stride scheduling: each caller's pass grows with what it was served; the lowest goes next."""

    def __init__(self) -> None:
        self._passes: dict[str, float] = {}
        self._virtual_time = 0.0

    def of(self, caller: str) -> float:
        """The caller's pass. A newcomer starts where the others are: it is owed nothing."""
        return max(self._passes.get(caller, 0.0), self._virtual_time)

    def charge(self, caller: str, cost: float) -> None:
        """Counts what a caller was served."""
        current = self.of(caller)
        self._virtual_time = current
        self._passes[caller] = current + cost

    def prune(self) -> None:
        """Forgets callers who are no better or worse off than a newcomer."""
        self._passes = {c: p for c, p in self._passes.items() if p > self._virtual_time}
