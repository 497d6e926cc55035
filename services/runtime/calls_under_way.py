"""Calls of a model that are under way: how long each has been quiet, and how long others were.

A call says nothing until it returns, or tells `progressed` where it goes step by step. How long one
has been quiet is counted in looks, not read from a clock: a process that was stopped for a while,
or a machine that slept, has not looked meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_here = threading.local()


class Call:
    """One call, in a thread of its own.

    Attributes:
        longest: The longest that it was quiet, in seconds.
        quiet: How long it has been quiet at the last look, in seconds; None before the first.
    """

    __slots__ = ("_last", "_moved", "longest", "quiet")

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._moved = False
        self.longest = 0.0
        self.quiet: float | None = None

    def progressed(self) -> None:
        """It goes on; any thread may tell."""
        now = time.monotonic()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        self._moved = True

    def look(self, seconds: float) -> float:
        """How long it has been quiet, `seconds` after the last look."""
        fresh = self.quiet is None or self._moved
        self._moved = False
        self.quiet = 0.0 if fresh or self.quiet is None else self.quiet + seconds
        return self.quiet


class CallsUnderWay:
    """Those of one engine.

    Attributes:
        longest: The longest that a call was quiet and then came to its end, in seconds.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._lock = threading.Lock()
        self._calls: set[Call] = set()

    @contextmanager
    def call(self) -> Iterator[Call]:
        """A call of the model, in this thread, for as long as the scope lasts."""
        call = Call()
        with self._lock:
            self._calls.add(call)
        outer = getattr(_here, "call", None)
        _here.call = call
        try:
            yield call
            call.progressed()
            with self._lock:
                self.longest = max(self.longest, call.longest)
        finally:
            _here.call = outer
            with self._lock:
                self._calls.discard(call)

    def look(self, seconds: float) -> float:
        """The longest that any has been quiet, in seconds; to be called every `seconds`."""
        with self._lock:
            return max((call.look(seconds) for call in self._calls), default=0.0)


def progress() -> Callable[[], None] | None:
    """What tells, from any thread, that the call in this one goes on; None in no call."""
    call: Call | None = getattr(_here, "call", None)
    return None if call is None else call.progressed
