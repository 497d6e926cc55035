"""Who is refused: the forecast plays the picker forward over all that waits.

Work is accepted when it, and all that was accepted before, is done in time by the forecast. Beside
that, room is left for those who may come: each caller and each class may promise itself only what
remains when a newcomer, and the classes before it, take their part.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.runtime.errors import DeadlineTooShort, Overloaded
from services.runtime.picking import Cursor, Picker
from services.runtime.queueing import Job, Lane, Priority, Submission, Waiting
from services.runtime.speed import CAUTION, Speed

ItemT = TypeVar("ItemT")

# Demand of more urgent classes is remembered for about so many seconds.
_MEMORY = 5.0
_LEAST_RETRY = 0.05
_LOST = 1e6

_REASONS = {
    "queue_full": "the queue is full",
    "memory": "what waits holds as much memory as it may",
    "deadline": "it could not be done by its deadline",
    "others_deadline": "it would make work late that was accepted before",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why work is refused, and after how many seconds it might not be."""

    reason: str
    retry_after: float

    def error(self, name: str) -> Overloaded:
        """What the caller of the scheduler of this name is told."""
        return Overloaded(
            f"{name} is overloaded: {_REASONS[self.reason]}",
            retry_after=max(self.retry_after, _LEAST_RETRY),
        )


@dataclass(slots=True)
class Demand:
    """How many seconds of work a second a class asks for, accepted or not."""

    seconds: float = 0.0
    at: float = 0.0
    since: float = math.inf

    def add(self, seconds: float, now: float) -> None:
        """Counts work that was asked for."""
        self.since = min(self.since, now)
        self.seconds = self.seconds * math.exp((self.at - now) / _MEMORY) + seconds
        self.at = now

    def of(self, now: float) -> float:
        """Seconds a second, lately."""
        if self.since == math.inf:
            return 0.0
        known = _MEMORY * (1 - math.exp((self.since - now) / _MEMORY))
        return self.seconds * math.exp((self.at - now) / _MEMORY) / max(known, 1.0)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What becomes of a submission.

    Attributes:
        done: Seconds until it is done.
        served: The cost of what is done until then.
        risk: Seconds by which others would be late at worst; a hopeless one counts `_LOST`.
    """

    done: float
    served: float
    risk: float


class Admission(Generic[ItemT]):
    """Decides over submissions that have just been put in the queue."""

    def __init__(
        self, waiting: Waiting[ItemT], picker: Picker, speed: Speed, workers: int, max_wait: float
    ) -> None:
        self._waiting = waiting
        self._picker = picker
        self._speed = speed
        self._workers = workers
        self._max_wait = max_wait
        self._demand = [Demand() for _ in Priority]

    def decide(self, new: Submission, now: float, busy: Sequence[float]) -> Refusal | None:
        """Why a submission is refused; None if it is not.

        Args:
            new: The submission, its jobs already in the queue.
            now: The time.
            busy: Seconds after which each worker that runs a batch will be free.

        Raises:
            DeadlineTooShort: However idle the workers were.
        """
        self._speed.age(now)
        cost = sum(job.cost for job in new.jobs)
        full = min(self._picker.limits.cost, cost / len(new.jobs) * self._picker.limits.items)
        self._demand[new.priority].add(self._speed.seconds(full) * cost / full, now)
        if new.deadline == math.inf or not self._speed.known:
            return None
        left = new.deadline - now
        needed = self._at_best(new.jobs, self._workers)
        if needed > left:
            raise DeadlineTooShort(needed, left)
        idle = self._workers - len(busy)
        alone = self._waiting.items == len(new.jobs)
        if idle and alone and self._at_best(new.jobs, idle) <= left:
            return None
        free = [*busy, *([0.0] * idle)]
        forecast = self._forecast(new, now, free)
        urgent = sum(self._demand[p].of(now) for p in Priority if p < new.priority)
        room = max(0.0, 1 - urgent / self._workers)
        own = self._waiting.cost[new.priority].get(new.caller, 0.0)
        until = forecast.done
        if own > cost * 1.001:
            callers = len(self._waiting.cost[new.priority])
            lead = self._waiting.lead(new.priority, new.caller)
            until = max(until * (1 + own / forecast.served), until * lead * (callers + 1) / forecast.served)
        until += self._max_wait
        if until > left * room:
            return Refusal("deadline", until - left * room)
        if forecast.risk and forecast.risk > self._risk_without(new, now, free) + 1e-6:
            return Refusal("others_deadline", forecast.done)
        return None

    def _risk_without(self, new: Submission, now: float, free: Sequence[float]) -> float:
        for job in new.jobs:
            self._waiting.drop(job)
        risk = self._forecast(None, now, free).risk
        for job in new.jobs:
            self._waiting.push(job)
        return risk

    def _at_best(self, jobs: Sequence[Job[Any]], workers: int) -> float:
        """Seconds that jobs take idle workers at the best speed known."""
        limits = self._picker.limits
        costs: dict[object, list[float]] = {}
        for job in jobs:
            costs.setdefault(job.key, []).append(job.cost)
        seconds = longest = 0.0
        for alike in costs.values():
            total = sum(alike)
            batches = max(math.ceil(len(alike) / limits.items), math.ceil(total / limits.cost))
            batches = min(batches, len(alike))
            one = self._speed.quickest(total / batches)
            seconds += batches * one
            longest = max(longest, one)
        return max(longest, seconds / workers)

    def _forecast(self, new: Submission | None, now: float, free: Iterable[float]) -> Forecast:
        pending: dict[Lane[ItemT], int] = {}
        for job in new.jobs if new else ():
            lane = self._waiting.lanes[job.submission.priority][job.key]
            pending[lane] = max(pending.get(lane, 0), lane.index(job) + 1)
        workers = [(seconds, 0.0) for seconds in free]
        heapq.heapify(workers)
        cursor = Cursor(self._waiting)
        done = served = 0.0
        risk = 0.0
        deviation, doubt = self._speed.deviation, self._speed.doubt
        while batch := self._picker.next(cursor, now + workers[0][0]):
            start, variance = workers[0]
            seconds = self._speed.seconds(batch.cost)
            variance += (deviation * seconds) ** 2
            heapq.heapreplace(workers, (start + seconds, variance))
            unsure = (doubt * (start + seconds)) ** 2
            end = start + seconds + CAUTION * math.sqrt(variance + unsure)
            if pending:
                served += batch.cost
                for lane, _, stop in batch.parts:
                    if stop >= pending.get(lane, math.inf):
                        del pending[lane]
                        done = max(done, end)
            if batch.tightest < now + end:
                for lane, first, stop in batch.parts:
                    for job in lane.jobs[first:stop]:
                        over = now + end - job.submission.deadline
                        if job.submission is not new and over > 0:
                            hopeless = over > end - start - seconds
                            risk += _LOST if hopeless else over
        return Forecast(done, served, risk)
