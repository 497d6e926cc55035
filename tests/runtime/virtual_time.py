"""An event loop whose clock moves only when there is nothing else to do: hours in a moment."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Waits for timers by moving its clock; work given to threads takes what it spends of it."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._spent = 0.0

    def time(self) -> float:
        return self._now + self._spent

    def spend(self, seconds: float) -> None:
        """Called by work in a thread: it takes this long."""
        self._spent += seconds

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., ResultT], *args: Any
    ) -> asyncio.Future[ResultT]:
        future: asyncio.Future[ResultT] = self.create_future()
        result = func(*args)
        spent, self._spent = self._spent, 0.0
        self.call_later(spent, self._finish, future, result)
        return future

    @staticmethod
    def _finish(future: asyncio.Future[ResultT], result: ResultT) -> None:
        if not future.done():
            future.set_result(result)

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        # A cancelled timer at the front would be waited for in real time.
        while scheduled and scheduled[0].cancelled():
            heapq.heappop(scheduled)._scheduled = False
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
        if not ready and scheduled:
            self._now = max(self._now, scheduled[0].when())
        super()._run_once()  # type: ignore[misc]


def spend(seconds: float) -> None:
    """Makes the work in a thread that calls it take this long."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.spend(seconds)


def run(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Runs `main` to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
