"""Blocking work off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

ResultT = TypeVar("ResultT")


async def in_thread(executor: Executor, work: Callable[[], ResultT]) -> ResultT:
    """Runs `work` in a thread. Cancelled, it returns only when the thread is through.

    So what the thread uses can be closed by whoever was cancelled.
    """
    running = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # Not started, it never starts; started, it is waited for.
        running.cancel()
        await asyncio.wait([running])
        raise
