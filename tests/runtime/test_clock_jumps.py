"""When a wall clock is believed enough to delete by it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.runtime.clock_jumps import Sweeps, judged, tell_doubt

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


HOUR = 1 / 24


def hourly(first: float, hours: int) -> Sequence[float]:
    """The days of sweeps an hour apart, the first and the last included."""
    return [first + hour * HOUR for hour in range(hours + 1)]


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
            (0, *hourly(30, 25)), (False, *[False] * 24, True, True), id="off for a month: watched"
        ),
        pytest.param(
            # On for eight hours a day: from the third day on it was watched for one.
            (0, *hourly(30, 8), *hourly(31, 8), *hourly(32, 8)),
            (False, *[False] * 26, True),
            id="off for a month, and at night",
        ),
        pytest.param(
            (0, *(400 + day for day in range(9))),
            (False, *[False] * 9),
            id="seen for a moment a day: a clock without a battery, before it is set",
        ),
        pytest.param(
            (0, 3, 400, 400.04), (False, False, False, False), id="off for days, then wrong"
        ),
        pytest.param(
            (0, *hourly(400, 20), 0.9, *hourly(401, 20)),
            (False, *[False] * 21, True, *[False] * 21),
            id="right meanwhile: the day begins anew",
        ),
        pytest.param(
            (0, *hourly(400, 20), *hourly(30, 24)),
            (False, *[False] * 21, *[False] * 24, True),
            id="wrong, then right after a month off",
        ),
        pytest.param(
            (0, *hourly(400, 20), *hourly(800, 9)),
            (False, *[False] * 31),
            id="ahead, then further ahead: the day begins anew",
        ),
        pytest.param(
            (-20000, *hourly(0, 24)),
            (False, *[False] * 24, True),
            id="first seen before it was set",
        ),
        pytest.param((0, -1800, 0.1, 0.2), (False, True, True, True), id="behind, then right"),
        pytest.param(
            (0, *hourly(-400, 72), 3.1, 3.2),
            (False, *[True] * 73, False, False),
            id="behind for three days, then right: as if it had been off",
        ),
    ],
)
def test_a_clock_is_believed_that_goes_on(days: Sequence[float], expected: Sequence[bool]) -> None:
    assert believed(*days) == list(expected)


@pytest.mark.parametrize("days", [1.9, 400])
def test_what_is_written_by_a_clock_that_is_behind_never_counts_as_older_than_a_sweep(
    days: float,
) -> None:
    last, _ = judged(None, NOON)
    for hour in range(24 * 5):
        last, _ = judged(last, NOON + hour * DAY / 24 - days * DAY)
        assert last.trusted >= NOON


def test_a_clock_that_is_behind_is_told_once_and_so_is_one_that_is_ahead(
    caplog: pytest.LogCaptureFixture,
) -> None:
    last, _ = judged(None, NOON)
    for now in (*hourly(-400, 30), *hourly(-600, 2), *hourly(30, 2)):
        last, _ = judged(last, moment := NOON + now * DAY)
        tell_doubt(logging.getLogger("sweeps"), last, moment)
    behind, further, ahead = [
        (record.getMessage(), record.__dict__["fields"]) for record in caplog.records
    ]
    told = "the clock is behind the last sweep: what is written counts as written then"
    times = {"clock": (NOON - 400 * DAY).isoformat(), "last_sweep": NOON.isoformat()}
    assert behind == (told, times)
    assert further[0] == told
    assert ahead[0] == "the clock has jumped ahead: nothing is deleted by age"
