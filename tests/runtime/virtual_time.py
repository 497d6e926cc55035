"""An event loop whose clock moves only when there is nothing else to do: hours in a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Waits for timers by moving its clock; work given to threads takes `duration` of it."""

    def __init__(self, duration: Callable[[Any], float]) -> None:
        """Takes how long, in seconds, the work that gave a certain result took."""
        super().__init__()
        self._now = 0.0
        self._duration = duration

    def time(self) -> float:
        return self._now

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., ResultT], *args: Any
    ) -> asyncio.Future[ResultT]:
        future: asyncio.Future[ResultT] = self.create_future()
        result = func(*args)
        self.call_later(self._duration(result), self._finish, future, result)
        return future

    @staticmethod
    def _finish(future: asyncio.Future[ResultT], result: ResultT) -> None:
        if not future.done():
            future.set_result(result)

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        if not ready and scheduled:
            self._now = max(self._now, scheduled[0].when())
        super()._run_once()  # type: ignore[misc]


def run(main: Coroutine[Any, Any, ResultT], duration: Callable[[Any], float]) -> ResultT:
    """Runs `main` to its end in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(duration)) as runner:
        return runner.run(main)
