"""Whether an engine works: out of service after failures in a row, back when a probe passes."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, TypeVar

from services.runtime import metrics
from services.runtime.calls_under_way import CallsUnderWay
from services.runtime.device_memory import is_device_lost, is_out_of_memory
from services.runtime.errors import OutOfMemory, ServiceError, TooLarge, Unavailable
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

HUNG_SECONDS = 30.0
"""A call of a model that is quiet for less is never taken for one that hangs."""
_HUNG = 10.0
"""Nor one that is quiet for less than so many times the longest that came to its end."""
_LOST = 4.0
"""One that is quiet for so many times what makes it hang is given up, and the process with it: no
thread can be ended from outside."""
_GIVE_UP_SECONDS = 60.0
"""A CUDA device on which nothing has worked for so long is taken for lost: of the errors after
which a process can do no more on it not all say so."""
_LOOK_SECONDS = 5.0
"""So often it is looked, or three times in the least time that counts."""

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class ModelHung(Exception):
    """A call of the model has been quiet for far too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"a call of the model has not moved for {seconds:.0f} s")


class EngineHealth:
    """What is known of one engine. A `Service` that names it answers NOT_SERVING while it fails.

    Attributes:
        name: The engine's, in the log and in metrics.
        healthy: Whether work may be sent to it.
        device_lost: Set for good once its device can do no more work in this process; the server
            then exits with status 3, so that its supervisor starts it afresh.
    """

    def __init__(
        self,
        name: str,
        *,
        probe: Callable[[], Awaitable[object]],
        device: str = "cpu",
        failures: int = 3,
        probe_interval: float = 1.0,
        probe_seconds: float = 60.0,
    ) -> None:
        """Takes the engine to be healthy.

        Args:
            name: The engine's.
            probe: Lets the engine do a little real work; raises while it cannot.
            device: Where it computes, "cuda:0" say; what is neither that nor "cpu" is elsewhere.
            failures: That many errors in a row, none a caller's fault, take it out of service.
            probe_interval: Seconds between probes while it is out of service.
            probe_seconds: What a probe may take; one that hangs is given up, and counts as failed.
        """
        self.name = name
        self.healthy = True
        self.device_lost = asyncio.Event()
        self._probe = probe
        self._failures = failures
        self._probe_interval = probe_interval
        self._probe_seconds = probe_seconds
        self._on_cuda = device.startswith("cuda")
        self._in_a_row = 0
        self._doubted = False
        self._failed_at = math.inf
        self._changed = asyncio.Event()
        self._calls = CallsUnderWay()
        metrics.ENGINE_HEALTHY.labels(name).set(1)

    def report(self, error: BaseException | None) -> None:
        """Takes what became of some work: None if the engine did it, otherwise how it failed.

        To be called on the event loop; `BatchScheduler(watch=...)` does.
        """
        if error is None:
            self._recover()
        elif is_device_lost(error):
            self._lose(error)
        elif is_out_of_memory(error):
            metrics.ENGINE_FAILURES.labels(self.name, OutOfMemory.__name__).inc()
            self._doubt()
        elif _is_the_engines(error):
            self._count(error)

    def _count(self, error: BaseException) -> None:
        self._in_a_row += 1
        metrics.ENGINE_FAILURES.labels(self.name, _reason(error)).inc()
        if self.healthy and self._in_a_row >= self._failures:
            self._fail(error)

    def _doubt(self) -> None:
        """Has it probed: too little memory may be one request's fault, or everybody's lot."""
        if not self._doubted:
            self._doubted = True
            self._changed.set()

    def _probed(self, error: BaseException | None) -> None:
        """Takes what became of a probe, which asks for so little that no failure is its own."""
        if isinstance(error, OutOfMemory | TooLarge):
            self._count(error)
            return
        self.report(error)
        if error is None or isinstance(error, ServiceError | TimeoutError):
            return
        failing = asyncio.get_running_loop().time() - self._failed_at
        given_up = self._on_cuda and not self.healthy and failing >= _GIVE_UP_SECONDS
        if given_up and not is_out_of_memory(error):
            self._lose(error)

    def take_out(self, error: BaseException) -> None:
        """Takes it out of service at once, until a probe passes: it cannot have begun to work."""
        metrics.ENGINE_FAILURES.labels(self.name, _reason(error)).inc()
        self._fail(error)

    def watched(
        self, run: Callable[[Sequence[ItemT]], Sequence[ResultT]]
    ) -> Callable[[Sequence[ItemT]], Sequence[ResultT]]:
        """`run`, every call of which is found out while it hangs.

        One that works for long step by step tells `calls_under_way.progress()` at each.
        """

        def watched(items: Sequence[ItemT]) -> Sequence[ResultT]:
            with self._calls.call():
                return run(items)

        return watched

    async def _look_for_hung(self, hung_seconds: float) -> None:
        """Reports a call that hangs as a failure, again and again; at last the device is lost."""
        interval = min(_LOOK_SECONDS, hung_seconds / 3)
        while not self.device_lost.is_set():
            await asyncio.sleep(interval)
            quiet = self._calls.look(interval)
            limit = max(hung_seconds, _HUNG * self._calls.longest)
            if quiet < limit:
                continue
            error = ModelHung(quiet)
            log(_logger, logging.ERROR, "model hangs", engine=self.name, seconds=quiet)
            self.report(error)
            if quiet >= _LOST * limit:
                self._lose(error)

    def _lose(self, error: BaseException) -> None:
        self._fail(error)
        log(_logger, logging.CRITICAL, "device lost", engine=self.name, cause=error)
        self.device_lost.set()

    def _fail(self, error: BaseException) -> None:
        if self.healthy:
            self._failed_at = asyncio.get_running_loop().time()
        self.healthy = False
        metrics.ENGINE_HEALTHY.labels(self.name).set(0)
        self._changed.set()
        log(
            _logger,
            logging.ERROR,
            "engine out of service",
            engine=self.name,
            reason=_reason(error),
            failures=self._in_a_row,
            cause=error,
        )

    def _recover(self) -> None:
        self._in_a_row = 0
        self._doubted = False
        if self.healthy or self.device_lost.is_set():
            return
        self.healthy = True
        metrics.ENGINE_HEALTHY.labels(self.name).set(1)
        self._changed.set()
        log(_logger, logging.INFO, "engine back in service", engine=self.name)

    async def watch(
        self, tell: Callable[[], Awaitable[None]], hung_seconds: float = HUNG_SECONDS
    ) -> None:
        """Calls `tell` after every change, probes while out of service, looks for calls that hang.

        Until it is cancelled, or has told that the device is lost.

        Args:
            tell: Publishes what has changed.
            hung_seconds: The least that a call has to be quiet to count as one that hangs.
        """
        looking = asyncio.create_task(
            self._look_for_hung(hung_seconds), name=f"hung-calls-{self.name}"
        )
        try:
            await self._watch(tell)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _watch(self, tell: Callable[[], Awaitable[None]]) -> None:
        while not self.device_lost.is_set() or self._changed.is_set():
            if self.healthy and not self._doubted:
                await self._changed.wait()
            else:
                await self._try_again()
            if self._changed.is_set():
                self._changed.clear()
                await tell()

    async def _try_again(self) -> None:
        """Probes after a while, unless other work tells first how the engine is."""
        changed = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait({changed}, timeout=self._probe_interval)
            if not changed.done():
                await self._try_until(changed)
        finally:
            changed.cancel()

    async def _try_until(self, changed: asyncio.Task[Literal[True]]) -> None:
        # A task of its own: whatever it ends by, even being cancelled, ends the probe alone.
        probing = asyncio.create_task(_wait_for(self._probe), name=f"probe-{self.name}")
        try:
            await asyncio.wait(
                {probing, changed},
                timeout=self._probe_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if self._changed.is_set():
                return
            if not probing.done():
                self._probed(TimeoutError())
            elif probing.cancelled():
                self._probed(asyncio.CancelledError())
            else:
                self._probed(probing.exception())
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)


async def _wait_for(probe: Callable[[], Awaitable[object]]) -> None:
    await probe()


def _is_the_engines(error: BaseException) -> bool:
    """Whether an error tells of the engine, rather than of a request or of too many of them."""
    return not isinstance(error, ServiceError) or isinstance(error, Unavailable)


def _reason(error: BaseException) -> str:
    return error.reason if isinstance(error, ServiceError) else type(error).__name__
