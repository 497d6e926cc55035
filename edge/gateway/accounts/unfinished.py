"""What other servers have to do as well: it is on record, and gone on with until it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

import asyncpg

from services.runtime.errors import ServiceError
from services.runtime.postgres.database import EVERYBODY, Database
from services.runtime.wall_clock import Clock

LOOK_SECONDS = 5.0
_LONGEST_WAIT = timedelta(minutes=5)
_SOME = 20

WorkT = TypeVar("WorkT")
Due = Callable[[asyncpg.Connection, datetime, int], Awaitable[Sequence[WorkT]]]
"""Finds what is due at a time, so much of it at most."""


def wait_after(attempts: int) -> timedelta:
    """How long something waits that has failed, after so many attempts before."""
    return min(timedelta(seconds=2 ** min(attempts, 10)), _LONGEST_WAIT)


async def go_on_for_ever(go_on: Callable[[], Awaitable[None]]) -> None:
    """Looks again and again for what is due."""
    while True:
        await go_on()
        await asyncio.sleep(LOOK_SECONDS)


async def go_on_with(
    database: Database, clock: Clock, due: Due[WorkT], finish: Callable[[WorkT], Awaitable[object]]
) -> None:
    """Goes on with what is due. What fails comes again."""
    with suppress(ServiceError):
        async with database.transaction("go_on", EVERYBODY) as connection:
            found = await due(connection, clock(), _SOME)
        for work in found:
            with suppress(ServiceError):
                await finish(work)
