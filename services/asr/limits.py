"""How much one server, and one of its callers, may ask at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.runtime.errors import Overloaded

_RETRY_SECONDS = 5.0
"""Streams live for minutes: sooner than this there is hardly room."""


class OpenStreams:
    """Counts the live streams, of all callers and of each."""

    def __init__(self, most: int, most_per_caller: int) -> None:
        self._most = most
        self._most_per_caller = most_per_caller
        self._by_caller: Counter[str] = Counter()

    @contextmanager
    def opened(self, caller: str) -> Iterator[None]:
        """Counts a stream while it lives.

        Raises:
            Overloaded: The server, or the caller, has as many as it may.
        """
        if self._by_caller.total() >= self._most:
            raise Overloaded(
                f"the server has {self._most} streams open, the most it takes"
                " (VIVA_ASR_MAX_LIVE_STREAMS)",
                retry_after=_RETRY_SECONDS,
            )
        if self._by_caller[caller] >= self._most_per_caller:
            raise Overloaded(
                f"this caller has {self._most_per_caller} streams open, the most it may"
                " (VIVA_ASR_MAX_LIVE_STREAMS_PER_CALLER)",
                retry_after=_RETRY_SECONDS,
            )
        self._by_caller[caller] += 1
        try:
            yield
        finally:
            self._by_caller[caller] -= 1
            if not self._by_caller[caller]:
                del self._by_caller[caller]
