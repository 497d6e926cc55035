"""What time it is, by a clock that people and other machines read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""The present, with its time zone."""


def now() -> datetime:
    """The present."""
    return datetime.now(UTC)
