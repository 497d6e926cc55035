"""The scheduler's promises, for any mix of callers, priorities, deadlines and cancellations."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runtime.batching import BatchScheduler, Priority, Scheduled
from services.runtime.errors import DeadlineExpired, Overloaded, Unavailable


class Gate:
    """A model that holds each batch until it is let through, and remembers every batch."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Semaphore(0)
        self._pass = threading.Semaphore(0)

    def run(self, items: Sequence[str]) -> Sequence[str | Exception]:
        self.batches.append(list(items))
        self.entered.release()
        assert self._pass.acquire(timeout=30)
        return [item.upper() for item in items]

    def let_through(self, batches: int = 1) -> None:
        self._pass.release(batches)

    async def wait_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, timeout=30)


async def until_waiting(scheduler: BatchScheduler[str, str], count: int) -> None:
    while scheduler.waiting != count:  # noqa: ASYNC110 - the loop's own turns are the event
        await asyncio.sleep(0)


async def test_items_of_different_callers_share_a_batch() -> None:
    gate = Gate()
    gate.let_through(1)
    async with BatchScheduler(gate.run, name="t", max_batch_size=3, max_wait=30) as scheduler:
        results = await asyncio.gather(*(scheduler.submit(c, caller=c) for c in "abc"))
    assert [r.value for r in results] == ["A", "B", "C"]
    assert {r.batch_size for r in results} == {3}
    assert sorted(gate.batches[0]) == ["a", "b", "c"]


async def test_a_lone_item_waits_no_longer_than_max_wait() -> None:
    gate = Gate()
    gate.let_through(1)
    async with BatchScheduler(gate.run, name="t", max_batch_size=64, max_wait=0.001) as scheduler:
        result = await scheduler.submit("a")
    assert result.batch_size == 1


async def test_items_of_different_keys_never_share_a_batch() -> None:
    gate = Gate()
    gate.let_through(10)
    async with BatchScheduler(
        gate.run, name="t", max_batch_size=8, key=lambda item: item[0]
    ) as scheduler:
        await asyncio.gather(*(scheduler.submit(i) for i in ("a1", "b1", "a2", "b2", "a3")))
    assert all(len({item[0] for item in batch}) == 1 for batch in gate.batches)
    assert sorted(i for b in gate.batches for i in b) == ["a1", "a2", "a3", "b1", "b2"]


async def test_a_batch_costs_no_more_than_it_may_and_a_large_item_goes_alone() -> None:
    gate = Gate()
    gate.let_through(10)
    async with BatchScheduler(
        gate.run, name="t", max_batch_size=8, max_batch_cost=5, cost=len
    ) as scheduler:
        items = ["a" * size for size in (2, 2, 2, 9, 1)]
        results = await asyncio.gather(*(scheduler.submit(item) for item in items))
    assert [result.value for result in results] == [item.upper() for item in items]
    assert sorted(i for batch in gate.batches for i in batch) == sorted(items)
    for batch in gate.batches:
        assert len(batch) == 1 or sum(map(len, batch)) <= 5
    assert gate.batches[0] == ["aa", "aa"]


async def _after_a_running_batch(
    submissions: Sequence[tuple[str, str, Priority, float | None]], max_batch_size: int = 1
) -> list[list[str]]:
    """Submits while a batch runs, then lets all run; returns the batches after the first."""
    gate = Gate()
    async with (
        BatchScheduler(gate.run, name="t", max_batch_size=max_batch_size, max_wait=0) as scheduler,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(scheduler.submit("first", caller="first"))
        await gate.wait_entered()
        now = asyncio.get_running_loop().time()
        for count, (item, caller, priority, deadline) in enumerate(submissions, 1):
            group.create_task(
                scheduler.submit(
                    item,
                    caller=caller,
                    priority=priority,
                    deadline=None if deadline is None else now + deadline,
                )
            )
            await until_waiting(scheduler, count)
        gate.let_through(1 + len(submissions))
    return gate.batches[1:]


async def test_interactive_work_goes_before_batch_work_that_came_first() -> None:
    batches = await _after_a_running_batch(
        [
            ("slow1", "a", Priority.BATCH, 60),
            ("slow2", "a", Priority.BATCH, 60),
            ("quick", "b", Priority.INTERACTIVE, None),
        ]
    )
    assert batches == [["quick"], ["slow1"], ["slow2"]]


async def test_one_callers_items_go_in_the_order_in_which_they_came() -> None:
    batches = await _after_a_running_batch(
        [
            ("patient", "a", Priority.INTERACTIVE, 90),
            ("undated", "a", Priority.INTERACTIVE, None),
            ("hasty", "a", Priority.INTERACTIVE, 60),
        ]
    )
    assert batches == [["patient"], ["undated"], ["hasty"]]


async def test_a_caller_who_floods_does_not_keep_others_waiting() -> None:
    flood = [(f"f{n}", "flooder", Priority.INTERACTIVE, 60.0) for n in range(20)]
    batches = await _after_a_running_batch(
        [
            *flood,
            ("one", "quiet", Priority.INTERACTIVE, 80),
            ("two", "quiet", Priority.INTERACTIVE, 80),
        ]
    )
    order = [item for batch in batches for item in batch]
    assert order.index("one") <= 2
    assert order.index("two") <= 4


@given(
    loads=st.lists(st.integers(1, 12), min_size=2, max_size=4),
    size=st.integers(1, 4),
)
@settings(max_examples=25, deadline=None)
def test_callers_with_equal_items_are_served_equally_while_they_wait(
    loads: list[int], size: int
) -> None:
    submissions = [
        (f"{caller}.{n}", str(caller), Priority.INTERACTIVE, None)
        for caller, load in enumerate(loads)
        for n in range(load)
    ]
    batches = asyncio.run(_after_a_running_batch(submissions, size))
    served: Counter[str] = Counter()
    left = Counter({str(caller): load for caller, load in enumerate(loads)})
    for item in (item for batch in batches for item in batch):
        caller = item.split(".")[0]
        # Nobody who still waits has been served two items less than the one served now.
        assert all(served[caller] <= served[c] + 1 for c, waiting in left.items() if waiting)
        served[caller] += 1
        left[caller] -= 1
    assert not any(left.values())


@dataclass(frozen=True)
class Step:
    caller: int
    batch: bool
    deadline_ms: int | None
    cancel: bool
    key: int
    pause: bool


steps = st.builds(
    Step,
    caller=st.integers(0, 3),
    batch=st.booleans(),
    deadline_ms=st.one_of(st.none(), st.integers(-1, 30)),
    cancel=st.booleans(),
    key=st.integers(0, 1),
    pause=st.booleans(),
)


@given(
    work=st.lists(steps, max_size=40),
    size=st.integers(1, 5),
    workers=st.integers(1, 3),
    queue=st.integers(1, 50),
)
@settings(max_examples=60, deadline=None)
def test_every_item_is_answered_once_and_none_runs_late_or_cancelled_or_twice(  # noqa: C901
    work: list[Step], size: int, workers: int, queue: int
) -> None:
    ran: list[tuple[int, float]] = []
    lock = threading.Lock()
    deadlines: dict[int, float] = {}
    cancelled_before: dict[int, int] = {}

    async def play() -> list[object]:
        loop = asyncio.get_running_loop()

        def model(items: Sequence[int]) -> Sequence[int | Exception]:
            with lock:
                now = loop.time()
                assert len(items) <= size
                assert len({work[i].key for i in items}) == 1
                ran.extend((i, now) for i in items)
            time.sleep(0.001)  # the model's own time
            return [ValueError(i) if i % 7 == 3 else -i for i in items]

        async with BatchScheduler(
            model,
            name="t",
            max_batch_size=size,
            max_queue=queue,
            max_wait=0.001,
            workers=workers,
            key=lambda i: work[i].key,
        ) as scheduler:
            tasks: list[asyncio.Task[Scheduled[int]]] = []
            for index, step in enumerate(work):
                deadline = None
                if step.deadline_ms is not None:
                    deadline = deadlines[index] = loop.time() + step.deadline_ms / 1000
                tasks.append(
                    asyncio.create_task(
                        scheduler.submit(
                            index,
                            caller=str(step.caller),
                            priority=Priority.BATCH if step.batch else Priority.INTERACTIVE,
                            deadline=deadline,
                        )
                    )
                )
                await asyncio.sleep(0)
                if step.cancel:
                    tasks[-1].cancel()
                    await asyncio.sleep(0)
                    with lock:
                        cancelled_before[index] = sum(i == index for i, _ in ran)
                if step.pause:
                    await asyncio.sleep(0.002)
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert scheduler.waiting == 0
        return list(answers)

    answers = asyncio.run(play())
    times = Counter(index for index, _ in ran)
    assert all(count == 1 for count in times.values()), "run twice"
    for index, moment in ran:
        # The thread may lose the processor between the scheduler's last look and here.
        assert moment <= deadlines.get(index, moment) + 0.1, "run after its deadline"
    for index, seen in cancelled_before.items():
        if seen == 0 and isinstance(answers[index], asyncio.CancelledError):
            assert times[index] == 0, "run after its cancellation"
    for index, answer in enumerate(answers):
        match answer:
            case Scheduled(value=value):
                assert value == -index
                assert times[index] == 1
            case ValueError():
                assert index % 7 == 3
                assert times[index] == 1
            case Overloaded():
                assert times[index] == 0, "run though refused"
            case DeadlineExpired():
                assert index in deadlines
            case asyncio.CancelledError():
                assert work[index].cancel
            case other:
                pytest.fail(f"lost: {other!r}")


async def test_expired_work_is_dropped_before_the_model() -> None:
    gate = Gate()
    async with BatchScheduler(gate.run, name="t", max_batch_size=1, max_wait=0) as scheduler:
        first = asyncio.create_task(scheduler.submit("a"))
        await gate.wait_entered()
        deadline = asyncio.get_running_loop().time() + 0.01
        with pytest.raises(DeadlineExpired):
            await scheduler.submit("b", deadline=deadline)
        gate.let_through(2)
        assert (await first).value == "A"
    assert gate.batches == [["a"]]


async def test_cancelled_work_is_dropped_before_the_model() -> None:
    gate = Gate()
    async with BatchScheduler(gate.run, name="t", max_batch_size=1, max_wait=0) as scheduler:
        first = asyncio.create_task(scheduler.submit("a"))
        await gate.wait_entered()
        second = asyncio.create_task(scheduler.submit("b"))
        await until_waiting(scheduler, 1)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert scheduler.waiting == 0
        gate.let_through(2)
        await first
    assert gate.batches == [["a"]]


async def test_a_full_queue_refuses_with_a_retry_hint() -> None:
    gate = Gate()
    async with BatchScheduler(
        gate.run, name="t", max_batch_size=1, max_queue=1, max_wait=0
    ) as scheduler:
        running = [asyncio.create_task(scheduler.submit("a"))]
        await gate.wait_entered()
        running.append(asyncio.create_task(scheduler.submit("b")))
        await until_waiting(scheduler, 1)
        with pytest.raises(Overloaded) as refused:
            await scheduler.submit("c")
        assert refused.value.retry_after > 0
        gate.let_through(2)
        await asyncio.gather(*running)


async def test_batch_work_leaves_room_for_interactive_work() -> None:
    gate = Gate()
    async with (
        BatchScheduler(gate.run, name="t", max_batch_size=1, max_queue=4, max_wait=0) as scheduler,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(scheduler.submit("first"))
        await gate.wait_entered()
        for count in (1, 2, 3):
            job = scheduler.submit(f"b{count}", caller=f"{count}", priority=Priority.BATCH)
            group.create_task(job)
            await until_waiting(scheduler, count)
        with pytest.raises(Overloaded):
            await scheduler.submit("b4", priority=Priority.BATCH)
        group.create_task(scheduler.submit("i1", caller="other"))
        await until_waiting(scheduler, 4)
        gate.let_through(5)


async def test_work_that_cannot_meet_its_deadline_is_refused_at_once() -> None:
    gate = Gate()
    async with BatchScheduler(gate.run, name="t", max_batch_size=1, max_wait=0) as scheduler:
        for item in "ab":  # teaches the scheduler that an item takes 50 ms
            task = asyncio.create_task(scheduler.submit(item))
            await gate.wait_entered()
            await asyncio.sleep(0.05)
            gate.let_through(1)
            await task
        running = [asyncio.create_task(scheduler.submit(item)) for item in "cdefg"]
        await gate.wait_entered()
        await until_waiting(scheduler, 4)
        with pytest.raises(Overloaded) as refused:
            await scheduler.submit("x", deadline=asyncio.get_running_loop().time() + 0.1)
        # Two batches too many: the queue ahead takes 200 ms.
        assert refused.value.retry_after >= 0.1
        gate.let_through(5)
        await asyncio.gather(*running)
    assert "x" not in {item for batch in gate.batches for item in batch}


async def test_one_items_error_is_its_own() -> None:
    def run(items: Sequence[int]) -> Sequence[int | Exception]:
        return [ValueError("bad") if item < 0 else item for item in items]

    async with BatchScheduler(run, name="t", max_batch_size=4, max_wait=0.01) as scheduler:
        good, bad = await asyncio.gather(
            scheduler.submit(1), scheduler.submit(-1), return_exceptions=True
        )
    assert isinstance(good, Scheduled)
    assert isinstance(bad, ValueError)


async def test_a_model_that_fails_as_a_whole_fails_its_batch_and_nothing_after() -> None:
    calls = 0

    def run(items: Sequence[int]) -> Sequence[int | Exception]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise MemoryError
        return list(items)

    async with BatchScheduler(run, name="t", max_batch_size=4) as scheduler:
        with pytest.raises(MemoryError):
            await scheduler.submit(1)
        assert (await scheduler.submit(2)).value == 2


async def test_leaving_the_scope_finishes_what_runs_and_tells_who_waits() -> None:
    gate = Gate()
    async with BatchScheduler(gate.run, name="t", max_batch_size=1, max_wait=0) as scheduler:
        running = asyncio.create_task(scheduler.submit("a"))
        await gate.wait_entered()
        waiting = asyncio.create_task(scheduler.submit("b"))
        await until_waiting(scheduler, 1)
        gate.let_through(1)
    assert (await running).value == "A"
    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        await scheduler.submit("c")


async def test_a_cancellation_out_of_the_model_is_an_error_and_the_worker_lives() -> None:
    calls = 0

    def run(items: Sequence[int]) -> Sequence[int | Exception]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise asyncio.CancelledError
        return list(items)

    async with BatchScheduler(run, name="t", max_batch_size=4) as scheduler:
        with pytest.raises(RuntimeError, match="CancelledError"):
            await scheduler.submit(1)
        assert (await scheduler.submit(2)).value == 2


async def test_a_watcher_hears_of_every_batch() -> None:
    heard: list[BaseException | None] = []
    error = ValueError("broken")

    def run(items: Sequence[int]) -> Sequence[int | Exception]:
        if items[0] < 0:
            raise error
        return [ValueError("its own")] if items[0] == 0 else list(items)

    async with BatchScheduler(run, name="t", max_batch_size=1, watch=heard.append) as scheduler:
        await asyncio.gather(*map(scheduler.submit, (1, -1, 0)), return_exceptions=True)
    assert heard == [None, error, None]


@pytest.mark.parametrize("fits", [0, 1, 2, 4])
async def test_too_little_device_memory_halves_the_batch_once(fits: int) -> None:
    sizes: list[int] = []

    def run(items: Sequence[int]) -> Sequence[int | Exception]:
        sizes.append(len(items))
        if len(items) > fits:
            raise RuntimeError("CUDA failed with error out of memory")
        return list(items)

    heard: list[BaseException | None] = []
    async with BatchScheduler(
        run, name="t", max_batch_size=4, max_wait=30, watch=heard.append
    ) as scheduler:
        answers = await asyncio.gather(*map(scheduler.submit, range(4)), return_exceptions=True)
    assert sizes == ([4] if fits == 4 else [4, 2, 2])
    if fits >= 2:
        assert [a.value for a in answers if isinstance(a, Scheduled)] == [0, 1, 2, 3]
        assert heard == [None]
    else:
        assert all(isinstance(answer, Overloaded) for answer in answers)
        assert heard[0] is not None


async def test_after_too_little_memory_batches_are_smaller_and_feel_their_way_back() -> None:
    sizes: list[int] = []

    def run(items: Sequence[int]) -> Sequence[int | Exception]:
        sizes.append(len(items))
        if len(sizes) == 1:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return list(items)

    async with BatchScheduler(run, name="t", max_batch_size=4) as scheduler:
        for _ in range(4):
            await scheduler.submit_all(range(4))
    assert sizes == [4, 2, 2, 2, 2, 3, 1, 4]


async def test_compute_time_is_the_models_own() -> None:
    def run(items: Sequence[int]) -> Sequence[int]:
        return list(items)

    async def block() -> None:
        time.sleep(0.2)  # noqa: ASYNC251 - the loop is busy while the model is done

    async with BatchScheduler(run, name="t", max_batch_size=1, max_wait=0) as scheduler:
        running = asyncio.create_task(scheduler.submit(1))
        await asyncio.sleep(0)
        await asyncio.gather(*(block() for _ in range(2)))
        assert (await running).compute_time < 0.2
