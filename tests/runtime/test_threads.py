"""Blocking work off the event loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.runtime.threads import in_thread


async def test_cancelled_it_waits_for_the_thread_that_has_begun() -> None:
    begun, go_on, through = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait()
        through.set()

    with ThreadPoolExecutor(1) as executor:
        task = asyncio.create_task(in_thread(executor, work))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        # It may take a few turns of the loop, if it does not wait.
        done, _ = await asyncio.wait([task], timeout=0.2)
        early = bool(done)
        go_on.set()
        await asyncio.wait([task])
        assert not early
        assert through.is_set()
        assert task.cancelled()


async def test_cancelled_before_its_turn_it_never_runs() -> None:
    begun, go_on, ran = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go_on.wait()

    with ThreadPoolExecutor(1) as executor:
        holding = asyncio.create_task(in_thread(executor, hold))
        await asyncio.to_thread(begun.wait)
        task = asyncio.create_task(in_thread(executor, ran.set))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        go_on.set()
        await holding
    assert not ran.is_set()


async def test_what_the_work_returns_or_raises_comes_through() -> None:
    def fail() -> None:
        raise ValueError("wrong")

    with ThreadPoolExecutor(1) as executor:
        assert await in_thread(executor, lambda: 3) == 3
        with pytest.raises(ValueError, match="wrong"):
            await in_thread(executor, fail)
