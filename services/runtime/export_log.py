"""What is logged of a collector that does not answer: it is nobody's trouble at every call."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from services.runtime import logs

# The loggers of the library that exports.
_EXPORTING = "opentelemetry"
_AGAIN_SECONDS = 60.0

_logger = logging.getLogger(__name__)


class ExportLog(logging.Filter):
    """Lets a first failure pass, then one a minute with the count of those between."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes the time, in seconds."""
        super().__init__()
        self._clock = clock
        self._told: float | None = None
        self._untold = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is logged."""
        if record.levelno < logging.WARNING or not record.name.startswith(_EXPORTING):
            return True
        now = self._clock()
        if self._told is not None and now - self._told < _AGAIN_SECONDS:
            self._untold += 1
            return False
        if self._untold:
            record.__dict__["fields"] = {"failures_since": self._untold}
        self._told, self._untold = now, 0
        return True

    def worked(self) -> None:
        """Says so when it is news."""
        if self._told is not None:
            self._told, self._untold = None, 0
            logs.log(_logger, logging.INFO, "traces are exported again")
