"""Whether a wall clock is believed enough to delete by age what cannot be brought back.

A clock that is wrong by a year would delete all there is. A clock goes on by hours between two
sweeps; where it has gone on by days, the machine was off for as long, or the clock is wrong. Of
these two only a wrong clock is put right within a day.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.runtime.logs import log

USUAL = timedelta(days=2)
"""So far past the last sweep a clock is believed at once: a machine that is off over night is."""
WAIT = timedelta(days=1)
"""A clock that has gone on further is believed when it has shown the same for so long."""


@dataclass(frozen=True, slots=True)
class Sweeps:
    """What is remembered of sweeps, by the wall clock.

    Attributes:
        trusted: When the last one was whose clock was believed.
        doubted: When the clock was first seen that has not been believed since.
    """

    trusted: datetime
    doubted: datetime | None = None


def judged(last: Sweeps | None, now: datetime) -> tuple[Sweeps, bool]:
    """Whether a sweep may delete by this clock, and what is to be remembered of it.

    Args:
        last: What is remembered; None for nothing: then the clock is only noted.
        now: What the clock shows.
    """
    if last is None:
        return Sweeps(now), False
    if now - last.trusted <= USUAL:
        return Sweeps(now), True
    if last.doubted is None or now < last.doubted:
        return Sweeps(last.trusted, now), False
    if now - last.doubted < WAIT:
        return last, False
    return Sweeps(now), True


def tell_doubt(logger: logging.Logger, sweeps: Sweeps, now: datetime) -> None:
    """Logs that a clock is doubted, once: at the sweep that has begun to doubt it."""
    if sweeps.doubted == now:
        log(
            logger,
            logging.ERROR,
            "the clock has jumped ahead: nothing is deleted by age",
            clock=now.isoformat(),
            last_sweep=sweeps.trusted.isoformat(),
            believed_from=(now + WAIT).isoformat(),
        )
