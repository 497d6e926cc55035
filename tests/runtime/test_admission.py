"""Predictions of the time that batches take."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.admission import SpeedModel


def test_nothing_is_predicted_before_anything_was_seen() -> None:
    assert SpeedModel().seconds(100, 3) == 0


def test_a_fixed_part_and_a_slope_are_told_apart() -> None:
    speed = SpeedModel()
    for cost in (1, 8, 2, 16, 4, 32) * 4:
        speed.observe(cost, 0.1 + 0.01 * cost)
    assert speed.seconds(10, 1) == pytest.approx(0.2, rel=0.01)
    assert speed.seconds(64, 2) == pytest.approx(0.84, rel=0.01)


def test_it_follows_when_the_model_becomes_slower() -> None:
    speed = SpeedModel()
    for _ in range(50):
        speed.observe(4, 0.1)
    for _ in range(50):
        speed.observe(4, 0.4)
    assert speed.seconds(4, 1) == pytest.approx(0.4, rel=0.05)


def test_the_less_regular_the_model_the_more_time_is_allowed_for() -> None:
    steady, jumpy = SpeedModel(), SpeedModel()
    for _ in range(20):
        steady.observe(4, 0.2)
        jumpy.observe(4, 0.1)
        jumpy.observe(4, 0.3)
    assert steady.at_most(4, 1) == pytest.approx(0.2, rel=0.05)
    assert jumpy.at_most(4, 1) > 0.3
    # Several batches make up for one another's misses.
    assert jumpy.at_most(64, 16) < 16 * jumpy.at_most(4, 1)


def test_the_cost_that_fits_a_time_takes_that_time() -> None:
    speed = SpeedModel()
    assert speed.cost_within(0.1) == math.inf
    for cost in (1, 8, 2, 16, 4, 32) * 4:
        speed.observe(cost, 0.1 + 0.01 * cost)
    assert speed.seconds(speed.cost_within(0.2), 1) == pytest.approx(0.2)
    assert speed.cost_within(0.05) == 0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e4)), min_size=1, max_size=50))
def test_predictions_are_never_negative_and_grow_with_work(
    batches: list[tuple[float, float]],
) -> None:
    speed = SpeedModel()
    for cost, seconds in batches:
        speed.observe(cost, seconds)
    assert speed.seconds(1, 1) + 1e-6 >= 0
    assert speed.seconds(10, 1) <= speed.seconds(20, 2) + 1e-6
