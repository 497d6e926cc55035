"""Who is refused, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import sys
import weakref
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, use_span
from prometheus_client import REGISTRY

from services.runtime.batching import BatchScheduler, Priority
from services.runtime.errors import DeadlineExpired, DeadlineTooShort, Overloaded, ServiceError
from tests.runtime import virtual_time


class Machine:
    """A model that takes 0.1 s and 10 ms an item, unless told otherwise."""

    def __init__(self, **settings: Any) -> None:
        self.scheduler: BatchScheduler[Any, Any] = BatchScheduler(
            self._run, name="t", max_batch_size=8, **{"max_queue": 10_000} | settings
        )
        self.seconds: float | None = None
        self.by_cost = False
        self.error: Exception | None = None
        self.batches: list[list[Any]] = []

    def _run(self, items: Sequence[Any]) -> Sequence[Any]:
        usual = sum(i or 0.01 for i in items) + 0.01 if self.by_cost else 0.1 + 0.01 * len(items)
        virtual_time.spend(usual if self.seconds is None else self.seconds)
        self.batches.append(list(items))
        if self.error is not None:
            raise self.error
        return items

    async def submit(self, item: Any = 0, within: float | None = None, **settings: Any) -> Any:
        now = asyncio.get_running_loop().time()
        due = None if within is None else now + within
        return await self.scheduler.submit(item, deadline=due, **settings)

    async def verdict(self, within: float, **settings: Any) -> type[ServiceError] | None:
        try:
            await self.submit(within=within, **settings)
        except ServiceError as error:
            return type(error)
        return None

    def play(self, script: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def played() -> None:
            async with self.scheduler:
                for size in (1, 8) * 5:
                    await self.scheduler.submit_all([0] * size)
                await script()

        virtual_time.run(played())


def test_a_model_that_is_done_before_a_clock_ticks_refuses_nobody() -> None:
    machine = Machine()
    machine.seconds = 0.0

    async def script() -> None:
        burst = [machine.verdict(1.0) for _ in range(40)]
        assert await asyncio.gather(*burst) == [None] * 40

    machine.play(script)


def test_stalls_do_not_teach_that_the_model_is_slow() -> None:
    machine = Machine()

    async def script() -> None:
        for _ in range(2):
            machine.seconds = 3.0
            await machine.submit()
            machine.seconds = None
            await machine.submit()
        burst = [machine.verdict(1.5) for _ in range(16)]
        assert await asyncio.gather(*burst) == [None] * 16

    machine.play(script)


def test_a_pause_of_the_machine_under_all_workers_hardly_teaches_that_the_model_is_slow() -> None:
    machine = Machine(workers=2, key=lambda item: item)

    async def script() -> None:
        machine.seconds = 3.0
        await asyncio.gather(machine.submit(1), machine.submit(2))
        machine.seconds = None
        burst = [machine.verdict(1.5) for _ in range(16)]
        assert await asyncio.gather(*burst) == [None] * 16

    machine.play(script)


def test_an_idle_worker_tries_what_was_quick_enough_once_and_so_learns_that_it_is_again() -> None:
    machine = Machine()

    async def script() -> None:
        machine.seconds = 3.0
        for _ in range(20):
            await machine.submit()
        machine.seconds = None
        assert await machine.verdict(0.2) is None

    machine.play(script)


def test_a_deadline_too_short_for_an_idle_server_is_called_that() -> None:
    machine = Machine()

    async def script() -> None:
        with pytest.raises(DeadlineTooShort) as refused:
            await machine.submit(within=0.05)
        assert refused.value.needed == pytest.approx(0.11, rel=0.05)

    machine.play(script)


def test_a_batch_that_is_overdue_is_not_taken_for_finished() -> None:
    machine = Machine()

    async def script() -> None:
        machine.seconds = 30.0
        stuck = asyncio.create_task(machine.submit())
        await asyncio.sleep(11)
        assert await machine.verdict(0.5) is Overloaded
        machine.seconds = None
        await stuck

    machine.play(script)


def test_failed_batches_teach_nothing() -> None:
    machine = Machine()

    async def script() -> None:
        machine.seconds, machine.error = 0.0, ValueError("broken")
        for _ in range(30):
            with pytest.raises(ValueError, match="broken"):
                await machine.submit()
        machine.seconds = machine.error = None
        waiting = [asyncio.create_task(machine.submit()) for _ in range(80)]
        await asyncio.sleep(0)
        # Ten batches are ahead, of 0.18 s each.
        assert await machine.verdict(1.0) is Overloaded
        await asyncio.gather(*waiting)

    machine.play(script)


def test_batches_that_end_early_because_nobody_waits_any_more_teach_nothing() -> None:
    machine = Machine()

    async def script() -> None:
        for _ in range(30):
            machine.seconds = 0.01
            left = asyncio.create_task(machine.submit())
            await asyncio.sleep(0.005)  # it runs
            left.cancel()
            await asyncio.sleep(0.01)
        machine.seconds = None
        assert await machine.verdict(0.05) is DeadlineTooShort

    machine.play(script)


def test_interactive_work_takes_no_company_it_cannot_afford() -> None:
    machine = Machine()

    async def script() -> None:
        machine.batches.clear()
        running = [asyncio.create_task(machine.submit("first"))]
        await asyncio.sleep(0.01)
        running += [
            asyncio.create_task(machine.submit("batch", priority=Priority.BATCH)) for _ in range(40)
        ]
        running.append(asyncio.create_task(machine.submit("quick")))
        await asyncio.gather(*running)
        # 0.11 s alone; a quarter more is 0.1375 s.
        assert machine.batches[1].count("quick") == 1
        assert machine.batches[1].count("batch") == 2

    machine.play(script)


def test_company_that_costs_nothing_is_welcome() -> None:
    machine = Machine()

    async def script() -> None:
        machine.seconds = 0.1
        for size in (1, 8) * 40:
            await machine.scheduler.submit_all(range(size))
        machine.batches.clear()
        running = [asyncio.create_task(machine.submit("first"))]
        await asyncio.sleep(0.01)
        running += [
            asyncio.create_task(machine.submit("batch", priority=Priority.BATCH)) for _ in range(40)
        ]
        running.append(asyncio.create_task(machine.submit("quick")))
        await asyncio.gather(*running)
        assert sorted(machine.batches[1]) == ["batch"] * 7 + ["quick"]

    machine.play(script)


def test_classes_go_in_order() -> None:
    machine = Machine()

    async def script() -> None:
        machine.batches.clear()
        running = [asyncio.create_task(machine.submit("first"))]
        await asyncio.sleep(0.01)
        for priority in reversed(Priority):
            running += [
                asyncio.create_task(machine.submit(priority, priority=priority)) for _ in range(8)
            ]
        await asyncio.gather(*running)
        order = [item for batch in machine.batches[1:] for item in batch]
        first = [order.index(priority) for priority in Priority]
        assert first == sorted(first)

    machine.play(script)


class Payload:
    """Something heavy."""


@pytest.mark.parametrize(
    ("expendable", "verdicts"),
    [(Priority.PREVIEW, {None}), (Priority.BATCH, {None, Overloaded})],
)
def test_a_preview_is_given_up_for_whoever_waits_and_batch_work_is_not(
    expendable: Priority, verdicts: set[type[ServiceError] | None]
) -> None:
    machine = Machine()

    async def script() -> None:
        accepted = [
            asyncio.create_task(machine.verdict(0.75, priority=expendable)) for _ in range(24)
        ]
        await asyncio.sleep(0.05)
        urgent = [machine.verdict(0.7) for _ in range(12)]
        assert set(await asyncio.gather(*urgent)) == verdicts
        await asyncio.gather(*accepted)

    machine.play(script)


def test_what_is_dropped_is_let_go_at_once() -> None:
    machine = Machine()

    async def script() -> None:
        running = [asyncio.create_task(machine.submit())]
        await asyncio.sleep(0.01)
        running.append(asyncio.create_task(machine.submit(priority=Priority.BATCH)))
        payload = Payload()
        kept = weakref.ref(payload)
        dropped = asyncio.create_task(machine.submit(payload, priority=Priority.BATCH))
        await asyncio.sleep(0)
        del payload
        dropped.cancel()
        await asyncio.wait([dropped])
        del dropped
        gc.collect()
        assert kept() is None
        assert machine.scheduler.waiting == 1
        await asyncio.gather(*running)

    machine.play(script)


def dropped(reason: str) -> float:
    labels = {"scheduler": "t", "reason": reason}
    return REGISTRY.get_sample_value("viva_dropped_total", labels) or 0.0


@pytest.mark.parametrize(("after", "reason"), [(0.5, "cancelled"), (0.995, "deadline")])
def test_a_call_that_grpc_ends_just_before_its_deadline_counts_as_late(
    after: float, reason: str
) -> None:
    machine = Machine()

    async def script() -> None:
        machine.seconds = 2.0
        running = asyncio.create_task(machine.submit())
        await asyncio.sleep(0.01)
        before = dropped(reason)
        # By what is known of the model it would be done in time.
        late = asyncio.create_task(machine.submit(within=1.0))
        await asyncio.sleep(after)
        late.cancel()
        await asyncio.wait([late, running])
        assert dropped(reason) == before + 1

    machine.play(script)


def test_what_waits_may_hold_only_so_much_memory() -> None:
    machine = Machine(max_bytes=100, size=lambda item: len(item) if item else 0)

    async def script() -> None:
        running = [asyncio.create_task(machine.submit(b""))]
        await asyncio.sleep(0.01)
        running.append(asyncio.create_task(machine.submit(b"x" * 70)))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="memory"):
            await machine.submit(b"x" * 40)
        with pytest.raises(Overloaded, match="memory"):
            await machine.submit(b"x" * 10, priority=Priority.BATCH)
        running.append(asyncio.create_task(machine.submit(b"x" * 30, caller="other")))
        await asyncio.gather(*running)

    machine.play(script)


@pytest.mark.parametrize(
    ("priority", "held"),
    [
        (Priority.INTERACTIVE, [128, 64, 32, 16, 8, 4, 2, 1, 1]),
        (Priority.BATCH, [96, 48, 24, 12, 6, 3, 1, 1, 1]),
    ],
)
def test_a_caller_may_have_as_much_waiting_as_that_leaves_free(
    priority: Priority, held: list[int]
) -> None:
    machine = Machine(max_queue=256)
    waiting: list[int] = []

    async def script() -> None:
        tasks = [asyncio.create_task(machine.submit(caller="first"))]
        await asyncio.sleep(0.01)
        for caller in range(9):
            before = machine.scheduler.waiting
            tasks += [
                asyncio.create_task(machine.submit(caller=f"{caller}", priority=priority))
                for _ in range(256)
            ]
            await asyncio.sleep(0)
            waiting.append(machine.scheduler.waiting - before)
        await asyncio.gather(*tasks, return_exceptions=True)

    machine.play(script)
    assert waiting == held


def test_no_call_fills_the_queue_of_an_idle_server() -> None:
    machine = Machine(max_queue=256)

    async def script() -> None:
        with pytest.raises(Overloaded, match="the queue is full"):
            await machine.scheduler.submit_all([0] * 129)
        await machine.scheduler.submit_all([0] * 128)

    machine.play(script)


def test_who_has_all_the_batch_work_it_may_has_room_for_a_question() -> None:
    machine = Machine(max_queue=256)

    async def script() -> None:
        submit = machine.scheduler.submit_all
        with pytest.raises(Overloaded, match="the queue is full"):
            await submit([0] * 97, priority=Priority.BATCH)
        job = asyncio.create_task(submit([0] * 96, priority=Priority.BATCH))
        await asyncio.sleep(0)
        await submit([0] * 16)
        await job

    machine.play(script)


def test_callers_who_ask_on_and_on_leave_about_as_much_as_each_of_them_has() -> None:
    machine = Machine(max_queue=60)
    free: list[int] = []

    async def flood(caller: int) -> None:
        while True:
            with contextlib.suppress(Overloaded):
                await machine.submit(caller=f"{caller}")
            await asyncio.sleep(0.2)

    async def script() -> None:
        floods = [asyncio.create_task(flood(n % 5)) for n in range(300)]
        await asyncio.sleep(6)
        for _ in range(60):
            await asyncio.sleep(0.1)
            free.append(60 - machine.scheduler.waiting)
        for task in floods:
            task.cancel()
        await asyncio.wait(floods)

    machine.play(script)
    assert min(free) >= 60 / 6 - 2


@pytest.mark.parametrize("within", [None, 5.0])
@pytest.mark.parametrize("others", [1, 4])
def test_a_full_queue_locks_nobody_out_who_holds_little_of_it(
    within: float | None, others: int
) -> None:
    machine = Machine(max_queue=40)
    verdicts = []

    async def flood(caller: str) -> None:
        while True:
            try:
                await machine.submit(within=within, caller=caller)
            except Overloaded:
                await asyncio.sleep(0.2)

    async def script() -> None:
        floods = [asyncio.create_task(flood(f"{n % others}")) for n in range(80)]
        for _ in range(20):
            await asyncio.sleep(1)
            verdicts.append(await machine.verdict(2.0, caller="quiet"))
        for task in floods:
            task.cancel()
        await asyncio.wait(floods)

    machine.play(script)
    assert verdicts == [None] * 20


@pytest.mark.parametrize("callers", [2, 4, 8])
def test_work_without_a_deadline_makes_no_accepted_work_late(callers: int) -> None:
    machine = Machine()

    async def script() -> None:
        accepted = [asyncio.create_task(machine.verdict(1.2, caller="a")) for _ in range(32)]
        await asyncio.sleep(0.01)
        endless = [
            asyncio.create_task(machine.verdict(math.inf, caller=f"{caller}"))
            for caller in range(callers)
            for _ in range(8)
        ]
        verdicts = await asyncio.gather(*accepted)
        assert DeadlineExpired not in verdicts
        assert verdicts.count(None) >= 24
        # There is time left for some of it.
        assert None in await asyncio.gather(*endless)

    machine.play(script)


def test_on_an_idle_server_many_items_leave_a_quarter_of_their_time_to_others() -> None:
    machine = Machine()

    async def script() -> None:
        loop = asyncio.get_running_loop()
        for size in (1, 8) * 20:  # the speed is well known
            await machine.scheduler.submit_all([0] * size)

        async def job(within: float) -> None:
            due = loop.time() + within
            await machine.scheduler.submit_all([0] * 200, caller="job", deadline=due)

        # Of 25 batches, 4.5 s together.
        await job(1.6 * 4.5)
        with pytest.raises(Overloaded):
            await job(1.2 * 4.5)
        with pytest.raises(DeadlineTooShort):
            await job(0.9 * 4.5)
        running = asyncio.create_task(job(1.6 * 4.5))
        for _ in range(12):
            assert await machine.verdict(1.0, caller="quiet") is None
            await asyncio.sleep(0.4)
        await running

    machine.play(script)


def test_an_idle_server_takes_many_items_of_batch_work_right_after_a_crowd() -> None:
    machine = Machine()

    async def script() -> None:
        loop = asyncio.get_running_loop()
        for size in (
            1,
            8,
        ) * 20:  # All the time of the last seconds was asked for by interactive work.
            await machine.scheduler.submit_all([0] * size)
        due = loop.time() + 5 * 0.72
        await machine.scheduler.submit_all([0] * 32, priority=Priority.BATCH, deadline=due)

    machine.play(script)


def test_an_idle_server_takes_many_items_before_it_knows_its_speed_well() -> None:
    machine = Machine()

    async def script() -> None:
        # Four batches, 0.72 s together.
        due = asyncio.get_running_loop().time() + 1.6 * 0.72
        await machine.scheduler.submit_all([0] * 32, caller="job", deadline=due)

    machine.play(script)


def test_work_that_will_be_late_anyway_refuses_nobody() -> None:
    machine = Machine()

    async def script() -> None:
        loop = asyncio.get_running_loop()
        late = asyncio.create_task(
            machine.scheduler.submit_all([0] * 80, caller="job", deadline=loop.time() + 3)
        )
        await asyncio.sleep(0.01)
        machine.seconds = 1.0  # ten batches of it will not be done in 3 s
        await asyncio.sleep(1.9)
        machine.seconds = None
        assert await machine.verdict(2.0, caller="quiet") is None
        with pytest.raises(DeadlineExpired):
            await late

    machine.play(script)


def test_items_of_one_request_fail_together_and_at_once() -> None:
    answers: list[list[Any]] = []

    def run(items: Sequence[Any]) -> Sequence[Any]:
        virtual_time.spend(1.0)
        answers.append(list(items))
        return [ValueError("bad") if item == "bad" else item for item in items]

    async def script() -> None:
        loop = asyncio.get_running_loop()
        async with BatchScheduler(run, name="t", max_batch_size=1, max_wait=0) as scheduler:
            started = loop.time()
            with pytest.raises(ValueError, match="bad"):
                await scheduler.submit_all(["good", "bad", "never", "never"])
            assert loop.time() - started == pytest.approx(2.0)
            assert scheduler.waiting == 0
        assert answers == [["good"], ["bad"]]

    virtual_time.run(script())


def test_a_caller_of_whom_nothing_waits_has_what_others_leave() -> None:
    machine = Machine()

    async def script() -> None:
        loop = asyncio.get_running_loop()
        running = [asyncio.create_task(machine.submit())]
        await asyncio.sleep(0.01)
        running += [asyncio.create_task(machine.submit(caller=f"{n}")) for n in range(6)]
        await asyncio.sleep(0)
        # Beside eight callers who went on, its part would take eight batches.
        await machine.scheduler.submit_all([0] * 8, caller="new", deadline=loop.time() + 1)
        await asyncio.gather(*running)

    machine.play(script)


def test_what_will_be_refused_is_refused_before_it_is_prepared() -> None:
    machine = Machine()

    async def script() -> None:
        now = asyncio.get_running_loop().time()
        with machine.scheduler.promise([1] * 8, deadline=now + 5):
            pass
        assert machine.scheduler.waiting == 0
        with pytest.raises(DeadlineTooShort), machine.scheduler.promise([1], deadline=now + 0.01):
            pass

    machine.play(script)


def test_what_was_promised_is_not_refused_because_of_who_came_meanwhile() -> None:
    machine = Machine()

    async def script() -> None:
        loop = asyncio.get_running_loop()
        # A batch runs; one more, full, can be done in time, and half of it is promised.
        running = asyncio.create_task(machine.submit())
        await asyncio.sleep(0.01)
        due = loop.time() + 0.45
        with machine.scheduler.promise(range(4), caller="slow", deadline=due) as promise:
            quick = [
                asyncio.create_task(machine.verdict(0.45, caller=f"quick {n}")) for n in range(30)
            ]
            await asyncio.sleep(0.01)
            with pytest.raises(Overloaded):
                await machine.scheduler.submit_all(range(4), caller="slow", deadline=due)
            done = await machine.scheduler.submit_all(
                range(4), caller="slow", deadline=due, promise=promise
            )
        assert len(done) == 4
        verdicts = await asyncio.gather(*quick)
        assert DeadlineExpired not in verdicts
        assert Overloaded in verdicts
        await running

    machine.play(script)


def test_an_idle_worker_refuses_nobody_because_of_what_is_still_being_prepared() -> None:
    machine = Machine()

    async def script() -> None:
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as stack:
            for n in range(16):
                stack.enter_context(
                    machine.scheduler.promise(
                        range(8), caller=f"file {n}", deadline=loop.time() + 300
                    )
                )
            for _ in range(20):
                await asyncio.sleep(0.5)
                # Two at a time: a worker that is free takes both.
                verdicts = [machine.verdict(0.5, caller="live") for _ in range(2)]
                assert await asyncio.gather(*verdicts) == [None, None]

    machine.play(script)


def test_many_who_are_still_being_prepared_are_promised_no_more_than_can_be_done() -> None:
    machine = Machine()

    async def script() -> None:
        due = asyncio.get_running_loop().time() + 1
        accepted = 0
        with contextlib.ExitStack() as stack:
            for n in range(20):
                with contextlib.suppress(Overloaded):
                    stack.enter_context(
                        machine.scheduler.promise(range(8), caller=str(n), deadline=due)
                    )
                    accepted += 1
        assert 3 <= accepted <= 5

    machine.play(script)


@pytest.mark.parametrize("within", [1.6, 3.0])
@pytest.mark.parametrize("awoken", [False, True])
def test_what_was_promised_is_done_in_time_whoever_runs_meanwhile(
    awoken: bool, within: float
) -> None:
    # No batch has more than one of them.
    machine = Machine(cost=lambda item: item or 0.01, key=lambda item: item)
    machine.by_cost = True

    async def script() -> None:
        loop = asyncio.get_running_loop()
        for cost in (1.0, 0.02) * 10:
            await machine.submit(cost)
        due = loop.time() + 1.8
        with machine.scheduler.promise([1.0], caller="slow", deadline=due) as promise:
            if awoken:
                await machine.submit(0.02, within=3.0)
            await asyncio.sleep(0.2)
            assert await machine.verdict(within, item=1.1) is Overloaded
            await machine.scheduler.submit(1.0, caller="slow", deadline=due, promise=promise)
        assert loop.time() <= due

    machine.play(script)


def test_a_promise_is_for_no_more_than_was_said() -> None:
    machine = Machine(cost=lambda item: item or 1.0)

    async def script() -> None:
        loop = asyncio.get_running_loop()
        running = asyncio.create_task(machine.submit(8.0))
        await asyncio.sleep(0.01)
        due = loop.time() + 1
        with (
            pytest.raises((Overloaded, DeadlineTooShort)),
            machine.scheduler.promise([1.0], deadline=due) as promise,
        ):
            await machine.scheduler.submit(1000.0, deadline=due, promise=promise)
        assert machine.scheduler.waiting == 0
        await running

    machine.play(script)


def test_the_model_never_sees_what_is_only_promised() -> None:
    machine = Machine()

    async def script() -> None:
        machine.batches.clear()
        with machine.scheduler.promise(["promised"]) as promise:
            await machine.submit("other")
            await machine.scheduler.submit("prepared", promise=promise)
        assert machine.batches == [["other"], ["prepared"]]
        assert machine.scheduler.waiting == 0

    machine.play(script)


def decision_calls(size: int, batches: int, within: float = 1e6) -> int:
    """Function calls of one decision while so many full batches wait for their own caller."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    async def script() -> None:
        gone = asyncio.get_running_loop().time() + 1e6
        async with BatchScheduler(
            virtually, name="t", max_batch_size=size, max_queue=10_000, max_wait=0
        ) as scheduler:
            await scheduler.submit(0)
            running = [asyncio.create_task(scheduler.submit(0))]
            await asyncio.sleep(0.01)
            running += [
                asyncio.create_task(scheduler.submit(n, deadline=gone))
                for n in range(size * batches)
            ]
            await asyncio.sleep(0)
            assert scheduler.waiting == size * batches
            sys.setprofile(count)
            try:
                due = asyncio.get_running_loop().time() + within
                with contextlib.suppress(Overloaded), scheduler.promise([0], deadline=due):
                    pass
            finally:
                sys.setprofile(None)
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    def virtually(items: Sequence[int]) -> Sequence[int]:
        virtual_time.spend(0.1)
        return items

    virtual_time.run(script())
    return calls


def test_a_decision_looks_at_the_batches_that_wait_and_not_at_the_items() -> None:
    few = decision_calls(size=4, batches=20)
    assert decision_calls(size=60, batches=20) <= 1.1 * few


def test_who_asks_for_more_than_its_part_is_refused_without_a_look_at_what_waits() -> None:
    few = decision_calls(size=4, batches=10, within=0.5)
    assert decision_calls(size=4, batches=200, within=0.5) <= 1.1 * few


def test_a_batch_is_an_event_of_each_callers_span() -> None:
    class Heard(NonRecordingSpan):
        def __init__(self) -> None:
            super().__init__(SpanContext(1, 1, is_remote=False))
            self.events: list[tuple[str, Any]] = []

        def add_event(
            self, name: str, attributes: Any = None, timestamp: int | None = None
        ) -> None:
            self.events.append((name, attributes))

    machine = Machine()
    spans = [Heard(), Heard()]

    async def traced(span: Heard) -> None:
        with use_span(span):
            await machine.submit()

    async def script() -> None:
        running = asyncio.create_task(machine.submit())
        await asyncio.sleep(0.01)
        await asyncio.gather(running, *map(traced, spans))
        for span in spans:
            ((name, told),) = span.events
            assert name == "viva.batch"
            assert told["viva.scheduler"] == "t"
            assert told["viva.batch_size"] == 2
            # The batch before takes 0.11 s, and began 10 ms earlier.
            assert told["viva.queue_seconds"] == pytest.approx(0.1, abs=0.01)
            assert told["viva.compute_seconds"] == pytest.approx(0.12)

    machine.play(script)
