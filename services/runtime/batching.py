"""The scheduler: model work of all callers in shared batches.

What it promises (tests/runtime/test_batching.py and test_simulation.py check it):

- every item is answered once, or its caller is told why not; none is run twice;
- no item reaches the model after its deadline or its caller's cancellation;
- who goes first, and in whose company, is one policy: picking.py;
- what cannot be done in time, or only by making accepted work late, is refused at once and as a
  whole, by a forecast with that policy: admission.py;
- an item waits at most `max_wait` for company when a worker is free.

All bookkeeping happens on the event loop; only `run` happens in the scheduler's threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Generic, Self, TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace

from services.runtime import metrics
from services.runtime.admission import RESERVED, Admission, Refusal
from services.runtime.errors import DeadlineExpired, DeadlineTooShort, Unavailable
from services.runtime.model_call import Ran, call_model
from services.runtime.picking import Batch, Limits, Picker
from services.runtime.queueing import Held, Job, Priority, Submission, Waiting
from services.runtime.speed import Speed
from services.runtime.threads import yield_to_event_loops

__all__ = ["BatchScheduler", "Priority", "Scheduled"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

# gRPC's own clock may end a call so much before its deadline on ours, in seconds.
_SAME_MOMENT = 0.01


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
        max_bytes: float = math.inf,
        max_wait: float = 0.003,
        cost: Callable[[ItemT], float] = lambda _: 1.0,
        key: Callable[[ItemT], Hashable] = lambda _: None,
        size: Callable[[ItemT], int] = lambda _: 0,
        workers: int = 1,
        watch: Callable[[BaseException | None], None] | None = None,
    ) -> None:
        """Sets the scheduler up; it works from `async with` on.

        Args:
            run: The model. Called in a thread of the scheduler with 1 to `max_batch_size` items of
                one key; returns a result or an exception for each.
            name: Names the scheduler in metrics and traces.
            max_batch_size: Most items in a batch.
            max_batch_cost: Most cost in a batch; an item of more goes alone.
            max_batch_seconds: Longest that a batch of several items is predicted to take. A batch
                that runs cannot be stopped: this is how long urgent work may have to stand behind
                it, and how exactly work can be fitted to deadlines.
            max_queue: Most items waiting; more are refused. A caller may have as many of them as
                that leaves free, so half at most; a quarter is for interactive work alone.
            max_bytes: Most memory that waiting items may hold, by their `size`; likewise.
            max_wait: Seconds an item waits for company while a worker is free.
            cost: An item's size, above 0, in any unit that the model's time grows with (tokens,
                samples).
            key: Only items of equal key share a batch.
            size: Bytes that an item holds while it waits.
            workers: Batches that run at the same time, each in its own thread.
            watch: Told on the event loop after every batch: None if the model worked, or the error
                of a batch that failed as a whole.
        """
        self._run = run
        self._name = name
        self._max_queue = max_queue
        self._max_bytes = max_bytes
        self._max_wait = max_wait
        self._cost = cost
        self._key = key
        self._size = size
        self._workers = workers
        self._watch = watch
        self._speed = Speed()
        self._picker = Picker(
            Limits(max_batch_size, max_batch_cost, max_batch_seconds), self._speed
        )
        self._queue: Waiting[ItemT] = Waiting()
        self._admission = Admission(self._queue, self._picker, self._speed, workers)
        self._order = itertools.count()
        self._running: dict[int, float] = {}
        self._arrival = asyncio.Event()
        self._cold = False
        self._largest = 0.0
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
        stack: TracebackType | None,
    ) -> None:
        """Lets running batches finish; items still waiting are told that the server is stopping."""
        self._closed = True
        waiting = [j for of in self._queue.lanes for lane in of.values() for j in lane.jobs]
        for job in waiting:
            self._fail(job.submission, Unavailable("the server is stopping"))
        self._arrival.set()
        await asyncio.gather(*self._tasks)
        if self._threads is not None:
            self._threads.shutdown()

    @property
    def waiting(self) -> int:
        """Items that wait for a batch or are still being prepared."""
        return self._queue.items + len(self._queue.promised)

    async def warm_up(self, work: Callable[[], Awaitable[object]]) -> None:
        """Does some work twice before the first caller comes.

        The first time pays for whatever is lazy (weights, a device, kernels) and teaches nothing:
        as much would be expected of all work that is more. The second shows how long it takes.

        Args:
            work: Submits something, and raises what becomes of it.
        """
        self._cold = True
        try:
            await work()
        finally:
            self._cold = False
        await work()

    async def submit(
        self,
        item: ItemT,
        *,
        caller: str = "",
        priority: Priority = Priority.INTERACTIVE,
        deadline: float | None = None,
        promise: Submission | None = None,
    ) -> Scheduled[ResultT]:
        """Runs an item in the next batch it fits.

        Args:
            item: The work.
            caller: Who shares fairly with others.
            priority: Its class.
            deadline: On the event loop's clock, in seconds; None waits as long as it takes.
            promise: Of `promise`: it is accepted, unless it costs more than was said.

        Raises:
            Overloaded: It cannot be done in time; refused before anything was done.
            OutOfMemory: The device has too little memory for it and what it ran with.
            TooLarge: The device has too little memory for it alone.
            DeadlineTooShort: It could not be done in time by an idle server.
            DeadlineExpired: The deadline passed first.
            Unavailable: The scheduler is stopping.
            Exception: What `run` returned for the item, or raised for its batch.
        """
        (result,) = await self.submit_all(
            [item], caller=caller, priority=priority, deadline=deadline, promise=promise
        )
        return result

    @contextlib.contextmanager
    def promise(
        self,
        items: Sequence[ItemT],
        *,
        caller: str = "",
        priority: Priority = Priority.INTERACTIVE,
        deadline: float | None = None,
        promise: Submission | None = None,
    ) -> Iterator[Submission]:
        """Accepts work that has yet to be prepared, or raises what `submit_all` would.

        What will be refused is so refused before anything is done for it, and what is prepared is
        not refused because of others who came meanwhile. Room is kept until the scope ends: let
        it be short, for others are refused who find none beside it. No worker waits for it.

        Args:
            items: What the work will be like: their cost, key and size.
            caller: As for `submit`.
            priority: As for `submit`.
            deadline: As for `submit`.
            promise: As for `submit`.
        """
        submission = self._submission(items, caller, priority, deadline)
        submission.done.set_result(None)  # nobody waits for these: the model never sees them
        self._admit(submission, promise, ready=False)
        try:
            yield submission
        finally:
            self._take_back(submission)
            submission.jobs = []

    async def submit_all(
        self,
        items: Sequence[ItemT],
        *,
        caller: str = "",
        priority: Priority = Priority.INTERACTIVE,
        deadline: float | None = None,
        promise: Submission | None = None,
    ) -> list[Scheduled[ResultT]]:
        """Runs items that are of use only together: all of them are accepted, or none.

        Takes and raises what `submit` does; the first failure is raised when it happens, and takes
        back those that wait.
        """
        submission = self._submission(items, caller, priority, deadline)
        if not items:
            return []
        self._admit(submission, promise, ready=True)
        self._arrival.set()
        try:
            async with asyncio.timeout_at(deadline) as scope:
                await submission.done
        except TimeoutError:
            if not scope.expired():
                raise  # the model's own
            metrics.DROPPED.labels(self._name, "deadline").inc()
            raise DeadlineExpired from None
        except asyncio.CancelledError:
            late = asyncio.get_running_loop().time() >= submission.deadline - _SAME_MOMENT
            metrics.DROPPED.labels(self._name, "deadline" if late else "cancelled").inc()
            raise
        finally:
            self._take_back(submission)
        return submission.results

    def _submission(
        self, items: Sequence[ItemT], caller: str, priority: Priority, deadline: float | None
    ) -> Submission:
        loop = asyncio.get_running_loop()
        submission = Submission(
            caller=caller,
            priority=priority,
            deadline=math.inf if deadline is None else deadline,
            submitted=loop.time(),
            context=otel_context.get_current(),
            done=loop.create_future(),
            results=[None] * len(items),
            left=len(items),
        )
        submission.jobs = [
            Job(
                item=item,
                index=index,
                submission=submission,
                key=self._key(item),
                cost=self._cost(item),
                size=self._size(item),
                order=next(self._order),
            )
            for index, item in enumerate(items)
        ]
        return submission

    def _admit(self, new: Submission, promise: Submission | None, *, ready: bool) -> None:
        """Puts jobs in the queue, or refuses them before anything is done for them.

        Those that are not `ready` only keep room in it.
        """
        now = new.submitted
        if self._closed:
            raise Unavailable("the server is stopping")
        if new.deadline <= now:
            metrics.DROPPED.labels(self._name, "deadline").inc()
            raise DeadlineExpired
        new.trial = promise is not None and promise.trial
        if promise is not None and self._is_promised(new, promise):
            for job in new.jobs:
                self._put(job, ready=ready)
            return
        # One that takes longer than it should is expected to go on for as long as it is late.
        busy = [abs(until - now) for until in self._running.values()]
        refusal: Refusal | None = None
        if full := self._has_no_room(new):
            refusal = Refusal(full, min(busy, default=0.0))
        else:
            for job in new.jobs:
                self._queue.push(job)
            try:
                refusal = self._admission.decide(new, now, busy, ready=ready)
            except DeadlineTooShort:
                self._take_back(new)
                metrics.REFUSED.labels(self._name, "deadline_too_short").inc()
                raise
        if refusal is not None:
            self._take_back(new)
            metrics.REFUSED.labels(self._name, refusal.reason).inc()
            raise refusal.error(self._name)
        if not ready:
            for job in new.jobs:
                self._queue.drop(job)
                self._put(job, ready=False)
        metrics.QUEUE_LENGTH.labels(self._name).set(self.waiting)

    def _put(self, job: Job[ItemT], *, ready: bool) -> None:
        if ready:
            self._queue.push(job)
        else:
            self._queue.promise(job)

    def _has_no_room(self, new: Submission) -> str | None:
        """What of the queue is full for a submission, items or memory; None if it has room.

        A caller may hold as much as that leaves free (dynamic thresholds, as in call_places.py).
        The first item of one who holds nothing needs no more than to fit.
        """
        held = self._queue.held.get(new.caller, Held())
        first = not held.items and len(new.jobs) == 1
        part = 1.0 if new.priority is Priority.INTERACTIVE else 1 - RESERVED
        items = len(new.jobs)
        free = max(1, part * self._max_queue) - self.waiting - items
        if free < (0 if first else held.items + items):
            return "queue_full"
        size = sum(job.size for job in new.jobs)
        waiting = self._queue.size + sum(job.size for job in self._queue.promised)
        free = part * self._max_bytes - waiting - size
        if free < (0 if first else held.size + size):
            return "memory"
        return None

    def _is_promised(self, new: Submission, promise: Submission) -> bool:
        """Puts jobs in the place of as many that were promised, if they cost no more."""
        kept = promise.jobs[: len(new.jobs)]
        promise.jobs = promise.jobs[len(kept) :]
        for before in kept:
            self._queue.unpromise(before)
        return sum(job.cost for job in new.jobs) <= sum(job.cost for job in kept)

    def _take_back(self, submission: Submission) -> None:
        for job in submission.jobs:
            if job.waiting:
                self._queue.drop(job)
            self._queue.unpromise(job)
        metrics.QUEUE_LENGTH.labels(self._name).set(self.waiting)

    async def _work(self, worker: int) -> None:
        while True:
            while not self._queue.items and not self._closed:
                self._arrival.clear()
                await self._arrival.wait()
            if self._closed:
                return
            await self._gather_company()
            await self._run_batch(worker)

    async def _gather_company(self) -> None:
        """Waits until a batch is full or its first item has waited long enough."""
        first = self._queue.first()
        if first is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(first.submission.submitted + self._max_wait):
                while first.waiting and not self._closed and not self._is_full(first.key):
                    self._arrival.clear()
                    await self._arrival.wait()

    def _is_full(self, key: Hashable) -> bool:
        same = sum(len(of[key].jobs) for of in self._queue.lanes if key in of)
        return same >= self._picker.limits.items

    async def _run_batch(self, worker: int) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        batch = self._pick(now)
        if batch is None:
            return
        self._picker.ran(batch)
        taken = [job for part in batch.parts for job in self._queue.take(*part)]
        metrics.QUEUE_LENGTH.labels(self._name).set(self.waiting)
        jobs = [job for job in taken if not job.submission.done.done()]
        if not jobs:
            return  # their callers have just left
        self._running[worker] = now + self._speed.seconds(batch.cost)
        call = partial(call_model, self._run, jobs, loop.time, self._name, self._largest)
        try:
            ran = await loop.run_in_executor(self._threads, call)
        finally:
            del self._running[worker]
        self._admission.ran({job.submission for job in jobs}, loop.time())
        if ran.jobs:
            self._learn(ran, loop.time())
            self._answer(ran)
            if self._watch is not None:
                self._watch(ran.error)

    def _pick(self, now: float) -> Batch[ItemT] | None:
        """The next batch, without those who could not be in time.

        While others wait, that is by the speed expected; otherwise by the best one known, as what
        is never tried teaches nothing, or for a trial by none.
        """
        while batch := next(self._picker.batches(self._queue), None):
            others = self._queue.items > sum(stop - start for _, start, stop in batch.parts)
            whole = self._speed.seconds(batch.cost) if others else 0.0
            hopeless = [
                job.submission
                for lane, start, stop in batch.parts
                for job in lane.jobs[start:stop]
                if job.submission.deadline < now + (whole or self._at_best(job))
            ]
            if not hopeless:
                break
            for submission in dict.fromkeys(hopeless):
                metrics.DROPPED.labels(self._name, "deadline").inc()
                self._fail(submission, DeadlineExpired())
        return batch

    def _at_best(self, job: Job[ItemT]) -> float:
        return 0.0 if job.submission.trial else self._speed.quickest(job.cost)

    def _learn(self, ran: Ran[ItemT, ResultT], now: float) -> None:
        metrics.BATCH_SIZE.labels(self._name).observe(len(ran.jobs))
        metrics.COMPUTE_SECONDS.labels(self._name).observe(ran.seconds)
        cost = sum(job.cost for job in ran.jobs)
        for job, result in zip(ran.jobs, ran.results, strict=True):
            if not isinstance(result, BaseException):
                self._largest = max(self._largest, job.cost)
        if ran.short:
            if len(ran.jobs) > 1:  # what is too large alone says nothing of what others may share
                self._picker.shrink(cost / 2)
            return
        if all(isinstance(result, BaseException) for result in ran.results):
            return  # how fast it fails says nothing
        self._picker.grow(cost, len(ran.jobs))
        if self._cold:
            return  # nor does how fast it starts
        # A model may stop early for callers who have all left: that only shows if it was slow.
        if ran.seconds > self._speed.seconds(cost) or not all(
            job.submission.done.done() for job in ran.jobs
        ):
            self._speed.observe(cost, ran.seconds, now)

    def _answer(self, ran: Ran[ItemT, ResultT]) -> None:
        size = len(ran.jobs)
        for submission in dict.fromkeys(job.submission for job in ran.jobs):
            trace.get_current_span(submission.context).add_event(
                "viva.batch",
                {
                    "viva.scheduler": self._name,
                    "viva.batch_size": size,
                    "viva.queue_seconds": ran.started - submission.submitted,
                    "viva.compute_seconds": ran.seconds,
                },
            )
        for job, result in zip(ran.jobs, ran.results, strict=True):
            submission = job.submission
            queued = ran.started - submission.submitted
            metrics.QUEUE_SECONDS.labels(self._name).observe(queued)
            if isinstance(result, BaseException):
                self._fail(submission, result)
                continue
            submission.results[job.index] = Scheduled(result, queued, ran.seconds, size)
            submission.left -= 1
            if not submission.left and not submission.done.done():
                submission.done.set_result(None)

    def _fail(self, submission: Submission, error: BaseException) -> None:
        """Tells the caller, and takes back at once what waits of the submission."""
        self._take_back(submission)
        if not submission.done.done():
            submission.done.set_exception(error)
            # Somebody has looked: an error nobody waits for any more is no news.
            submission.done.exception()
