"""Who is refused: the forecast plays the picker forward over all that waits.

Work is accepted when it, and all that was accepted before, is done in time by the forecast. Beside
that, room is left for those who may come: each caller and each class may promise itself only what
remains when a newcomer, and the classes before it, take their part.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from services.runtime.errors import DeadlineTooShort, Overloaded
from services.runtime.picking import Batch, Picker
from services.runtime.queueing import Job, Lane, Priority, Submission, Waiting
from services.runtime.speed import CAUTION, Speed

ItemT = TypeVar("ItemT")

RESERVED = 0.25
"""This part of the queue, and of its own and others' time, is left to interactive work by what is
less urgent, and by what is many batches."""

# So many full batches a worker, or their time, are many.
_MANY = 2
# Demand of more urgent classes is remembered for about so many seconds.
_MEMORY = 5.0
# On an idle server it takes no more than this part of the time of those who come now.
_MOST_URGENT = 0.5
_LEAST_RETRY = 0.05
# What would be late at the best speed known is tried by a server that has been idle for as long as
# it would take; twice as long after each trial that failed, up to so many times and seconds.
_MOST_RESTS = 4
_LONGEST_REST = 60.0
# Sums are not exact.
_LEAST_RISK = 1e-6
_OTHER = 1 + 1e-6

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

    def add(self, seconds: float, now: float) -> None:
        """Counts work that was asked for."""
        self.seconds = self.of(now) * _MEMORY + seconds
        self.at = now

    def of(self, now: float) -> float:
        """Seconds a second, lately."""
        return self.seconds * math.exp((self.at - now) / _MEMORY) / _MEMORY


class Step(NamedTuple):
    """A batch of a forecast.

    Attributes:
        batch: What runs.
        likely: Seconds until it is done.
        late: Seconds until it is done that are seldom exceeded.
    """

    batch: Batch[Any]
    likely: float
    late: float


Risk: TypeAlias = dict[Submission, tuple[float, bool]]
"""By how many seconds each may be late, its items together; and whether it is likely to be."""

_NONE = (0.0, False)


class Admission(Generic[ItemT]):
    """Decides over submissions that have just been put in the queue."""

    def __init__(self, waiting: Waiting[ItemT], picker: Picker, speed: Speed, workers: int) -> None:
        self._waiting = waiting
        self._picker = picker
        self._speed = speed
        self._workers = workers
        self._demand = [Demand() for _ in Priority]
        self._ran = -math.inf
        self._rests = 1

    def ran(self, submissions: Iterable[Submission], now: float) -> None:
        """Notes that a batch is done, with work of these: what it taught is fresh."""
        self._ran = now
        for submission in submissions:
            if submission.trial:
                late = submission.deadline < now
                self._rests = min(2 * self._rests, _MOST_RESTS) if late else 1

    def decide(
        self, new: Submission, now: float, busy: Sequence[float], *, ready: bool
    ) -> Refusal | None:
        """Why a submission is refused; None if it is not.

        Args:
            new: The submission, its jobs already in the queue.
            now: The time.
            busy: Seconds after which each worker that runs a batch will be free.
            ready: Whether a worker may take it at once; else it has yet to be prepared.

        Raises:
            DeadlineTooShort: However idle the workers were.
        """
        self._speed.age(now)
        cost = sum(job.cost for job in new.jobs)
        full = min(self._picker.limits.cost, cost / len(new.jobs) * self._picker.limits.items)
        # Of one unit of cost, when there is enough work for full batches.
        seconds = self._speed.seconds(full) / full
        self._demand[new.priority].add(seconds * cost, now)
        if not self._speed.known:
            return None
        left = new.deadline - now
        load, needed = self._at_best(new.jobs, full)
        idle = self._workers - len(busy)
        promised = self._waiting.promised
        alone = self._waiting.items == len(new.jobs) and (ready or not promised)
        alone = alone and idle > 0
        # Many items hold others up for long.
        many = load >= _MANY * self._workers
        tried = alone and (load <= idle or not many)
        if needed > left:
            new.trial = tried and not promised and self._is_time_for_a_trial(needed, now)
            if not new.trial:
                raise DeadlineTooShort(needed, left)
        if tried and not promised:
            return None
        free = [*busy, *([0.0] * idle)]
        # An idle worker does not wait for what is still being prepared.
        now_free = islice(self._forecast(free), idle if ready else 0)
        at_once = self._until_done(new, now_free) if promised else math.inf
        missed = self._missed(free)
        # Those, too, leave room for who may come.
        own = 1 - RESERVED if many or new.priority is not Priority.INTERACTIVE else 1.0
        part = 1 - RESERVED if many else 1.0
        urgent = self._urgent(new, now)
        if alone:
            # Of a crowd that was here lately nobody waits any more.
            urgent = min(urgent, _MOST_URGENT)
        room = left * max(0.0, own - urgent) if left < math.inf else left
        with self._waiting.all_ready():
            done = min(at_once, self._fair_part(new, seconds, free))
            if not tried and done > room:  # no forecast is needed
                return Refusal("deadline", done - room)
            forecast = list(self._forecast(free))
            done = min(at_once, max(done, self._until_done(new, forecast, alone=alone)))
            if not tried and done > room:
                return Refusal("deadline", done - room)
            risk = self._risk(new, now, forecast, missed, part)
        if risk and self._is_more(risk, self._risk_without(new, now, free, part, forecast)):
            return Refusal("others_deadline", done)
        return None

    def _is_time_for_a_trial(self, needed: float, now: float) -> bool:
        """Whether to try what seems hopeless: the best that was ever seen may have been bad.

        A start that was slow once would else be what everybody is refused for, for ever. What needs
        so many seconds by all that is known, and does, takes only a part of the idle time.
        """
        return now - self._ran >= min(self._rests * needed, _LONGEST_REST)

    @staticmethod
    def _is_more(risk: Risk, before: Risk) -> bool:
        """Whether others may be late by more than before; not those who were likely to be."""
        seconds = sum(late for other, (late, _) in risk.items() if not before.get(other, _NONE)[1])
        return seconds > sum(late for late, lost in before.values() if not lost) + _LEAST_RISK

    def _urgent(self, new: Submission, now: float) -> float:
        """The part of the workers' time that more urgent classes lately asked for."""
        return sum(self._demand[p].of(now) for p in Priority if p < new.priority) / self._workers

    def _fair_part(self, new: Submission, seconds: float, free: Sequence[float]) -> float:
        """Seconds until a caller's fair part of the model has done all that it asked for.

        That is beside the callers who are there, should they go on, and one more who may come.
        A unit of cost takes so many `seconds` in full batches.
        """
        callers = self._waiting.cost[new.priority]
        if callers[new.caller] <= sum(job.cost for job in new.jobs) * _OTHER:
            return 0.0  # of whom nothing else waits, has what is free
        lead = self._waiting.lead(new.priority, new.caller)
        return min(free) + lead * (len(callers) + 1) * seconds / self._workers

    def _until_done(
        self, new: Submission, forecast: Iterable[Step], *, alone: bool = False
    ) -> float:
        """Seconds until a submission is done; infinite if the forecast ends before that.

        For one that is alone with idle workers, what it leaves to others is enough for what its
        own batches miss by.
        """
        pending: dict[Lane[Any], int] = {}
        for job in new.jobs:
            lane = self._waiting.lanes[new.priority][job.key]
            pending[lane] = max(pending.get(lane, 0), lane.index(job) + 1)
        done = 0.0
        sure = 1 + CAUTION * self._speed.doubt
        for step in forecast:
            for lane, _, stop in step.batch.parts:
                if stop >= pending.get(lane, math.inf):
                    del pending[lane]
                    done = max(done, sure * step.likely if alone else step.late)
            if not pending:
                return done
        return math.inf

    def _missed(self, free: Sequence[float]) -> float:
        """Seconds that what is promised loses when it is ready just after the next batches began.

        No worker waits for it, and it may be ready at any time.
        """
        if not self._waiting.promised:
            return 0.0
        workers = list(free)
        heapq.heapify(workers)
        for step in islice(self._forecast(free), len(workers)):
            heapq.heapreplace(workers, step.likely)
        return workers[0] - min(free)

    def _risk_without(
        self,
        new: Submission,
        now: float,
        free: Sequence[float],
        part: float,
        forecast: Sequence[Step],
    ) -> Risk:
        """Who would be late without a submission; the forecast up to it stays as it is."""
        known = self._before(new, forecast)
        for job in new.jobs:
            self._waiting.drop(job)
        missed = self._missed(free)
        with self._waiting.all_ready():
            risk = self._risk(new, now, self._forecast(free, known), missed, part)
        for job in new.jobs:
            self._waiting.push(job)
        return risk

    def _before(self, new: Submission, forecast: Sequence[Step]) -> list[Batch[Any]]:
        """The batches before the first one that a submission's work may have changed.

        That is the first of its key in which its place is reached, though it may not fit.
        """
        if self._waiting.promised:
            return []  # it has other places once the submission is gone
        lanes = self._waiting.lanes[new.priority]
        places: dict[Lane[Any], int] = {}
        for job in new.jobs:
            places.setdefault(lanes[job.key], lanes[job.key].index(job))
        reached = dict.fromkeys(places, 0)
        batches: list[Batch[Any]] = []
        for step in forecast:
            parts = step.batch.parts
            reached.update((lane, stop) for lane, _, stop in parts if lane in reached)
            lane = lanes.get(parts[0].lane.key)
            if lane in places and reached[lane] >= places[lane]:
                break
            batches.append(step.batch)
        return batches

    def _risk(
        self, new: Submission, now: float, forecast: Iterable[Step], missed: float, part: float
    ) -> Risk:
        """Who else may not be done within a part of the time left."""
        risk: Risk = {}
        for batch, likely, late in forecast:
            if (batch.due - now) * part >= late + missed:
                continue
            for lane, first, stop in batch.parts:
                for job in lane.jobs[first:stop]:
                    other = job.submission
                    # What is worth little a moment later is given up for whoever waits.
                    if other is new or new.priority < other.priority < Priority.BATCH:
                        continue
                    left = other.deadline - now
                    left -= missed if job in self._waiting.promised else 0.0
                    if late > part * left:
                        seconds, lost = risk.get(other, _NONE)
                        risk[other] = (seconds + late - part * left, lost or likely > left)
        return risk

    def _forecast(self, free: Iterable[float], known: Sequence[Batch[Any]] = ()) -> Iterator[Step]:
        """The batches to come, if nothing more came.

        Args:
            free: Seconds until each worker is free.
            known: The first of them.
        """
        workers = [(seconds, 0.0) for seconds in free]
        heapq.heapify(workers)
        deviation, doubt = self._speed.deviation, self._speed.doubt
        for batch in chain(known, self._picker.batches(self._waiting, known)):
            start, variance = workers[0]
            seconds = self._speed.seconds(batch.cost)
            likely = start + seconds
            # Batches' own misses make up for one another; a wrong prediction misses all alike.
            variance += (deviation * seconds) ** 2
            heapq.heapreplace(workers, (likely, variance))
            late = likely + CAUTION * math.sqrt(variance + (doubt * likely) ** 2)
            yield Step(batch, likely, late)

    def _at_best(self, jobs: Sequence[Job[Any]], full: float) -> tuple[float, float]:
        """The time of how many full batches jobs take, and their seconds for idle workers, at best.

        Small batches of several keys are no more than one of all of them, if they take no longer.
        """
        limits = self._picker.limits
        costs: dict[object, list[float]] = {}
        for job in jobs:
            costs.setdefault(job.key, []).append(job.cost)
        count = 0
        seconds = longest = 0.0
        for alike in costs.values():
            total = sum(alike)
            batches = max(math.ceil(len(alike) / limits.items), math.ceil(total / limits.cost))
            batches = min(batches, len(alike))
            one = self._speed.quickest(total / batches)
            count += batches
            seconds += batches * one
            longest = max(longest, one)
        # A batch may be done sooner than a clock ticks.
        whole = max(longest, self._speed.quickest(full))
        load = min(count, seconds / whole) if whole > 0 else 0.0
        return load, max(longest, seconds / self._workers)
