"""What goes wrong with a database, as callers are told."""

from __future__ import annotations

from prometheus_client import Counter

from services.runtime.errors import Unavailable

STORE_FAILURES = Counter(
    "viva_store_failures_total", "What the database did not do.", ["operation", "reason"]
)


class StoreFailed(Unavailable):
    """The database could not do it; nothing is known to have been written.

    Attributes:
        reason: STORE_LOST (no connection), STORE_TIMEOUT, STORE_FULL (disk or memory),
            STORE_CONFLICT (serialization, deadlock), STORE_READ_ONLY or STORE_ERROR.
    """

    def __init__(self, reason: str, message: str, retry_after: float = 1.0) -> None:
        super().__init__(f"the record cannot be used: {message}", retry_after)
        self.reason = reason
