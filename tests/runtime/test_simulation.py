"""The judge of the scheduler's policy: a matrix of traffic in virtual time.

Times are in turns, the mean time of a full batch. A server of full batches that serves 16 keys in
turn comes back to each after 16 turns; so the shortest deadlines here are 20 turns, below which no
server could fill the batches of all keys.
"""

from __future__ import annotations

import asyncio

import pytest

from services.runtime.batching import Priority
from services.runtime.errors import DeadlineExpired, DeadlineTooShort, Overloaded
from tests.runtime.simulation import SIZE, Model, Simulation, Traffic

MODELS = {
    "flat": Model(0.4, 0.0),
    "linear": Model(0.02, 0.03),
    # As quick as it can be, or up to three times as long.
    "noisy": Model(0.05, 0.01, lambda chance: chance.uniform(1, 3), mean=2.0),
}
TURNS = 80


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
def test_matrix(
    *, keys: int, mixed: bool, workers: int, cost: str, load: float, stalls: bool
) -> None:
    model = MODELS[cost]
    seconds = TURNS * model.turn
    when = [0.4 * seconds, 0.7 * seconds] if stalls else []
    sim = Simulation(model, keys=keys, workers=workers, stalls=when)
    outcomes = sim.play(*offered(model, workers, load, mixed=mixed), seconds=seconds)
    assert sim.late_share <= 0.01
    if load == 3.0:
        # What was accepted before a stall is overtaken by its deadlines; the queue is built anew:
        # a few turns of half empty batches, with many keys until each has a batch again.
        arrivals = 3 * SIZE * (0.5 if mixed else 1)
        turns = 3 + (keys * SIZE / arrivals / 2 if keys > 1 else 0.0)
        rebuilt = len(when) * turns / (0.75 * TURNS)
        assert sim.goodput >= 0.9 * (1 - rebuilt)
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


@pytest.mark.parametrize("cost", MODELS)
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("keys", [1, 16])
def test_interactive_work_hardly_notices_a_flood_of_batch_work(
    keys: int, workers: int, cost: str
) -> None:
    model = MODELS[cost]
    rate = workers * SIZE / model.turn
    seconds = 4 * TURNS * model.turn
    talk = Traffic("talk", 0.1 * rate, 20 * model.turn)
    flood = Traffic("flood", 3 * rate, 100 * model.turn, Priority.BATCH, items=16)
    alone = Simulation(model, keys=keys, workers=workers).play(talk, seconds=seconds)
    both = Simulation(model, keys=keys, workers=workers).play(talk, flood, seconds=seconds)
    assert both["talk"].percentile(99) <= 2 * alone["talk"].percentile(99)
    assert both["talk"].answered.total() >= 0.99 * alone["talk"].answered.total()
    assert both["flood"].answered.total() > 0


@pytest.mark.parametrize("deadlines", [(20, 40), (20, 200)])
@pytest.mark.parametrize("keys", [1, 16])
def test_equal_demand_is_served_equally_whatever_the_deadlines(
    keys: int, deadlines: tuple[float, float]
) -> None:
    model = MODELS["linear"]
    rate = 3 * SIZE / model.turn
    sim = Simulation(model, keys=keys)
    outcomes = sim.play(
        *(
            Traffic(f"within {turns}", rate / 2, turns * model.turn, callers=1, items=4)
            for turns in deadlines
        ),
        seconds=2 * TURNS * model.turn,
    )
    assert_equal({name: outcome.answered.total() for name, outcome in outcomes.items()})


@pytest.mark.parametrize("cost", MODELS)
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("keys", [1, 16])
def test_an_idle_server_takes_what_it_was_once_quick_enough_for(
    keys: int, workers: int, cost: str
) -> None:
    model = MODELS[cost]
    traffic = Traffic("busy", 3 * workers * SIZE / model.turn, 20 * model.turn)
    stalls = [10 * model.turn, 20 * model.turn]
    sim = Simulation(model, keys=keys, workers=workers, stalls=stalls)
    # As quick as one item can be: no batch was ever quicker.
    best = (model.fixed + model.each) * (1.5 if cost == "noisy" else 1.0)
    verdicts: list[str] = []

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(1)  # what ran is through
        for n in range(30):
            try:
                await sim.scheduler.submit((n % keys, n), deadline=loop.time() + best + 0.01)
            except (Overloaded, DeadlineTooShort) as refused:
                verdicts.append(str(refused))
            except DeadlineExpired:
                pass  # it was tried
            await asyncio.sleep(3 * model.turn)

    sim.play(traffic, seconds=30 * model.turn, then=ask)
    assert not verdicts
