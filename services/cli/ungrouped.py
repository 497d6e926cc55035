"""The one failure that matters to a person, out of a task group's collection."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

ResultT = TypeVar("ResultT")


async def ungrouped(work: Awaitable[ResultT]) -> ResultT:
    """Awaits work whose tasks fail in groups; raises the first failure itself."""
    try:
        return await work
    except ExceptionGroup as group:
        failure: Exception = group
        while isinstance(failure, ExceptionGroup):
            failure = failure.exceptions[0]
        raise failure from None
