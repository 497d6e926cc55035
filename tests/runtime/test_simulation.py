"""The judge of the scheduler's policy: a matrix of traffic in virtual time.

Times are in turns, the mean time of a full batch. A server of full batches that serves 16 keys in
turn comes back to each after 16 turns; so the shortest deadlines here are 20 turns, below which no
server could fill the batches of all keys.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from services.runtime.batching import Priority
from tests.runtime import virtual_time
from tests.runtime.simulation import SIZE, Model, Outcome, Simulation, Traffic

MODELS = {
    "flat": Model(0.4, 0.0),
    "linear": Model(0.02, 0.03),
    # As quick as it can be, or up to three times as long.
    "noisy": Model(0.05, 0.01, lambda chance: chance.uniform(1, 3), mean=2.0),
}
TURNS = 120


def offered(model: Model, workers: int, load: float, *, mixed: bool) -> list[Traffic]:
    """Two groups of equal demand and unlike deadlines; mixed, half of all is batch work."""
    rate = load * workers * SIZE / model.turn
    interactive = rate / 2 if mixed else rate
    traffic = [
        Traffic("short", interactive / 2, 20 * model.turn),
        Traffic("long", interactive / 2, 40 * model.turn),
    ]
    if mixed:
        traffic.append(Traffic("batch", rate / 2, 100 * model.turn, Priority.BATCH))
    return traffic


@pytest.mark.parametrize("stalls", [False, True], ids=["steady", "stalls"])
@pytest.mark.parametrize("load", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("cost", MODELS)
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("mixed", [False, True], ids=["interactive", "mixed"])
@pytest.mark.parametrize("keys", [1, 16])
def test_matrix(  # noqa: PLR0913 - its dimensions
    *, keys: int, mixed: bool, workers: int, cost: str, load: float, stalls: bool
) -> None:
    model = MODELS[cost]
    seconds = TURNS * model.turn
    when = [0.4 * seconds, 0.7 * seconds] if stalls else []
    sim = Simulation(model, keys=keys, workers=workers, stalls=when)
    outcomes = sim.play(*offered(model, workers, load, mixed=mixed), seconds=seconds)
    assert sim.late_share <= 0.01
    if load == 3.0:
        assert sim.goodput >= 0.9
        served = {name: outcomes[name].answered.total() for name in ("short", "long")}
        if not stalls:
            assert_equal(served)
    if load == 0.5 and keys == 1 and not stalls:
        refused = sum(outcome.refused for outcome in outcomes.values())
        assert refused <= 0.01 * sum(outcome.answered.total() for outcome in outcomes.values())


def assert_equal(served: dict[str, int]) -> None:
    """Within 20 % of their mean."""
    mean = sum(served.values()) / len(served)
    assert all(0.8 * mean <= number <= 1.2 * mean for number in served.values()), served
