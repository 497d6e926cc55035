"""Who drives an interview: leases taken, kept, given back, and those that others have."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Sequence
from typing import Protocol

from google.protobuf.message import Message
from google.rpc import error_details_pb2

from services.interview.store.store import Holder, Lease, LeaseLost, Store
from services.runtime.errors import DOMAIN, NotFound, Unavailable
from services.runtime.logs import log
from services.runtime.postgres.failures import StoreFailed

_logger = logging.getLogger(__name__)

_RENEWALS = 4
"""In the time of a lease: two may fail."""
GONE_SECONDS = 2.0
"""So long a holder that did not answer counts as gone; later it may answer again."""


class Renewed(Protocol):
    """Is told after each renewal whether the store could do it."""

    def __call__(self, *, works: bool) -> None:
        """Tells it."""


def _nobody(*, works: bool) -> None:
    del works


class HeldElsewhere(Unavailable):
    """Another orchestrator drives the interview; the same call succeeds there, or here later."""

    reason = "HELD_ELSEWHERE"

    def __init__(self, interview_id: str, holder: Holder) -> None:
        super().__init__(f"the interview is held by {holder.address}; call again", 0.5)
        self.interview_id = interview_id
        self.holder = holder

    def details(self) -> Sequence[Message]:
        """An ErrorInfo with the holder's address, and a RetryInfo."""
        metadata = {"holder": self.holder.address}
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=metadata)
        return [info, *super().details()[1:]]


class Leases:
    """The leases of this process.

    Args:
        store: Where they are.
        name: Who this process is, as `Holder.name`.
        seconds: How long one lasts unless it is renewed.
        lost: Called with a lease that another has now.
        predecessors: Names of processes that are known to be dead.
        renewed: Called after each renewal with whether the store could do it.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        seconds: float,
        lost: Callable[[Lease], None],
        predecessors: Container[str] = (),
        renewed: Renewed | None = None,
    ) -> None:
        self._store = store
        self._renewed = renewed or _nobody
        self._name = name
        self._predecessors = predecessors
        self._seconds = seconds
        self._lost = lost
        self._held: set[Lease] = set()
        self._gone: dict[str, tuple[int, float]] = {}
        """Tokens of holders that did not answer, and until when that counts."""

    def gone(self, interview_id: str, holder: Holder) -> None:
        """The holder of an interview does not answer: for a moment its lease may be taken."""
        now = asyncio.get_running_loop().time()
        self._gone = {name: each for name, each in self._gone.items() if each[1] > now}
        self._gone[interview_id] = holder.token, now + GONE_SECONDS

    def is_gone(self, interview_id: str, holder: Holder) -> bool:
        """Whether the holder of an interview did not answer just now."""
        return self._gone_token(interview_id) == holder.token

    def _gone_token(self, interview_id: str) -> int | None:
        token, until = self._gone.get(interview_id, (None, 0.0))
        return token if asyncio.get_running_loop().time() < until else None

    def is_mine(self, holder: Holder) -> bool:
        """Whether the holder is this process."""
        return holder.name == self._name

    def succeeded(self, holder: Holder) -> bool:
        """Whether the holder is dead, and this process has taken its place."""
        return holder.name in self._predecessors

    async def take(self, interview_id: str) -> Lease:
        """Takes the lease of an interview, which is then renewed until it is given back.

        Raises:
            HeldElsewhere: Another orchestrator has it.
            NotFound: There is no such interview any more.
            StoreFailed: The store could not be asked.
        """
        beyond = self._gone_token(interview_id)
        self._gone.pop(interview_id, None)
        try:
            taken = await self._store.acquire(interview_id, self._name, self._seconds, beyond)
            if isinstance(taken, Holder) and self.succeeded(taken):
                taken = await self._store.acquire(
                    interview_id, self._name, self._seconds, taken.token
                )
        except LeaseLost:
            raise NotFound("interview", interview_id, "interview_id") from None
        if isinstance(taken, Holder):
            raise HeldElsewhere(interview_id, taken)
        self._held.add(taken)
        return taken

    async def give_back(self, lease: Lease) -> None:
        """Lets others have it, at once if the store can be told, else when it runs out."""
        self._held.discard(lease)
        try:
            await self._store.release(lease)
        except StoreFailed:
            pass  # It was logged.
        except Exception as error:  # noqa: BLE001 - a fault of ours must end no interview
            log(_logger, logging.ERROR, "lease not given back", cause=error)

    async def renew(self) -> None:
        """Keeps all that are held, for ever."""
        while True:
            await asyncio.sleep(self._seconds / _RENEWALS)
            try:
                await self.renew_once()
            except Exception as error:  # noqa: BLE001 - a fault of ours must end no interview
                log(_logger, logging.ERROR, "leases not renewed", cause=error)

    async def renew_once(self) -> None:
        """Keeps all that are held for their time from now. Whatever fails is tried again."""
        held = list(self._held)
        if not held:
            return
        try:
            lost = await self._store.renew_all(held, self._seconds)
        except StoreFailed:
            self._renewed(works=False)
            return  # It was logged; those that nobody takes meanwhile are still good.
        self._renewed(works=True)
        for lease in lost:
            if lease in self._held:
                self._held.discard(lease)
                log(_logger, logging.WARNING, "lease lost", interview=lease.interview_id)
                self._lost(lease)
