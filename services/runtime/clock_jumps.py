"""Whether a wall clock is believed enough to delete by age what cannot be brought back.

A clock that is wrong by a year would delete all there is. A clock goes on by hours between two
sweeps; where it has gone on by days, the machine was off for as long, or the clock is wrong. Of
these two only a wrong clock is put right while it is watched for a day.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.runtime.logs import log

USUAL = timedelta(days=2)
"""So far past the last sweep a clock is believed at once: a machine that is off over night is."""
WAIT = timedelta(days=1)
"""A clock that has gone on further is believed when it was watched going on for so long."""
LOOKS = timedelta(hours=2)
"""Looks at a clock that are no further apart watch it: sweeps are an hour apart."""


@dataclass(frozen=True, slots=True)
class Sweeps:
    """What is remembered of sweeps, by the wall clock.

    Attributes:
        trusted: When the last one was whose clock was believed. It never goes back: what is
            written counts as written then at least.
        doubted: Since when the clock has been watched that has not been near `trusted` since; what
            nobody watched is left out.
        seen: What it showed last.
    """

    trusted: datetime
    doubted: datetime | None = None
    seen: datetime | None = None


def judged(last: Sweeps | None, now: datetime) -> tuple[Sweeps, bool]:
    """Whether a sweep may delete by this clock, and what is to be remembered of it.

    By a clock that is behind nothing is old, and however long it is, it tells nothing of what was
    written by it: that has the age of the last sweep.

    Args:
        last: What is remembered; None for nothing: then the clock is only noted.
        now: What the clock shows.
    """
    if last is None:
        return Sweeps(now), False
    if abs(now - last.trusted) <= USUAL:
        return Sweeps(max(now, last.trusted)), True
    watched, behind = _watched_since(last, now), now < last.trusted
    if not behind and now - watched >= WAIT:
        return Sweeps(now), True
    return Sweeps(last.trusted, watched, now), behind


def _watched_since(last: Sweeps, now: datetime) -> datetime:
    """Since when a doubted clock has gone on, as if it had been looked at all the time."""
    if last.doubted is None or last.seen is None:
        return now
    passed = now - last.seen
    if not timedelta() <= passed <= USUAL:
        return now  # another jump
    return last.doubted if passed <= LOOKS else last.doubted + passed


def tell_doubt(logger: logging.Logger, sweeps: Sweeps, now: datetime) -> None:
    """Logs that a clock is doubted, once: at the sweep that has begun to doubt it."""
    if sweeps.doubted != now:
        return
    clock, last_sweep = now.isoformat(), sweeps.trusted.isoformat()
    if now < sweeps.trusted:
        what = "the clock is behind the last sweep: what is written counts as written then"
        log(logger, logging.ERROR, what, clock=clock, last_sweep=last_sweep)
    else:
        what, believed = "the clock has jumped ahead: nothing is deleted by age", now + WAIT
        log(
            logger,
            logging.ERROR,
            what,
            clock=clock,
            last_sweep=last_sweep,
            believed_from=believed.isoformat(),
        )
