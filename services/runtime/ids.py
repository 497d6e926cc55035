"""Ids: UUIDv7 (RFC 9562), whose order is that of their creation."""

from __future__ import annotations

import secrets
import time
import uuid

_RANDOM_BITS = 74


def new_id(now: float | None = None) -> str:
    """A fresh id, 32 hexadecimal digits.

    Args:
        now: Seconds since the epoch; None for the present.
    """
    milliseconds = int((time.time() if now is None else now) * 1000) & (1 << 48) - 1
    random = secrets.randbits(_RANDOM_BITS)
    high, low = random >> 62, random & (1 << 62) - 1
    value = milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
    return f"{value:032x}"


def new_uuid(now: float | None = None) -> str:
    """`new_id` in the usual form, with hyphens."""
    return str(uuid.UUID(new_id(now)))
