"""How many calls a server runs at the same time, and how many of them may be one caller's.

A caller may hold so many times the places that are free, so that whoever comes next finds some
(dynamic thresholds: Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
switches", 1998). The last places are for those who hold the fewest. Nobody is cut off: what is held
comes free when its calls end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.runtime import metrics
from services.runtime.errors import Overloaded
from services.runtime.network import network
from services.runtime.request import Request

SHARE = 1 / 16
"""For a user, and for an address, of IPv6 its /64, that calls as no user: alone a seventeenth, 118
of 2,000."""
MESH_SHARE = 3.0
"""For a program of the mesh, which may call for many users: alone three quarters of all."""
FEW = 8
"""So many anybody may hold, until the last places are reached."""
LAST = 1 / 16
"""Of all places: of these anybody may hold no more than `SHARE`, or one. Of 2,000 they are 125."""


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
        if request.user:
            caller, share = f"user:{request.user}", SHARE
        elif request.address:
            caller, share = f"address:{network(request.address)}", SHARE
        else:
            caller, share = request.caller, MESH_SHARE
        self._admit(caller, share)
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
        few, share = (FEW, share) if free > LAST * self._most else (1, SHARE)
        if held >= max(few, share * free):
            metrics.REFUSED.labels("calls", "caller_share").inc()
            raise Overloaded(
                f"{held} calls of this caller run; what is left of the server's {self._most} is"
                " for others"
            )
