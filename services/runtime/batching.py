"""The scheduler: model work of all callers in shared batches.

What it promises (and tests/runtime/test_batching.py checks):

- every item is answered once, or its caller is told why not; none is run twice;
- no item reaches the model after its deadline or its caller's cancellation;
- a batch takes interactive before batch work;
- within a class callers share by stride scheduling (Waldspurger & Weihl 1995) while there is time
  for that, and everything goes earliest deadline first when time is short, which is what lets
  accepted work meet its deadlines; a caller's own items always go earliest deadline first;
- an item waits at most `max_wait` for company when a worker is free;
- work that cannot be done by its deadline at today's speed, or only by making accepted work late,
  is refused at once and as a whole; one caller's waiting work may take no more time than it
  leaves to others (dynamic thresholds, Choudhury & Hahne 1998), so a flood cannot lock others out.

All bookkeeping happens on the event loop; only `run` happens in the scheduler's threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import heapq
import itertools
import math
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar

from opentelemetry import context as otel_context

from services.runtime import metrics
from services.runtime.admission import SpeedModel
from services.runtime.errors import DeadlineExpired, Overloaded, Unavailable
from services.runtime.queueing import Job, Shares, Submission, WaitingLine
from services.runtime.telemetry import record_span
from services.runtime.threads import yield_to_event_loops

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

Claim: TypeAlias = Callable[[Job[Any, Any]], tuple[float, float, int]]
"""What first jobs are compared by; the lowest goes first."""


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


@dataclass(frozen=True, slots=True)
class Scheduled(Generic[ResultT]):
    """A result and what it cost.

    Attributes:
        value: What `run` returned for the item.
        queue_time: Seconds from submission to the model.
        compute_time: Seconds in the model, for the whole batch.
        batch_size: Items that shared the batch.
    """

    value: ResultT
    queue_time: float
    compute_time: float
    batch_size: int


# A caller's waiting work may take this many times the time it leaves (the alpha of dynamic
# thresholds): alone, half of the time until its deadline.
_SHARE = 1.0

_REASONS = {
    "queue_full": "the queue is full",
    "deadline": "it could not be done by its deadline",
    "share": "this caller's waiting work takes its whole share",
    "others_deadline": "it would make work late that was accepted before",
}


class BatchScheduler(Generic[ItemT, ResultT]):
    """Runs items of many callers in shared batches. Use it as an async context manager."""

    def __init__(
        self,
        run: Callable[[Sequence[ItemT]], Sequence[ResultT | Exception]],
        *,
        name: str,
        max_batch_size: int,
        max_batch_cost: float = math.inf,
        max_batch_seconds: float = math.inf,
        max_queue: int = 256,
        max_wait: float = 0.003,
        cost: Callable[[ItemT], float] = lambda _: 1.0,
        key: Callable[[ItemT], Hashable] = lambda _: None,
        workers: int = 1,
        headroom: float = 1.2,
        watch: Callable[[BaseException | None], None] | None = None,
    ) -> None:
        """Sets the scheduler up; it works from `async with` on.

        Args:
            run: The model. Called in a thread of the scheduler with 1 to `max_batch_size` items of
                one key; returns a result or an exception for each.
            name: Names the scheduler in metrics and spans.
            max_batch_size: Most items in a batch.
            max_batch_cost: Most cost in a batch; an item of more goes alone.
            max_batch_seconds: Longest that a batch of several items is predicted to take. A batch
                that runs cannot be stopped: this is how long urgent work may have to stand behind
                it, and how exactly work can be fitted to deadlines.
            max_queue: Most items waiting; more are refused. Batch work may fill three quarters.
            max_wait: Seconds an item waits for company while a worker is free.
            cost: An item's size, in any unit that the model's time grows with (tokens, samples).
            key: Only items of equal key share a batch.
            workers: Batches that run at the same time, each in its own thread.
            headroom: Predictions are taken times this, beside the caution that past ones teach;
                0 refuses nothing for its deadline.
            watch: Told on the event loop after every batch: None if the model worked, or the error
                of a batch that failed as a whole.
        """
        self._watch = watch
        self._run = run
        self._name = name
        self._max_batch_size = max_batch_size
        self._max_batch_cost = max_batch_cost
        self._max_batch_seconds = max_batch_seconds
        self._max_queue = max_queue
        self._max_wait = max_wait
        self._cost = cost
        self._key = key
        self._workers = workers
        self._headroom = headroom
        self._queues: dict[Priority, WaitingLine[ItemT, Scheduled[ResultT]]] = {
            p: WaitingLine() for p in Priority
        }
        self._shares = Shares()
        self._speed = SpeedModel()
        self._order = itertools.count()
        self._waiting = 0
        self._running_until: dict[int, float] = {}
        self._arrival = asyncio.Event()
        self._closed = True
        self._threads: ThreadPoolExecutor | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._threads = ThreadPoolExecutor(
            self._workers, f"batch-{self._name}", initializer=yield_to_event_loops
        )
        self._closed = False
        self._tasks = [
            asyncio.create_task(self._work(worker), name=f"batch-{self._name}-{worker}")
            for worker in range(self._workers)
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Lets running batches finish; items still waiting are told that the server is stopping."""
        self._closed = True
        for queue in self._queues.values():
            for job in queue.live():
                if not job.future.done():
                    job.future.set_exception(Unavailable("the server is stopping"))
        self._arrival.set()
        await asyncio.gather(*self._tasks)
        if self._threads is not None:
            self._threads.shutdown()

    @property
    def waiting(self) -> int:
        """Items that wait for a batch."""
        return self._waiting

    async def submit(
        self,
        item: ItemT,
        *,
        caller: str = "",
        priority: Priority = Priority.INTERACTIVE,
        deadline: float | None = None,
    ) -> Scheduled[ResultT]:
        """Runs an item in the next batch it fits.

        Args:
            item: The work.
            caller: Who shares fairly with others.
            priority: Its class.
            deadline: On the event loop's clock, in seconds; None waits as long as it takes.

        Raises:
            Overloaded: It cannot be done in time; refused before anything was done.
            DeadlineExpired: The deadline passed first.
            Unavailable: The scheduler is stopping.
            Exception: What `run` returned for the item, or raised for its batch.
        """
        (result,) = await self.submit_all(
            [item], caller=caller, priority=priority, deadline=deadline
        )
        return result

    def check(
        self,
        costs: Sequence[float],
        *,
        caller: str = "",
        priority: Priority = Priority.INTERACTIVE,
        deadline: float | None = None,
    ) -> None:
        """Raises what `submit_all` would for items of these costs, and keeps nothing.

        For work whose preparation costs something: what will be refused is refused before that.
        """
        now = asyncio.get_running_loop().time()
        due = math.inf if deadline is None else deadline
        self._admit(caller, priority, now, due, sum(costs), len(costs))

    async def submit_all(
        self,
        items: Sequence[ItemT],
        *,
        caller: str = "",
        priority: Priority = Priority.INTERACTIVE,
        deadline: float | None = None,
    ) -> list[Scheduled[ResultT]]:
        """Runs items that are of use only together: all of them are accepted, or none.

        Takes and raises what `submit` does; the first item that fails takes back those that wait.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = math.inf if deadline is None else deadline
        costs = [self._cost(item) for item in items]
        self._admit(caller, priority, now, due, sum(costs), len(items))
        submission = Submission(caller, due, next(self._order))
        context = otel_context.get_current()
        jobs = [
            Job[ItemT, Scheduled[ResultT]](
                item=item,
                future=loop.create_future(),
                submission=submission,
                key=self._key(item),
                cost=cost,
                order=next(self._order),
                submitted=now,
                context=context,
            )
            for item, cost in zip(items, costs, strict=True)
        ]
        queue = self._queues[priority]
        for job in jobs:
            queue.push(job)
        self._count(len(jobs))
        self._arrival.set()
        try:
            async with asyncio.timeout_at(deadline) as scope:
                results = [await job.future for job in jobs]
        except TimeoutError:
            if not scope.expired():
                raise  # the model's own
            metrics.DROPPED.labels(self._name, "deadline").inc()
            raise DeadlineExpired from None
        except asyncio.CancelledError:
            metrics.DROPPED.labels(self._name, "cancelled").inc()
            raise
        else:
            return results
        finally:
            for job in jobs:
                self._remove(queue, job)
                # Done, and somebody has looked: an error nobody waits for is no news.
                if not job.future.cancel() and not job.future.cancelled():
                    job.future.exception()

    def _remove(
        self, queue: WaitingLine[ItemT, Scheduled[ResultT]], job: Job[ItemT, Scheduled[ResultT]]
    ) -> None:
        if job.queued:
            queue.forget(job)
            self._count(-1)

    def _count(self, change: int) -> None:
        self._waiting += change
        metrics.QUEUE_LENGTH.labels(self._name).set(self._waiting)

    def _admit(
        self, caller: str, priority: Priority, now: float, due: float, cost: float, items: int
    ) -> None:
        """Refuses what cannot be done in time, before anything is done for it."""
        if self._closed:
            raise Unavailable("the server is stopping")
        if due <= now:
            raise DeadlineExpired
        limit = self._max_queue
        if priority is Priority.BATCH:
            limit = max(1, limit * 3 // 4)
        queue = self._queues[priority]
        ahead = self._base(priority, now, self._batches(queue.cost + cost, queue.items + items))
        finish = ahead + queue.finish(due, cost, items, self._estimate)
        reason = None
        if self._waiting + items > limit:
            reason = "queue_full"
        elif now + finish > due:
            reason = "deadline"
        elif due < math.inf and self._speed.known:
            if self._takes_too_much(queue, caller, cost, items, due - now - ahead):
                reason = "share"
            elif queue.slack(now + ahead, cost, items, self._estimate, after=due) < 0:
                reason = "others_deadline"
        if reason is not None:
            metrics.REFUSED.labels(self._name, reason).inc()
            wait = ahead + self._estimate(queue.cost, queue.items)
            raise Overloaded(
                f"{self._name} is overloaded: {_REASONS[reason]}", retry_after=max(wait, 0.05)
            )

    def _takes_too_much(
        self,
        queue: WaitingLine[ItemT, Scheduled[ResultT]],
        caller: str,
        cost: float,
        items: int,
        left: float,
    ) -> bool:
        """Whether a caller who has work waiting would leave too little of the time `left`.

        By the likely times: a share is a matter of proportion, where caution has no place.
        """
        own_cost, own_items = queue.cost_of(caller)
        if not own_items:
            return False
        likely = self._speed.seconds
        spare = left - self._together(likely, queue.cost, queue.items)
        return self._together(likely, own_cost + cost, own_items + items) > _SHARE * spare

    def _base(self, priority: Priority, now: float, batches: int) -> float:
        """Seconds until work of this class can start: what runs, and classes before.

        Workers become free one after another: it is the mean of those that `batches` need.
        """
        running = sorted(max(0.0, until - now) for until in self._running_until.values())
        free_after = [0.0] * (self._workers - len(running)) + running
        needed = free_after[: max(1, batches)]
        before = [self._queues[p] for p in Priority if p < priority]
        others = self._estimate(sum(q.cost for q in before), sum(q.items for q in before))
        return sum(needed) / len(needed) + others

    def _estimate(self, cost: float, items: int) -> float:
        """Seconds that this much waiting work takes all workers together, hardly ever more."""
        return self._headroom * self._together(self._speed.at_most, cost, items)

    def _together(self, predict: Callable[[float, int], float], cost: float, items: int) -> float:
        """Seconds for all workers together by a prediction of the batches' time one by one."""
        if not items:
            return 0.0
        batches = self._batches(cost, items)
        all_of_it = predict(cost, batches)
        # Workers don't finish together (Graham 1969: at worst the last one starts a batch when all
        # others have just run out of work).
        ragged = (self._workers - 1) * all_of_it / batches
        return (all_of_it + ragged) / self._workers

    def _batches(self, cost: float, items: int) -> int:
        """How many batches this much work makes."""
        by_cost = min(items, math.ceil(cost / self._cost_limit()))
        return max(math.ceil(items / self._max_batch_size), by_cost)

    def _cost_limit(self) -> float:
        """Most cost in a batch at today's speed."""
        in_time = self._speed.cost_within(self._max_batch_seconds)
        # Above 0, for batches that take longer whatever is in them.
        return max(min(self._max_batch_cost, in_time), 1e-9)

    def _is_tight(self, queue: WaitingLine[ItemT, Scheduled[ResultT]], now: float) -> bool:
        """Whether letting anybody go out of the deadlines' order could make somebody late."""
        items = min(queue.items, self._max_batch_size)
        cost = queue.cost * items / queue.items if queue.items else 0.0
        one_batch = self._estimate(cost, items)
        return queue.slack(now, 0.0, 0, self._estimate, after=-math.inf) < 2 * one_batch

    async def _work(self, worker: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._waiting and not self._closed:
                self._arrival.clear()
                await self._arrival.wait()
            if self._closed:
                return
            await self._gather_company()
            batch = self._take_batch(loop.time())
            if batch:
                await self._run_batch(worker, batch)

    async def _gather_company(self) -> None:
        """Waits until a batch is full or its first item has waited long enough."""
        loop = asyncio.get_running_loop()
        first = self._first(self._claims(loop.time()))
        if first is None:
            return
        until = first.submitted + self._max_wait
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while first.queued and not self._closed and not self._is_full(first.key):
                    self._arrival.clear()
                    await self._arrival.wait()

    def _is_full(self, key: Hashable) -> bool:
        same = sum(queue.waiting[key] for queue in self._queues.values())
        return same >= self._max_batch_size

    def _claims(self, now: float) -> list[tuple[WaitingLine[ItemT, Scheduled[ResultT]], Claim]]:
        """The lines, the most urgent class first, each with what orders it now."""
        return [(queue, self._claim(queue, now)) for queue in self._queues.values()]

    @staticmethod
    def _first(
        claims: Sequence[tuple[WaitingLine[ItemT, Scheduled[ResultT]], Claim]],
    ) -> Job[ItemT, Scheduled[ResultT]] | None:
        for queue, claim in claims:
            heads = [job for key in list(queue.jobs) for job in queue.heads(key)]
            if heads:
                return min(heads, key=claim)
        return None

    def _claim(self, queue: WaitingLine[ItemT, Scheduled[ResultT]], now: float) -> Claim:
        """What first jobs are compared by: fair shares, or deadlines when time is short."""
        if self._is_tight(queue, now):
            return lambda job: (job.deadline, self._shares.of(job.caller), job.order)
        return lambda job: (self._shares.of(job.caller), *job.urgency)

    def _take_batch(self, now: float) -> list[Job[ItemT, Scheduled[ResultT]]]:
        claims = self._claims(now)
        first = self._first(claims)
        if first is None:
            return []
        batch: list[Job[ItemT, Scheduled[ResultT]]] = []
        for queue, claim in claims:
            self._fill(batch, queue, claim, first.key, now)
        self._shares.prune()
        return batch

    def _fill(
        self,
        batch: list[Job[ItemT, Scheduled[ResultT]]],
        queue: WaitingLine[ItemT, Scheduled[ResultT]],
        claim: Claim,
        key: Hashable,
        now: float,
    ) -> None:
        """Moves jobs of one class and key into the batch, the caller with the best claim first."""
        cost = sum(job.cost for job in batch)
        limit = self._cost_limit()
        claims = [(claim(job), job.caller) for job in queue.heads(key)]
        heapq.heapify(claims)
        callers = queue.jobs.get(key, {})
        while claims and len(batch) < self._max_batch_size:
            _, caller = heapq.heappop(claims)
            heap = callers[caller]
            if batch and (cost + heap[0].cost > limit or self._harms(batch, cost, heap[0], now)):
                return
            job = heapq.heappop(heap)
            self._remove(queue, job)
            if job.deadline > now and not job.future.done():
                batch.append(job)
                cost += job.cost
                self._shares.charge(caller, job.cost)
            while heap and not heap[0].queued:
                heapq.heappop(heap)
            if heap:
                heapq.heappush(claims, (claim(heap[0]), caller))

    def _harms(
        self,
        batch: Sequence[Job[ItemT, Scheduled[ResultT]]],
        cost: float,
        company: Job[ItemT, Scheduled[ResultT]],
        now: float,
    ) -> bool:
        """Whether company would make late what the batch, as it is, does in time."""
        left = min(job.deadline for job in batch) - now
        longest = self._speed.at_most
        return longest(cost, 1) <= left < longest(cost + company.cost, 1)

    async def _run_batch(self, worker: int, batch: list[Job[ItemT, Scheduled[ResultT]]]) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        expected = self._speed.at_most(sum(job.cost for job in batch), 1)
        self._running_until[worker] = started + expected
        try:
            ran, results, error = await loop.run_in_executor(
                self._threads, self._call_model, batch, loop.time
            )
        finally:
            del self._running_until[worker]
        seconds = loop.time() - started
        if ran and self._watch is not None:
            self._watch(error)
        if ran:
            self._speed.observe(sum(job.cost for job in ran), seconds)
            metrics.BATCH_SIZE.labels(self._name).observe(len(ran))
            metrics.COMPUTE_SECONDS.labels(self._name).observe(seconds)
        for job, result in zip(ran, results, strict=True):
            metrics.QUEUE_SECONDS.labels(self._name).observe(started - job.submitted)
            self._answer(job, result, started - job.submitted, seconds, len(ran))

    def _call_model(
        self, batch: list[Job[ItemT, Scheduled[ResultT]]], clock: Callable[[], float]
    ) -> tuple[
        list[Job[ItemT, Scheduled[ResultT]]], Sequence[ResultT | Exception], Exception | None
    ]:
        # The last look before the model: a thread may have taken its time to start.
        now = clock()
        alive = [job for job in batch if job.deadline > now and not job.future.done()]
        if not alive:
            return [], [], None
        failed: Exception | None = None
        results: Sequence[ResultT | Exception]
        try:
            results = self._run([job.item for job in alive])
            if len(results) != len(alive):
                wrong = f"{self._name} returned {len(results)} results for {len(alive)} items"
                failed = RuntimeError(wrong)
        except Exception as error:  # noqa: BLE001 - whatever the model raises is the items' answer
            failed = error
        if failed is not None:
            results = [failed] * len(alive)
        return alive, results, failed

    def _answer(
        self,
        job: Job[ItemT, Scheduled[ResultT]],
        result: ResultT | Exception,
        queued: float,
        seconds: float,
        size: int,
    ) -> None:
        record_span(f"{self._name}.queue", job.context, seconds_ago=queued + seconds, length=queued)
        record_span(
            f"{self._name}.compute",
            job.context,
            seconds_ago=seconds,
            length=seconds,
            attributes={"viva.batch_size": size},
        )
        if job.future.done():
            return
        if isinstance(result, Exception):
            job.future.set_exception(result)
        else:
            job.future.set_result(Scheduled(result, queued, seconds, size))
