"""How many calls a server runs at the same time, and how many of them may be one caller's.

A caller may hold so many times the places that are free, so that whoever comes next finds some
(dynamic thresholds: Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
switches", 1998). Nobody is cut off: what is held comes free when its calls end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.runtime import metrics
from services.runtime.errors import Overloaded
from services.runtime.request import Request

USER_SHARE = 1 / 16
"""For a user: alone a seventeenth of all, 117 of 2,000. Fifty who take all they can leave 96."""
MESH_SHARE = 3.0
"""For a program of the mesh, which may call for many users: alone three quarters of all."""
FEW = 8
"""So many anybody may hold, as long as there is any place."""


class CallPlaces:
    """The places of a server's calls."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str] = Counter()

    @contextmanager
    def taken(self, request: Request) -> Iterator[None]:
        """A place for as long as the scope lasts.

        Raises:
            Overloaded: There is none, or none for this caller.
        """
        caller = f"user:{request.user}" if request.user else request.caller
        self._admit(caller, USER_SHARE if request.user else MESH_SHARE)
        self._held[caller] += 1
        try:
            yield
        finally:
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]

    def _admit(self, caller: str, share: float) -> None:
        held, free = self._held[caller], self._most - self._held.total()
        if free <= 0:
            metrics.REFUSED.labels("calls", "max_concurrent_rpcs").inc()
            raise Overloaded(f"the server runs {self._most} calls, its limit")
        if held >= max(FEW, share * free):
            metrics.REFUSED.labels("calls", "caller_share").inc()
            raise Overloaded(
                f"{held} calls of this caller run; what is left of the server's {self._most} is"
                " for others"
            )
