"""Whether an engine works: out of service after failures in a row, back when a probe passes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from services.runtime import metrics
from services.runtime.device_memory import is_device_lost
from services.runtime.errors import ServiceError, Unavailable
from services.runtime.logs import log

_logger = logging.getLogger(__name__)


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
        failures: int = 3,
        probe_interval: float = 1.0,
        probe_seconds: float = 60.0,
    ) -> None:
        """Takes the engine to be healthy.

        Args:
            name: The engine's.
            probe: Lets the engine do a little real work; raises while it cannot.
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
        self._in_a_row = 0
        self._changed = asyncio.Event()
        metrics.ENGINE_HEALTHY.labels(name).set(1)

    def report(self, error: BaseException | None) -> None:
        """Takes what became of some work: None if the engine did it, otherwise how it failed.

        To be called on the event loop; `BatchScheduler(watch=...)` does.
        """
        if error is None:
            self._recover()
        elif is_device_lost(error):
            self._fail(error)
            log(_logger, logging.CRITICAL, "device lost", engine=self.name, cause=error)
            self.device_lost.set()
        elif _is_the_engines(error):
            self._in_a_row += 1
            metrics.ENGINE_FAILURES.labels(self.name, _reason(error)).inc()
            if self.healthy and self._in_a_row >= self._failures:
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
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
        if self.healthy or self.device_lost.is_set():
            return
        self.healthy = True
        metrics.ENGINE_HEALTHY.labels(self.name).set(1)
        self._changed.set()
        log(_logger, logging.INFO, "engine back in service", engine=self.name)

    async def watch(self, tell: Callable[[], Awaitable[None]]) -> None:
        """Calls `tell` after every change and probes while out of service.

        Until it is cancelled, or has told that the device is lost.
        """
        while not self.device_lost.is_set() or self._changed.is_set():
            if self.healthy:
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
                self.report(TimeoutError())
            elif probing.cancelled():
                self.report(asyncio.CancelledError())
            else:
                self.report(probing.exception())
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
