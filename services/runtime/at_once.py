"""How much of one thing a server, and one of its callers, may have under way at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.runtime.errors import Overloaded


class AtOnce:
    """Counts what is under way, for all callers and for each."""

    def __init__(
        self,
        most: int,
        most_each: int,
        *,
        full: Callable[[], Overloaded],
        own_full: Callable[[], Overloaded],
    ) -> None:
        """Takes the limits, and what those are told whom they refuse.

        Args:
            most: For all callers together.
            most_each: For one.
            full: The server has as much as it may.
            own_full: The caller has.
        """
        self._most = most
        self._most_each = most_each
        self._full = full
        self._own_full = own_full
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def begun(self, caller: str) -> Iterator[None]:
        """Counts one more while the scope lasts.

        Raises:
            Overloaded: There is as much as there may be.
        """
        if self._under_way[caller] >= self._most_each:
            raise self._own_full()
        if self._under_way.total() >= self._most:
            raise self._full()
        self._under_way[caller] += 1
        try:
            yield
        finally:
            self._under_way[caller] -= 1
            if not self._under_way[caller]:
                del self._under_way[caller]
