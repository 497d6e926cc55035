"""What a model raises is its callers' answer, whatever it is."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence

import pytest
from opentelemetry import context as otel_context

from services.runtime.batching import BatchScheduler
from services.runtime.model_call import call_model
from services.runtime.queueing import Job, Priority, Submission


@pytest.mark.parametrize("raised", [StopIteration, StopAsyncIteration, KeyboardInterrupt])
async def test_what_no_future_takes_ends_one_batch_and_not_the_scheduler(
    raised: type[BaseException],
) -> None:
    def run(items: Sequence[str]) -> Sequence[str]:
        if "bad" in items:
            raise raised
        return items

    async with BatchScheduler(run, name="t", max_batch_size=1) as scheduler:
        with pytest.raises((RuntimeError, StopAsyncIteration)):
            await scheduler.submit("bad")
        assert (await scheduler.submit("good")).value == "good"


async def test_an_item_that_is_answered_by_a_stop_iteration_has_failed() -> None:
    def run(items: Sequence[str]) -> Sequence[str | Exception]:
        return [StopIteration() if item == "bad" else item for item in items]

    async with BatchScheduler(run, name="t", max_batch_size=1) as scheduler:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await scheduler.submit("bad")
        assert (await scheduler.submit("good")).value == "good"


def job(item: str, deadline: float) -> Job[str]:
    done = asyncio.get_running_loop().create_future()
    context = otel_context.Context()
    submission = Submission("a", Priority.INTERACTIVE, deadline, 0.0, context, done, [None], 1)
    return Job(item, 0, submission, None, 1.0, 0, 0)


async def test_what_came_too_late_or_was_left_meanwhile_is_not_given_to_the_model() -> None:
    seen: list[str] = []

    def run(items: Sequence[str]) -> Sequence[str]:
        seen.extend(items)
        return items

    left = job("left", 9.0)
    left.submission.done.cancel()
    ran = call_model(run, [job("late", 5.0), left, job("in time", 5.1)], lambda: 5.0, "t")
    assert seen == ["in time"]
    assert [one.item for one in ran.jobs] == ["in time"]
    seen.clear()
    assert call_model(run, [job("late", 4.0)], lambda: 5.0, "t").jobs == []
    assert seen == []


async def test_a_model_that_answers_fewer_than_it_was_asked_has_failed_them_all() -> None:
    ran = call_model(lambda items: items[1:], [job("a", 9.0), job("b", 9.0)], lambda: 0.0, "t")
    assert "1 results for 2 items" in str(ran.error)
    assert ran.results == [ran.error, ran.error]


async def test_the_second_attempt_has_the_memory_that_the_first_held() -> None:
    class Held:
        """A buffer on the device."""

    held: list[weakref.ref[Held]] = []

    def run(items: Sequence[str]) -> Sequence[str]:
        gc.collect()
        if len(items) == 1:
            assert held[0]() is None
            return items
        buffer = Held()
        held.append(weakref.ref(buffer))
        raise RuntimeError("CUDA out of memory")

    ran = call_model(run, [job("a", 9.0), job("b", 9.0)], lambda: 0.0, "t")
    assert ran.results == ["a", "b"]
