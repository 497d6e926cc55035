"""The row by which all processes on a database agree whether a sweep's clock is believed."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from services.runtime.clock_jumps import Sweeps, judged


def table(name: str) -> str:
    """The statement that first made the table of that row. It is nobody's: no wall around it."""
    return f"""
        CREATE TABLE {name} (
            id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
            trusted timestamptz,
            doubted timestamptz
        )
    """


async def judge(connection: asyncpg.Connection, name: str, now: datetime) -> tuple[Sweeps, bool]:
    """`judged` by the row, which is locked until the caller's transaction ends."""
    await connection.execute(
        f"INSERT INTO {name} DEFAULT VALUES ON CONFLICT DO NOTHING"  # noqa: S608
    )
    row = await connection.fetchrow(
        f"SELECT trusted, doubted, seen FROM {name} FOR UPDATE"  # noqa: S608
    )
    last = None if row["trusted"] is None else Sweeps(**row)
    sweeps, believed = judged(last, now)
    await connection.execute(
        f"UPDATE {name} SET trusted = $1, doubted = $2, seen = $3",  # noqa: S608
        sweeps.trusted,
        sweeps.doubted,
        sweeps.seen,
    )
    return sweeps, believed


async def not_before(connection: asyncpg.Connection, name: str, now: datetime) -> datetime:
    """What a row written now counts as written at: by a clock that is behind, the last sweep."""
    trusted = await connection.fetchval(f"SELECT trusted FROM {name}")  # noqa: S608
    return now if trusted is None else max(now, trusted)
