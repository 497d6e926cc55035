"""What a model's first work, far slower than any later, does to those who come after it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from services.runtime.batching import BatchScheduler
from services.runtime.errors import DeadlineExpired, DeadlineTooShort, ServiceError
from tests.runtime import virtual_time

LOADING = 30.0
"""Seconds that the first batch takes beside its own: weights are loaded, a device is started."""


class Machine:
    """A model that takes 10 ms a unit of cost, once it is warm."""

    def __init__(self, *, slow: int = 1) -> None:
        """Takes how many batches are slow."""
        self.scheduler: BatchScheduler[float, float] = BatchScheduler(
            self._run, name="t", max_batch_size=8, cost=float, key=lambda cost: cost
        )
        self.slow = slow
        self.batches: list[list[float]] = []

    def _run(self, items: Sequence[float]) -> Sequence[float]:
        virtual_time.spend(0.01 * sum(items) + (LOADING if self.slow > 0 else 0.0))
        self.slow -= 1
        self.batches.append(list(items))
        return items

    async def greet(self) -> None:
        await self.scheduler.submit(2.0)

    async def ask(self, cost: float, within: float) -> bool:
        """Whether it is answered; it may also be refused as hopeless, and nothing else."""
        due = asyncio.get_running_loop().time() + within
        with contextlib.suppress(DeadlineTooShort):
            await self.scheduler.submit(cost, deadline=due)
            return True
        return False

    def play(self, script: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def played() -> None:
            async with self.scheduler:
                await script()

        virtual_time.run(played())


def test_what_a_first_batch_pays_for_is_not_expected_of_any_later_one() -> None:
    machine = Machine()

    async def script() -> None:
        await machine.scheduler.warm_up(machine.greet)
        assert len(machine.batches) == 2
        assert await machine.ask(100.0, within=5.0)
        with pytest.raises(DeadlineTooShort):  # the second one did teach
            await machine.scheduler.submit(100.0, deadline=asyncio.get_running_loop().time() + 0.1)

    machine.play(script)


def test_a_server_that_cannot_warm_up_says_so_and_learns_again_afterwards() -> None:
    machine = Machine(slow=0)

    async def broken() -> None:
        raise RuntimeError("no weights")

    async def script() -> None:
        with pytest.raises(RuntimeError, match="no weights"):
            await machine.scheduler.warm_up(broken)
        await machine.greet()
        with pytest.raises(DeadlineTooShort):
            await machine.scheduler.submit(100.0, deadline=asyncio.get_running_loop().time() + 0.1)

    machine.play(script)


def test_an_idle_server_that_seems_far_too_slow_for_all_is_tried_once_a_minute() -> None:
    machine = Machine()

    async def script() -> None:
        await machine.greet()  # 30 s for two: 1500 s for a hundred, by all that is known
        answered = []
        for _ in range(12):
            answered.append(await machine.ask(100.0, within=5.0))
            await asyncio.sleep(10)
        # The seventh comes a minute after the first refusal; what it teaches is good for the rest.
        assert answered == [False] * 6 + [True] * 6

    machine.play(script)


def test_a_call_that_really_takes_too_long_takes_a_fifth_of_the_idle_time_and_no_more() -> None:
    machine = Machine(slow=0)
    elapsed = 0.0

    async def script() -> None:
        nonlocal elapsed
        await machine.greet()
        loop = asyncio.get_running_loop()
        for _ in range(600):
            with contextlib.suppress(DeadlineExpired):
                await machine.scheduler.submit(100.0, deadline=loop.time() + 0.5)
            await asyncio.sleep(0.5)
        elapsed = loop.time()

    machine.play(script)
    a_second_each = machine.batches.count([100.0])
    # The first trials come sooner.
    assert 2 <= a_second_each <= elapsed / 5 + 2


class LoadedMachine:
    """Speech recognition on a machine that is busy at first: everything takes ten times as long."""

    def __init__(self) -> None:
        self.scheduler: BatchScheduler[float, float] = BatchScheduler(
            self._run, name="t", max_batch_size=16, max_batch_seconds=1.0, cost=float
        )
        self.times_as_long = 10.0

    def _run(self, items: Sequence[float]) -> Sequence[float]:
        virtual_time.spend(self.times_as_long * (0.1 + 0.06 * sum(items)))
        return items

    async def verdict(self, cost: float, within: float) -> type[ServiceError] | None:
        due = asyncio.get_running_loop().time() + within
        try:
            with self.scheduler.promise([cost], deadline=due) as promise:
                await self.scheduler.submit(cost, deadline=due, promise=promise)
        except ServiceError as error:
            return type(error)
        return None

    async def preview(self) -> type[ServiceError] | None:
        return await self.verdict(4.0, within=2.0)

    def play(self, script: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def played() -> None:
            async with self.scheduler:
                await self.scheduler.warm_up(lambda: self.scheduler.submit(4.0))
                await script()

        virtual_time.run(played())


@pytest.mark.parametrize(("loaded", "most"), [(0, 5), (10, 15), (60, 15), (600, 15)])
def test_a_server_that_was_loaded_at_its_start_takes_previews_seconds_after(
    loaded: float, most: float
) -> None:
    machine = LoadedMachine()

    async def script() -> None:
        loop = asyncio.get_running_loop()
        free = loop.time() + loaded
        while True:
            if loop.time() >= free:
                machine.times_as_long = 1.0
            if await machine.preview() is None:
                break
            await asyncio.sleep(0.5)
        assert loop.time() <= free + most
        # One that was in time is enough: the rest are not told of what was before.
        for _ in range(3):
            assert await asyncio.gather(*(machine.preview() for _ in range(3))) == [None] * 3
            await asyncio.sleep(0.5)

    machine.play(script)


def test_whoever_can_wait_shows_at_once_that_a_server_is_no_longer_loaded() -> None:
    machine = LoadedMachine()

    async def script() -> None:
        for _ in range(100):
            assert await machine.verdict(4.0, within=10.0) is None
        machine.times_as_long = 1.0
        assert await machine.preview() is DeadlineTooShort
        assert await machine.verdict(4.0, within=10.0) is None
        assert await asyncio.gather(*(machine.preview() for _ in range(3))) == [None] * 3

    machine.play(script)


def test_a_trial_waits_for_nobody_and_nobody_for_it() -> None:
    machine = Machine()

    async def script() -> None:
        loop = asyncio.get_running_loop()
        await machine.greet()
        assert not await machine.ask(100.0, within=5.0)
        await asyncio.sleep(61)
        running = asyncio.create_task(machine.scheduler.submit(3.0))
        await asyncio.sleep(0.001)
        with pytest.raises(DeadlineTooShort):  # the worker is busy
            await machine.scheduler.submit(100.0, deadline=loop.time() + 5)
        await running
        assert await machine.ask(100.0, within=5.0)

    machine.play(script)


def test_what_is_prepared_first_is_tried_as_well() -> None:
    machine = Machine()

    async def script() -> None:
        loop = asyncio.get_running_loop()
        await machine.greet()
        assert not await machine.ask(100.0, within=5.0)
        await asyncio.sleep(61)
        due = loop.time() + 5
        with machine.scheduler.promise([100.0], deadline=due) as promise:
            pass  # a look alone is no trial
        with machine.scheduler.promise([100.0], deadline=due) as promise:
            await machine.scheduler.submit(100.0, deadline=due, promise=promise)

    machine.play(script)
