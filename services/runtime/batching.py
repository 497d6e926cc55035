"""The scheduler: model work of all callers in shared batches.

What it promises (and tests/runtime/test_batching.py checks):

- every item is answered once, or its caller is told why not; none is run twice;
- no item reaches the model after its deadline or its caller's cancellation;
- a batch takes interactive before batch work; within a class callers share by stride scheduling
  (Waldspurger & Weihl 1995), and a caller's items go earliest deadline first;
- an item waits at most `max_wait` for company when a worker is free;
- work that cannot be done by its deadline at today's speed is refused at once.

All bookkeeping happens on the event loop; only `run` happens in the scheduler's threads.
"""

from __future__ import annotations

import asyncio
import enum
import heapq
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar

from opentelemetry import context as otel_context

from services.runtime import metrics
from services.runtime.admission import SpeedModel
from services.runtime.errors import DeadlineExpired, Overloaded, Unavailable
from services.runtime.telemetry import record_span

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Priority(enum.IntEnum):
    """Classes of urgency; the lower runs first."""

    INTERACTIVE = 0
    BATCH = 1


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


@dataclass(slots=True, eq=False)
class _Job(Generic[ItemT, ResultT]):
    item: ItemT
    future: asyncio.Future[Scheduled[ResultT]]
    priority: Priority
    caller: str
    key: Hashable
    cost: float
    deadline: float
    order: int
    submitted: float
    context: otel_context.Context
    queued: bool = True

    @property
    def urgency(self) -> tuple[float, int]:
        return (self.deadline, self.order)

    def __lt__(self, other: _Job[ItemT, ResultT]) -> bool:
        return self.urgency < other.urgency


@dataclass(slots=True)
class _Queue(Generic[ItemT, ResultT]):
    """The waiting jobs of one class: key → caller → heap by urgency. Dropped jobs leave lazily."""

    jobs: dict[Hashable, dict[str, list[_Job[ItemT, ResultT]]]] = field(default_factory=dict)
    waiting: Counter[Hashable] = field(default_factory=Counter)
    cost: float = 0.0

    def push(self, job: _Job[ItemT, ResultT]) -> None:
        callers = self.jobs.setdefault(job.key, {})
        heapq.heappush(callers.setdefault(job.caller, []), job)
        self.waiting[job.key] += 1
        self.cost += job.cost

    def forget(self, job: _Job[ItemT, ResultT]) -> None:
        """Takes a job out of the counts; its heap entry is skipped when met."""
        job.queued = False
        self.waiting[job.key] -= 1
        if self.waiting[job.key] == 0:
            # Nothing live is left under this key: its dropped entries go too.
            del self.waiting[job.key]
            self.jobs.pop(job.key, None)
        self.cost = max(0.0, self.cost - job.cost) if self.waiting else 0.0

    def heads(self, key: Hashable) -> list[_Job[ItemT, ResultT]]:
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

    def batches(self, largest: int) -> int:
        return sum(math.ceil(count / largest) for count in self.waiting.values())


class _Shares:
    """Stride scheduling: each caller's pass grows with what it was served; the lowest goes next."""

    def __init__(self) -> None:
        self._passes: dict[str, float] = {}
        self._virtual_time = 0.0

    def of(self, caller: str) -> float:
        # A newcomer starts where the others are: it is owed nothing for the time it was away.
        return max(self._passes.get(caller, 0.0), self._virtual_time)

    def charge(self, caller: str, cost: float) -> None:
        current = self.of(caller)
        self._virtual_time = current
        self._passes[caller] = current + cost

    def prune(self) -> None:
        """Forgets callers who are no better or worse off than a newcomer."""
        self._passes = {c: p for c, p in self._passes.items() if p > self._virtual_time}


class BatchScheduler(Generic[ItemT, ResultT]):
    """Runs items of many callers in shared batches. Use it as an async context manager."""

    def __init__(
        self,
        run: Callable[[Sequence[ItemT]], Sequence[ResultT | Exception]],
        *,
        name: str,
        max_batch_size: int,
        max_batch_cost: float = math.inf,
        max_queue: int = 256,
        max_wait: float = 0.003,
        cost: Callable[[ItemT], float] = lambda _: 1.0,
        key: Callable[[ItemT], Hashable] = lambda _: None,
        workers: int = 1,
        headroom: float = 1.2,
    ) -> None:
        """Sets the scheduler up; it works from `async with` on.

        Args:
            run: The model. Called in a thread of the scheduler with 1 to `max_batch_size` items of
                one key; returns a result or an exception for each.
            name: Names the scheduler in metrics and spans.
            max_batch_size: Most items in a batch.
            max_batch_cost: Most cost in a batch; an item of more goes alone.
            max_queue: Most items waiting; more are refused. Batch work may fill three quarters.
            max_wait: Seconds an item waits for company while a worker is free.
            cost: An item's size, in any unit that the model's time grows with (tokens, samples).
            key: Only items of equal key share a batch.
            workers: Batches that run at the same time, each in its own thread.
            headroom: Work is refused when its predicted time, times this, exceeds what is left
                until its deadline.
        """
        self._run = run
        self._name = name
        self._max_batch_size = max_batch_size
        self._max_batch_cost = max_batch_cost
        self._max_queue = max_queue
        self._max_wait = max_wait
        self._cost = cost
        self._key = key
        self._workers = workers
        self._headroom = headroom
        self._queues: dict[Priority, _Queue[ItemT, ResultT]] = {p: _Queue() for p in Priority}
        self._shares = _Shares()
        self._speed = SpeedModel()
        self._order = itertools.count()
        self._waiting = 0
        self._running_until: dict[int, float] = {}
        self._arrival = asyncio.Event()
        self._closed = True
        self._threads: ThreadPoolExecutor | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix=f"batch-{self._name}")
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
            for callers in list(queue.jobs.values()):
                for job in itertools.chain.from_iterable(callers.values()):
                    if job.queued and not job.future.done():
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
        loop = asyncio.get_running_loop()
        job = _Job[ItemT, ResultT](
            item=item,
            future=loop.create_future(),
            priority=priority,
            caller=caller,
            key=self._key(item),
            cost=self._cost(item),
            deadline=math.inf if deadline is None else deadline,
            order=next(self._order),
            submitted=loop.time(),
            context=otel_context.get_current(),
        )
        self._admit(job)
        self._queues[priority].push(job)
        self._waiting += 1
        metrics.QUEUE_LENGTH.labels(self._name).set(self._waiting)
        self._arrival.set()
        try:
            async with asyncio.timeout_at(deadline):
                return await job.future
        except TimeoutError:
            if job.future.done() and not job.future.cancelled():
                return job.future.result()  # The model's own TimeoutError, or a photo finish.
            metrics.DROPPED.labels(self._name, "deadline").inc()
            raise DeadlineExpired from None
        except asyncio.CancelledError:
            metrics.DROPPED.labels(self._name, "cancelled").inc()
            raise
        finally:
            self._remove(job)

    def _remove(self, job: _Job[ItemT, ResultT]) -> None:
        if job.queued:
            self._queues[job.priority].forget(job)
            self._waiting -= 1
            metrics.QUEUE_LENGTH.labels(self._name).set(self._waiting)

    def _admit(self, job: _Job[ItemT, ResultT]) -> None:
        if self._closed:
            raise Unavailable("the server is stopping")
        if job.deadline <= job.submitted:
            raise DeadlineExpired
        limit = self._max_queue
        if job.priority is Priority.BATCH:
            limit = max(1, limit * 3 // 4)
        ahead = self._predict(job)
        full = self._waiting >= limit
        late = job.submitted + ahead * self._headroom > job.deadline
        if full or late:
            metrics.REFUSED.labels(self._name, "queue_full" if full else "deadline").inc()
            why = "the queue is full" if full else f"it would take {ahead:.2f} s, past the deadline"
            raise Overloaded(f"{self._name} is overloaded: {why}", retry_after=max(ahead, 0.05))

    def _predict(self, job: _Job[ItemT, ResultT]) -> float:
        """Seconds until the job would be done: what runs, what goes before it, and itself."""
        busy = [until - job.submitted for until in self._running_until.values()]
        running = max(0.0, min(busy)) if len(busy) == self._workers else 0.0
        before = [self._queues[p] for p in Priority if p <= job.priority]
        cost = sum(queue.cost for queue in before)
        batches = sum(queue.batches(self._max_batch_size) for queue in before)
        batches = max(batches, math.ceil(cost / self._max_batch_cost))
        queued = self._speed.seconds(cost, batches) / self._workers
        return running + queued + self._speed.seconds(job.cost, 1)

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
        while self._waiting and not self._closed:
            first = self._next_job()
            if first is None:
                return
            until = first.submitted + self._max_wait
            same = sum(queue.waiting[first.key] for queue in self._queues.values())
            if same >= self._max_batch_size or loop.time() >= until:
                return
            self._arrival.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._arrival.wait()
            except TimeoutError:
                return

    def _next_job(self) -> _Job[ItemT, ResultT] | None:
        for queue in self._queues.values():
            heads = [job for key in list(queue.jobs) for job in queue.heads(key)]
            if heads:
                return min(heads, key=lambda job: (self._shares.of(job.caller), job.urgency))
        return None

    def _take_batch(self, now: float) -> list[_Job[ItemT, ResultT]]:
        first = self._next_job()
        if first is None:
            return []
        batch: list[_Job[ItemT, ResultT]] = []
        for queue in self._queues.values():
            self._fill(batch, queue, first.key, now)
        self._shares.prune()
        return batch

    def _fill(
        self,
        batch: list[_Job[ItemT, ResultT]],
        queue: _Queue[ItemT, ResultT],
        key: Hashable,
        now: float,
    ) -> None:
        """Moves jobs of one class and key into the batch, the caller with the lowest pass first."""
        cost = sum(job.cost for job in batch)
        claims = [(self._shares.of(j.caller), j.urgency, j.caller) for j in queue.heads(key)]
        heapq.heapify(claims)
        callers = queue.jobs.get(key, {})
        while claims and len(batch) < self._max_batch_size:
            _, _, caller = heapq.heappop(claims)
            heap = callers[caller]
            while heap and not heap[0].queued:
                heapq.heappop(heap)
            if not heap:
                continue
            if batch and cost + heap[0].cost > self._max_batch_cost:
                return
            job = heapq.heappop(heap)
            self._remove(job)
            if job.deadline > now and not job.future.done():
                batch.append(job)
                cost += job.cost
                self._shares.charge(caller, job.cost)
            if heap:
                heapq.heappush(claims, (self._shares.of(caller), heap[0].urgency, caller))

    async def _run_batch(self, worker: int, batch: list[_Job[ItemT, ResultT]]) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        expected = self._speed.seconds(sum(job.cost for job in batch), 1)
        self._running_until[worker] = started + expected
        try:
            ran, results, seconds = await loop.run_in_executor(
                self._threads, self._call_model, batch, loop.time
            )
        finally:
            del self._running_until[worker]
        if ran:
            self._speed.observe(sum(job.cost for job in ran), seconds)
            metrics.BATCH_SIZE.labels(self._name).observe(len(ran))
            metrics.COMPUTE_SECONDS.labels(self._name).observe(seconds)
        for job, result in zip(ran, results, strict=True):
            metrics.QUEUE_SECONDS.labels(self._name).observe(started - job.submitted)
            self._answer(job, result, started - job.submitted, seconds, len(ran))

    def _call_model(
        self, batch: list[_Job[ItemT, ResultT]], clock: Callable[[], float]
    ) -> tuple[list[_Job[ItemT, ResultT]], Sequence[ResultT | Exception], float]:
        # The last look before the model: a thread may have taken its time to start.
        now = clock()
        alive = [job for job in batch if job.deadline > now and not job.future.done()]
        if not alive:
            return [], [], 0.0
        started = time.perf_counter()
        results: Sequence[ResultT | Exception]
        try:
            results = self._run([job.item for job in alive])
            if len(results) != len(alive):
                wrong = f"{self._name} returned {len(results)} results for {len(alive)} items"
                results = [RuntimeError(wrong)] * len(alive)
        except Exception as error:  # noqa: BLE001 - whatever the model raises is the items' answer
            results = [error] * len(alive)
        return alive, results, time.perf_counter() - started

    def _answer(
        self,
        job: _Job[ItemT, ResultT],
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
