"""Blocking work off the event loop."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

ResultT = TypeVar("ResultT")

# A third of the share that an event loop has, when both want a core all the time (sched(7): a step
# is a factor of 1.25). More would starve models on a desk where other programs work too.
_MODEL_NICENESS = 5


def yield_to_event_loops() -> None:
    """Puts the calling thread, and those it will start, behind event loops on a busy machine.

    Model work fills the cores for tens of milliseconds; an event loop needs one for a fraction of
    a millisecond, and somebody waits for it. Where threads have no niceness of their own (it is a
    habit of Linux alone), nothing happens.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _MODEL_NICENESS)


async def in_thread(executor: Executor, work: Callable[[], ResultT]) -> ResultT:
    """Runs `work` in a thread. Cancelled, it returns only when the thread is through.

    So what the thread uses can be closed by whoever was cancelled.
    """
    job = executor.submit(work)
    running = asyncio.wrap_future(job)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # Not started, it never starts; started, it is waited for. The job itself is asked: its
        # asyncio future would call itself cancelled although the thread goes on.
        job.cancel()
        await asyncio.wait([running])
        raise
