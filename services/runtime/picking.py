"""The policy: which waiting jobs make the next batch.

1. The most urgent class that has work leads; in it, the job that fair sharing puts first.
2. Jobs of its class and key join in their order, as far as the limits of a batch allow.
3. Less urgent jobs of the key fill what is left, as far as those before them hardly notice.

Nobody who would make others late is here: admission has refused them.

The workers pick with it, and admission forecasts with it.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from services.runtime.queueing import Lane, Priority, Waiting
from services.runtime.speed import Speed

ItemT = TypeVar("ItemT")

# How long a batch with less urgent work in it may be, in times of what more urgent work needs for
# itself: whoever finds one running waits little longer than for a batch of its own kind.
_PATIENCE = 1.2
# The weight that the past keeps in what a class needs, at each of its batches.
_KEPT = 0.95


@dataclass(frozen=True, slots=True)
class Limits:
    """What a batch may be.

    Attributes:
        items: Most items.
        cost: Most cost, unless one item alone has more.
        seconds: Longest predicted time of more than one item.
    """

    items: int
    cost: float = math.inf
    seconds: float = math.inf


class Part(NamedTuple, Generic[ItemT]):
    """A range of a lane's jobs."""

    lane: Lane[ItemT]
    start: int
    stop: int


class Batch(NamedTuple, Generic[ItemT]):
    """What runs next.

    Attributes:
        parts: Jobs of one key, the most urgent class first.
        cost: Theirs together.
        due: The earliest of their deadlines.
    """

    parts: list[Part[ItemT]]
    cost: float
    due: float


_NOTHING: Batch[Any] = Batch([], 0.0, math.inf)


class Picker:
    """Picks batches, in the light of how long they take."""

    def __init__(self, limits: Limits, speed: Speed) -> None:
        self.limits = limits
        self._most = limits.cost
        self._speed = speed
        # What batches that a class leads lately cost, less urgent company left out.
        self._usual = [math.inf for _ in Priority]

    def shrink(self, cost: float) -> None:
        """Limits batches to so much cost: the device has no memory for more."""
        self.limits = replace(self.limits, cost=min(cost, self.limits.cost))

    def grow(self, cost: float, items: int) -> None:
        """Feels a way back after a batch went well that had no room for one more item like its."""
        more = cost / items
        if cost + more > self.limits.cost and self.limits.cost < self._most:
            self.limits = replace(self.limits, cost=min(cost + more, self._most))

    def ran(self, batch: Batch[ItemT]) -> None:
        """Notes a batch that is about to run."""
        lane, start, stop = batch.parts[0]
        cost, usual = sum(job.cost for job in lane.jobs[start:stop]), self._usual[lane.priority]
        self._usual[lane.priority] = (
            cost if usual == math.inf else _KEPT * usual + (1 - _KEPT) * cost
        )

    def batches(
        self, waiting: Waiting[ItemT], after: Iterable[Batch[ItemT]] = ()
    ) -> Iterator[Batch[ItemT]]:
        """What workers would take, one batch after another, if nothing more came.

        Nothing is taken out; what is to run is the first.

        Args:
            waiting: All work.
            after: The first of them, where they are known; what follows is found.
        """
        speed = self._speed
        taken: dict[Lane[ItemT], int] = defaultdict(int)
        taken.update((lane, stop) for batch in after for lane, _, stop in batch.parts)
        for urgency, lanes in enumerate(waiting.lanes):
            # A batch cannot be stopped: it must not hold up more urgent work, should some come.
            usual = min(self._usual[:urgency], default=math.inf)
            seconds = min(self.limits.seconds, _PATIENCE * speed.seconds(usual))
            limit = min(self.limits.cost, speed.cost_within(seconds))
            less_urgent = list(filter(None, waiting.lanes[urgency + 1 :]))
            heads = [
                (lane.jobs[taken[lane]].place, lane)
                for lane in lanes.values()
                if taken[lane] < len(lane.jobs)
            ]
            heapq.heapify(heads)
            while heads:
                _, lead = heads[0]
                batch = self._joined(_NOTHING, taken, lead, limit)
                if company := [of[lead.key] for of in less_urgent if lead.key in of]:
                    short = min(limit, speed.cost_within(_PATIENCE * speed.seconds(batch.cost)))
                    for lane in company:
                        batch = self._joined(batch, taken, lane, short)
                if taken[lead] < len(lead.jobs):
                    heapq.heapreplace(heads, (lead.jobs[taken[lead]].place, lead))
                else:
                    heapq.heappop(heads)
                yield batch

    def _joined(
        self, batch: Batch[ItemT], taken: dict[Lane[ItemT], int], lane: Lane[ItemT], limit: float
    ) -> Batch[ItemT]:
        """The batch with as many more jobs of a lane as it can take."""
        parts, cost, due = batch
        start = stop = taken[lane]
        room = self.limits.items
        for part in parts:
            room -= part.stop - part.start
        # A forecast comes here for every batch that waits, whenever a call is decided upon.
        for job in lane.jobs[start : start + room]:
            more = cost + job.cost
            if more > limit and (parts or stop > start):
                break
            cost = more
            stop += 1
        if stop == start:
            return batch
        taken[lane] = stop
        due = min(due, *[job.submission.deadline for job in lane.jobs[start:stop]])
        return Batch([*parts, Part(lane, start, stop)], cost, due)
