"""Waiting work: in which order callers of one class come, and what of it shares batches."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import enum
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Generic, TypeAlias, TypeVar

from opentelemetry import context as otel_context

ItemT = TypeVar("ItemT")

Place: TypeAlias = tuple[float, int]
"""A job's place among those of its class: the caller's virtual time, then order of arrival."""


class Priority(enum.IntEnum):
    """Classes of urgency; the lower runs first.

    Attributes:
        INTERACTIVE: Somebody waits for it: finals, replies, questions.
        PREVIEW: Speech that still runs; the next preview replaces it.
        SPECULATIVE: Prepared in case it is needed; may be thrown away.
        BATCH: Nobody waits.
    """

    INTERACTIVE = 0
    PREVIEW = 1
    SPECULATIVE = 2
    BATCH = 3


@dataclass(slots=True, eq=False)
class Submission:
    """Items that were submitted together and are of use only together.

    Attributes:
        caller: Who shares fairly with others.
        priority: The class.
        deadline: On the event loop's clock, in seconds; infinite without one.
        submitted: When it came, on the same clock.
        context: The caller's trace.
        done: Set when all have their results; the first failure is set when it happens.
        results: In the order of the items.
        left: Items without a result.
        trial: Whether it is tried although it would be late at the best speed known.
        jobs: Its items as they go through the queue.
    """

    caller: str
    priority: Priority
    deadline: float
    submitted: float
    context: otel_context.Context
    done: asyncio.Future[None]
    results: list[Any]
    left: int
    trial: bool = False
    jobs: list[Job[Any]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Job(Generic[ItemT]):
    """One item on its way to the model.

    Attributes:
        item: The work.
        index: Its place in the submission.
        submission: What it was submitted with.
        key: Only jobs of equal key share a batch.
        cost: In the unit that the model's time grows with.
        size: Bytes it holds while it waits.
        order: Counts jobs as they come.
        place: Where it stands among its class.
        waiting: Whether it stands there.
    """

    item: ItemT
    index: int
    submission: Submission
    key: Hashable
    cost: float
    size: int
    order: int
    place: Place = (0.0, 0)
    waiting: bool = False


_place: Callable[[Job[Any]], Place] = attrgetter("place")


@dataclass(slots=True, eq=False)
class Lane(Generic[ItemT]):
    """The waiting jobs of one class and key in the order of their places."""

    priority: Priority
    key: Hashable
    jobs: list[Job[ItemT]] = field(default_factory=list)

    def index(self, job: Job[ItemT]) -> int:
        """How many jobs come before it."""
        return bisect.bisect_left(self.jobs, job.place, key=_place)

    def insert(self, job: Job[ItemT]) -> None:
        """Takes a job in."""
        bisect.insort(self.jobs, job, key=_place)
        job.waiting = True

    def remove(self, start: int, stop: int) -> list[Job[ItemT]]:
        """Takes out the jobs of a range."""
        taken = self.jobs[start:stop]
        del self.jobs[start:stop]
        for job in taken:
            job.waiting = False
        return taken


@dataclass(slots=True)
class Held:
    """What a caller has in the queue, promised or waiting: jobs, and their bytes."""

    items: int = 0
    size: int = 0


class Waiting(Generic[ItemT]):
    """All waiting jobs, in the order of weighted fair queueing (Demers, Keshav & Shenker 1989).

    A class has a virtual time, which grows with what is served to each of the callers who share it,
    and each caller one of its own, which grows with the cost of its jobs. A job's place is the
    caller's virtual time when it came; a newcomer starts where the class stands: it is owed
    nothing. So callers who always have work are served alike, whatever deadlines they ask for.

    Attributes:
        lanes: For each class, the lanes that are not empty, by key.
        items: Jobs that wait.
        size: Bytes they hold.
        cost: For each class, the cost that waits by caller.
        promised: Jobs that are still being prepared, which nobody can run; in none of the above.
        held: What each caller has in all of these.
    """

    def __init__(self) -> None:
        self.lanes: list[dict[Hashable, Lane[ItemT]]] = [{} for _ in Priority]
        self.items = 0
        self.size = 0
        self.cost: list[dict[str, float]] = [{} for _ in Priority]
        self.promised: dict[Job[ItemT], None] = {}
        self.held: dict[str, Held] = {}
        self._now = [0.0 for _ in Priority]
        self._callers: list[dict[str, float]] = [{} for _ in Priority]

    def first(self) -> Job[ItemT] | None:
        """The job that leads the next batch."""
        lanes = next(filter(None, self.lanes), {})
        return min((lane.jobs[0] for lane in lanes.values()), key=_place, default=None)

    def push(self, job: Job[ItemT]) -> None:
        """Takes a job in."""
        priority, caller = job.submission.priority, job.submission.caller
        callers = self._callers[priority]
        time = max(callers.get(caller, 0.0), self._now[priority])
        callers[caller] = time + job.cost
        lanes = self.lanes[priority]
        if job.key not in lanes:
            lanes[job.key] = Lane(priority, job.key)
        job.place = (time, job.order)
        lanes[job.key].insert(job)
        self.items += 1
        self.size += job.size
        cost = self.cost[priority]
        cost[caller] = cost.get(caller, 0.0) + job.cost
        self._hold(job)

    def promise(self, job: Job[ItemT]) -> None:
        """Keeps room for a job that is still being prepared."""
        self.promised[job] = None
        self._hold(job)

    def unpromise(self, job: Job[ItemT]) -> None:
        """Gives the room back, if it is still kept."""
        if job in self.promised:
            del self.promised[job]
            self._let_go(job)

    @contextlib.contextmanager
    def all_ready(self) -> Iterator[None]:
        """Puts what is promised among what waits, to see what becomes of both."""
        for job in self.promised:
            self.push(job)
        try:
            yield
        finally:
            for job in self.promised:
                self.drop(job)

    def lead(self, priority: Priority, caller: str) -> float:
        """By how much a caller has asked for more than its fair part up to now, in cost."""
        return self._callers[priority].get(caller, 0.0) - self._now[priority]

    def drop(self, job: Job[ItemT]) -> None:
        """Takes out a job that will not run: its caller is not charged."""
        lane = self.lanes[job.submission.priority][job.key]
        index = lane.index(job)
        self._take(lane, index, index + 1)
        callers = self._callers[lane.priority]
        if job.submission.caller in callers:
            callers[job.submission.caller] -= job.cost

    def take(self, lane: Lane[ItemT], start: int, stop: int) -> list[Job[ItemT]]:
        """Takes out jobs that will run: virtual time goes on for those who share the model."""
        priority = lane.priority
        sharing = len(self.cost[priority])
        taken = self._take(lane, start, stop)
        self._now[priority] += sum(job.cost for job in taken) / sharing
        now = self._now[priority]
        # An idle class remembers nobody.
        callers = self._callers[priority] if self.cost[priority] else {}
        self._callers[priority] = {c: t for c, t in callers.items() if t > now}
        return taken

    def _take(self, lane: Lane[ItemT], start: int, stop: int) -> list[Job[ItemT]]:
        taken = lane.remove(start, stop)
        if not lane.jobs:
            del self.lanes[lane.priority][lane.key]
        for job in taken:
            self.items -= 1
            self.size -= job.size
            cost, caller = self.cost[lane.priority], job.submission.caller
            cost[caller] -= job.cost
            if cost[caller] < job.cost * 1e-6:
                del cost[caller]
            self._let_go(job)
        return taken

    def _hold(self, job: Job[ItemT]) -> None:
        held = self.held.setdefault(job.submission.caller, Held())
        held.items += 1
        held.size += job.size

    def _let_go(self, job: Job[ItemT]) -> None:
        held = self.held[job.submission.caller]
        held.items -= 1
        held.size -= job.size
        if not held.items:
            del self.held[job.submission.caller]
