"""When a wall clock is believed enough to delete by it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.runtime.clock_jumps import Sweeps, judged

DAY = timedelta(days=1)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def believed(*days: float) -> Sequence[bool]:
    """Which of the sweeps at these days may delete, one after the other."""
    last: Sweeps | None = None
    told = []
    for day in days:
        last, may = judged(last, NOON + day * DAY)
        told.append(may)
    return told


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        pytest.param((0,), (False,), id="nothing is known yet"),
        pytest.param((0, 0.04, 0.08), (False, True, True), id="hourly"),
        pytest.param((0, 2), (False, True), id="off for two days"),
        pytest.param((0, 2.1), (False, False), id="off for longer"),
        pytest.param((0, 2, 4, 6), (False, True, True, True), id="seldom on"),
        pytest.param((0, -3650), (False, True), id="back: nothing is old by it"),
        pytest.param(
            (0, 30, 30.5, 30.99, 31, 31.04),
            (False, False, False, False, True, True),
            id="off for a month: a day later",
        ),
        pytest.param((0, 400, 400.9), (False, False, False), id="wrong for less than a day"),
        pytest.param(
            (0, 400, 0.1, 400.2, 401.1, 401.2),
            (False, False, True, False, False, True),
            id="right meanwhile: the day begins anew",
        ),
        pytest.param(
            (0, 400, 30, 30.9, 31),
            (False, False, False, False, True),
            id="wrong, then right after a month off",
        ),
        pytest.param(
            (-20000, 0, 0.5, 1, 1.1),
            (False, False, False, True, True),
            id="first seen before it was set",
        ),
        pytest.param(
            (0, 400, 401, 0.2, 0.3),
            (False, False, True, True, True),
            id="believed though wrong, then right",
        ),
    ],
)
def test_a_clock_is_believed_that_goes_on_or_stays(
    days: Sequence[float], expected: Sequence[bool]
) -> None:
    assert believed(*days) == list(expected)
