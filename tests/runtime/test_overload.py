"""More work than the model can do: what is accepted is in time, and everybody gets something."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from services.runtime.batching import BatchScheduler
from services.runtime.errors import DeadlineExpired, DeadlineTooShort, Overloaded
from tests.runtime import virtual_time

FIXED, EACH = 0.01, 0.002
"""A batch takes 10 ms and 2 ms an item: 16 items 42 ms."""


def _duration(items: int) -> float:
    return FIXED + EACH * items


class Offer:
    """Callers who send requests of several items at a steady rate, and what becomes of them."""

    def __init__(self, duration: Callable[[int], float] = _duration) -> None:
        """Takes how many seconds a batch of so many items takes."""
        self._duration = duration
        self.answered: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.late: Counter[str] = Counter()

    def _run(self, items: Sequence[Any]) -> Sequence[Any]:
        virtual_time.spend(self._duration(len(items)))
        return items

    async def request(
        self, scheduler: BatchScheduler[int, int], caller: str, items: int, within: float
    ) -> None:
        deadline = asyncio.get_running_loop().time() + within
        try:
            await scheduler.submit_all(range(items), caller=caller, deadline=deadline)
            self.answered[caller] += 1
        except (Overloaded, DeadlineTooShort):
            self.refused[caller] += 1
        except DeadlineExpired:
            self.late[caller] += 1

    async def play(
        self, callers: dict[str, tuple[float, int, float]], seconds: float = 8.0
    ) -> None:
        """Takes each caller's requests a second, items a request, and deadline in seconds."""
        async with (
            BatchScheduler(self._run, name="t", max_batch_size=16, max_queue=4096) as scheduler,
            asyncio.TaskGroup() as group,
        ):
            for size in (1, 8):  # a server warms up, so the speed is known
                await scheduler.submit_all(range(size))

            async def send(
                start: float, caller: str, rate: float, items: int, within: float
            ) -> None:
                await asyncio.sleep(start / rate)  # callers don't come in step
                for _ in range(int(rate * seconds)):
                    group.create_task(self.request(scheduler, caller, items, within))
                    await asyncio.sleep(1 / rate)

            for number, (caller, demand) in enumerate(callers.items()):
                group.create_task(send(number / len(callers), caller, *demand))


def play(
    callers: dict[str, tuple[float, int, float]],
    seconds: float = 8.0,
    duration: Callable[[int], float] = _duration,
) -> Offer:
    offer = Offer(duration)
    virtual_time.run(offer.play(callers, seconds))
    return offer


# Full batches of 16 items do 381 items a second: 24 requests of 16.
CAPACITY = 16 / (FIXED + 16 * EACH) / 16


@pytest.mark.parametrize("excess", [1.2, 3.0, 10.0])
def test_what_is_accepted_under_overload_meets_its_deadline(excess: float) -> None:
    callers = {f"c{n}": (CAPACITY * excess / 20, 16, 0.5) for n in range(20)}
    offer = play(callers)
    accepted = offer.answered.total() + offer.late.total()
    assert offer.late.total() == 0
    assert offer.refused.total() > 0
    assert accepted >= 0.85 * CAPACITY * 8, "the model is kept busy"


@pytest.mark.parametrize("seed", range(3))
def test_on_an_unsteady_machine_hardly_any_accepted_work_is_late(seed: int) -> None:
    chance = random.Random(seed)

    def unsteady(items: int) -> float:
        return _duration(items) * chance.uniform(0.7, 1.3)

    callers = {f"c{n}": (CAPACITY * 3 / 20, 16, 0.5) for n in range(20)}
    offer = play(callers, duration=unsteady)
    accepted = offer.answered.total() + offer.late.total()
    assert offer.late.total() <= 0.01 * accepted
    assert accepted >= 0.7 * CAPACITY * 8


def test_callers_of_equal_demand_are_served_about_equally() -> None:
    offer = play({f"c{n}": (CAPACITY * 3 / 5 * (1 + n / 100), 16, 0.5) for n in range(5)})
    assert min(offer.answered.values()) >= 0.5 * max(offer.answered.values())


def test_a_flood_does_not_lock_a_quiet_caller_out() -> None:
    offer = play({"flood": (CAPACITY * 10, 16, 0.5), "quiet": (1.03, 1, 0.5)}, seconds=15)
    assert offer.late.total() == 0
    assert offer.answered["quiet"] >= 0.9 * 15
    assert offer.answered["flood"] > 0


def test_short_deadlines_do_not_make_accepted_work_of_others_late() -> None:
    offer = play({"patient": (CAPACITY, 16, 2.0), "hasty": (CAPACITY * 2, 16, 0.15)})
    assert offer.late.total() == 0
    assert offer.answered["patient"] > 0
    assert offer.answered["hasty"] > 0


def test_without_overload_nothing_is_refused() -> None:
    offer = play({f"c{n}": (CAPACITY * 0.5 / 8, 16, 1.0) for n in range(8)})
    assert offer.refused.total() == offer.late.total() == 0


@given(
    callers=st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(st.floats(1, 60), st.integers(1, 40), st.floats(0.1, 3)),
        min_size=1,
    )
)
@example(callers={"c": (60.0, 37, 0.1)})
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_whatever_is_offered_hardly_any_accepted_work_is_late(
    callers: dict[str, tuple[float, int, float]],
) -> None:
    offer = play(callers, seconds=3)
    accepted = offer.answered.total() + offer.late.total()
    # A batch that runs cannot be stopped for one that came meanwhile and is more urgent.
    assert offer.late.total() <= 1 + 0.05 * accepted
