"""What a model raises is its callers' answer, whatever it is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from services.runtime.batching import BatchScheduler


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
