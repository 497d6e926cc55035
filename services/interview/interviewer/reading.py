"""Reading long answers beside the event loop, on which other interviews are listened to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LONG_LETTERS = 2000
"""Ten times as many, the most that may be typed, take about a tenth of a second."""


async def found(letters: int, work: Callable[[], T]) -> T:
    """What `work` finds in an answer of so many letters; in a thread if that takes a while."""
    if letters <= LONG_LETTERS:
        return work()
    return await asyncio.to_thread(work)
