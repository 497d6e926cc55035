"""Whether an engine works: out of service after failures in a row, back when a probe passes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

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
    ) -> None:
        """Takes the engine to be healthy.

        Args:
            name: The engine's.
            probe: Lets the engine do a little real work; raises while it cannot. One that hangs
                keeps the engine out of service.
            failures: That many errors in a row, none a caller's fault, take it out of service.
            probe_interval: Seconds between probes while it is out of service.
        """
        self.name = name
        self.healthy = True
        self.device_lost = asyncio.Event()
        self._probe = probe
        self._failures = failures
        self._probe_interval = probe_interval
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
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._probe_interval):
                await self._changed.wait()
                return
        try:
            await self._probe()
        except Exception as error:  # noqa: BLE001 - whatever it raises, the engine does not work
            self.report(error)
        else:
            self._recover()


def _is_the_engines(error: BaseException) -> bool:
    """Whether an error tells of the engine, rather than of a request or of too many of them."""
    return not isinstance(error, ServiceError) or isinstance(error, Unavailable)


def _reason(error: BaseException) -> str:
    return error.reason if isinstance(error, ServiceError) else type(error).__name__
