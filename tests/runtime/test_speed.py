"""Predictions of the time that batches take."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.speed import CAUTION, Speed


def learnt(*batches: tuple[float, float]) -> Speed:
    """A speed that has seen batches of cost and seconds, one a second."""
    speed = Speed()
    for now, (cost, seconds) in enumerate(batches):
        speed.observe(cost, seconds, now)
    return speed


LINE = tuple((cost, 0.1 + 0.01 * cost) for cost in (1, 8, 2, 16, 4, 32) * 6)


def test_nothing_is_predicted_before_anything_was_seen() -> None:
    assert Speed().seconds(100) == Speed().quickest(100) == 0


def test_a_fixed_part_and_a_slope_are_told_apart() -> None:
    assert learnt(*LINE).seconds(10) == pytest.approx(0.2, rel=0.02)
    assert learnt(*LINE).seconds(64) == pytest.approx(0.74, rel=0.02)


def test_it_follows_when_the_model_becomes_slower() -> None:
    assert learnt(*[(4, 0.1)] * 50, *[(4, 0.8)] * 100).seconds(4) == pytest.approx(0.8, rel=0.05)


def test_a_stall_teaches_nothing() -> None:
    before = learnt(*LINE)
    after = learnt(*LINE, (8, 3.0))
    assert after.seconds(8) == pytest.approx(before.seconds(8))
    assert after.deviation == pytest.approx(before.deviation)


def test_what_takes_long_now_and_then_is_how_the_model_works_and_no_stall() -> None:
    # One batch in eight takes five times as long as the others, never two in a row.
    speed = learnt(*[(4, 0.5 if n % 8 == 7 else 0.1) for n in range(80)])
    assert speed.seconds(4) >= 0.13
    assert speed.deviation >= 0.5


def test_what_was_slow_long_ago_is_forgotten_but_not_what_was_quick() -> None:
    speed = learnt(*LINE, *[(8, 0.5)] * 50)
    assert speed.seconds(8) == pytest.approx(0.5, rel=0.1)
    speed.age(1000)
    assert speed.seconds(8) == pytest.approx(speed.quickest(8), rel=0.05)
    assert speed.quickest(8) <= 0.18 + 1e-9


def test_a_batch_far_quicker_than_any_before_says_that_those_were_on_a_busy_machine() -> None:
    busy = [(cost, 10 * seconds) for cost, seconds in LINE]
    assert learnt(*busy, (16, 0.26)).seconds(16) == pytest.approx(0.26)
    # One that is quick for its content alone has been seen before.
    quick_now_and_then = [(16, 0.1 if n % 8 == 0 else 1.0) for n in range(80)]
    assert learnt(*quick_now_and_then, (16, 0.1)).seconds(16) >= 0.7


def test_the_less_regular_the_model_the_more_time_is_allowed_for() -> None:
    steady = learnt(*[(4, 0.2)] * 40)
    jumpy = learnt(*[(4, 0.1), (4, 0.3)] * 20)
    assert steady.deviation < jumpy.deviation
    assert jumpy.seconds(4) * (1 + CAUTION * jumpy.deviation) > 0.3


def test_the_cost_that_fits_a_time_takes_that_time() -> None:
    assert Speed().cost_within(0.1) == math.inf
    speed = learnt(*LINE)
    assert speed.seconds(speed.cost_within(0.2)) == pytest.approx(0.2)
    assert speed.cost_within(0.05) == 0


@given(st.lists(st.tuples(st.floats(0.1, 1e6), st.floats(0, 1e4)), min_size=1, max_size=50))
def test_predictions_are_never_negative_and_grow_with_work(
    batches: list[tuple[float, float]],
) -> None:
    speed = learnt(*batches)
    assert speed.seconds(1) >= -1e-6
    assert speed.seconds(10) <= speed.seconds(20) + 1e-6
    assert speed.quickest(10) <= speed.seconds(10)
