"""The judge of the scheduler's policy: a matrix of traffic in virtual time.

Times are in turns, the mean time of a full batch. Whoever serves all keys, and all callers, in turn
comes back to each after a round of as many turns. A request that just missed a full batch of its
key waits for two rounds, and for the batch that ran when it came: the shortest deadline here. No
server that is fair to keys and callers could promise less to all.
"""

from __future__ import annotations

import asyncio
import itertools

import pytest

from services.runtime.batching import Priority
from services.runtime.errors import DeadlineExpired, DeadlineTooShort, Overloaded
from tests.runtime.simulation import SIZE, WARM_UP, Model, Simulation, Traffic

MODELS = {
    "flat": Model(0.4, 0.0),
    "linear": Model(0.02, 0.03),
    # As quick as it can be, or up to three times as long.
    "noisy": Model(0.05, 0.01, lambda chance: chance.uniform(1, 3), mean=2.0),
    # One item in seven takes eight times as long, as speech that is hard to understand does: an
    # item alone three times what it mostly takes.
    "content": Model(0.05, 0.02, again=0.15, hard=0.15),
}
CALLERS = 8
"""Of interactive work: two groups of four."""


def two_rounds(keys: int) -> int:
    """The shortest deadline, in turns."""
    return 2 * (max(keys, CALLERS) + 1)


def offered(model: Model, keys: int, workers: int, load: float, *, mixed: bool) -> list[Traffic]:
    """Two groups of equal demand and unlike deadlines; mixed, half of all is batch work."""
    rate = load * workers * SIZE / model.turn
    interactive = rate / 2 if mixed else rate
    short = two_rounds(keys) * model.turn
    traffic = [
        Traffic("short", interactive / 2, short),
        Traffic("long", interactive / 2, 2 * short),
    ]
    if mixed:
        traffic.append(Traffic("batch", rate / 2, 5 * short, Priority.BATCH))
    return traffic


CASES = [
    case
    for case in itertools.product(
        (1, 16), (False, True), (1, 2), MODELS, (0.5, 1.0, 3.0), (False, True)
    )
    # The dear ones, by halves: of 16 keys and 3 times the load, each with stalls or without.
    if case[0] == 1 or case[4] < 3 or (case[1] + case[2] + case[5]) % 2
]


@pytest.mark.slow
@pytest.mark.parametrize(("keys", "mixed", "workers", "cost", "load", "stalls"), CASES)
def test_matrix(
    *, keys: int, mixed: bool, workers: int, cost: str, load: float, stalls: bool
) -> None:
    model = MODELS[cost]
    # The queue builds up for two rounds at least.
    seconds = two_rounds(keys) * model.turn / WARM_UP
    when = [0.4 * seconds, 0.7 * seconds] if stalls else []
    sim = Simulation(model, keys=keys, workers=workers, stalls=when)
    outcomes = sim.play(*offered(model, keys, workers, load, mixed=mixed), seconds=seconds)
    assert sim.late_share <= 0.01
    if load == 3.0:
        assert sim.goodput >= 0.9
        if not stalls:
            assert_equal({name: outcomes[name].steady for name in ("short", "long")})
    if load == 0.5 and not stalls:
        refused = sum(outcome.refused + outcome.hopeless for outcome in outcomes.values())
        assert refused <= 0.01 * sum(outcome.answered.total() for outcome in outcomes.values())


def assert_equal(served: dict[str, int]) -> None:
    """Within 20 % of their mean."""
    mean = sum(served.values()) / len(served)
    assert all(0.8 * mean <= number <= 1.2 * mean for number in served.values()), served


@pytest.mark.slow
@pytest.mark.parametrize("cost", MODELS)
@pytest.mark.parametrize(("keys", "workers"), [(1, 1), (1, 2), (16, 1)])
def test_interactive_work_hardly_notices_a_flood_of_batch_work(
    keys: int, workers: int, cost: str
) -> None:
    model = MODELS[cost]
    rate = workers * SIZE / model.turn
    short = two_rounds(keys) * model.turn
    seconds = 240 * model.turn
    talk = Traffic("talk", 0.1 * rate, short)
    flood = Traffic("flood", 1.5 * rate, 5 * short, Priority.BATCH, items=16)
    alone = Simulation(model, keys=keys, workers=workers).play(talk, seconds=seconds)
    sim = Simulation(model, keys=keys, workers=workers)
    both = sim.play(talk, flood, seconds=seconds)
    # With two workers nobody waits alone, and with a flood for the first of two batches to end,
    # each of which takes up to three times what is expected: there the bound is not reached.
    bound = 2.5 if workers == 2 and cost == "noisy" else 2
    assert both["talk"].percentile(99) <= bound * alone["talk"].percentile(99)
    # What batch work was promised is kept: that may cost interactive work a refusal.
    assert both["talk"].answered.total() >= 0.95 * alone["talk"].answered.total()
    assert sim.late_share <= 0.01
    # Batches are short, so that nobody is held up by them for long: that costs a part.
    assert sim.goodput >= 0.6


STEADY = ("flat", "linear")

BULK = [
    (cost, workers, priority, items, callers, times)
    for cost, workers, priority, (items, callers, times) in itertools.product(
        MODELS,
        (1, 2),
        (Priority.INTERACTIVE, Priority.BATCH),
        [(64, 1, 1.5), (64, 1, 2), (64, 1, 5), (512, 1, 1.5), (512, 1, 5), (128, 12, 10)],
    )
    # A crowd at once, or little time, on an unsteady machine: nothing is known yet, or for sure.
    if cost in STEADY or (callers == 1 and times == 5)
]


@pytest.mark.slow
@pytest.mark.parametrize(("cost", "workers", "priority", "items", "callers", "times"), BULK)
def test_a_call_of_many_items_neither_locks_others_out_nor_is_late(
    *, cost: str, workers: int, priority: Priority, items: int, callers: int, times: float
) -> None:
    model = MODELS[cost]
    within = times * items / SIZE * model.turn / workers
    # A twentieth of a worker's time, were its items to go alone.
    quiet = Traffic("quiet", 0.05 / model.expected(1), 6 * model.turn, callers=1, items=1)
    bulk = Traffic("bulk", 0, within, priority, callers=callers, items=items)
    sim = Simulation(model, workers=workers)
    outcomes = sim.play(quiet, bulk, seconds=max(200 * model.turn, 3 * within))
    refused = outcomes["quiet"].refused + outcomes["quiet"].hopeless
    assert refused <= max(1, 0.05 * outcomes["quiet"].answered.total())
    assert sim.late_share <= 0.01
    if times >= 5 and priority is Priority.INTERACTIVE:
        assert sim.goodput >= 0.9


@pytest.mark.parametrize("cost", STEADY)
def test_batch_work_gets_only_what_more_urgent_work_leaves(cost: str) -> None:
    model = MODELS[cost]
    # Interactive work alone is half as much again as can be done, and so is batch work.
    traffic = offered(model, 1, 1, 3.0, mixed=True)
    seconds = 8 * two_rounds(1) * model.turn
    outcomes = Simulation(model).play(*traffic, seconds=seconds)
    assert outcomes["batch"].steady <= 0.1 * sum(outcome.steady for outcome in outcomes.values())


@pytest.mark.slow
@pytest.mark.parametrize("deadlines", [(1, 2), (1, 10)])
@pytest.mark.parametrize("keys", [1, 16])
def test_equal_demand_is_served_equally_whatever_the_deadlines(
    keys: int, deadlines: tuple[int, int]
) -> None:
    model = MODELS["linear"]
    rate = 3 * SIZE / model.turn
    short = two_rounds(keys) * model.turn
    sim = Simulation(model, keys=keys)
    outcomes = sim.play(
        *(
            Traffic(f"within {times}", rate / 2, times * short, callers=1, items=4)
            for times in deadlines
        ),
        seconds=160 * model.turn,
    )
    assert_equal({name: outcome.steady for name, outcome in outcomes.items()})


@pytest.mark.parametrize("cost", MODELS)
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("keys", [1, 16])
def test_an_idle_server_takes_what_it_was_once_quick_enough_for(
    keys: int, workers: int, cost: str
) -> None:
    model = MODELS[cost]
    traffic = Traffic("busy", 3 * workers * SIZE / model.turn, two_rounds(keys) * model.turn)
    stalls = [10 * model.turn, 20 * model.turn]
    sim = Simulation(model, keys=keys, workers=workers, stalls=stalls)
    # As quick as one item can be; on a noisy machine as long as it can take, for under load single
    # items were never seen, and what is known of them comes from full batches.
    best = (model.fixed + model.each) * (3.0 if cost == "noisy" else 1.0)
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


@pytest.mark.parametrize("cost", MODELS)
def test_a_server_whose_start_was_slow_is_found_out_to_be_quick_within_a_minute(cost: str) -> None:
    model = MODELS[cost]
    # Both batches of the warm-up: all that is known is a hundred times too slow.
    sim = Simulation(model, stalls=[0.0, 0.0], stall=100.0)
    talk = Traffic("talk", 0, 6 * model.turn, callers=1, items=1)
    outcome = sim.play(talk, seconds=400.0)["talk"]
    # 200 s to start, 60 s in which all is refused, and one in which the best is found.
    assert outcome.hopeless
    alone = (model.fixed + model.each + model.hard * model.again) * model.mean
    assert outcome.answered.total() >= 0.9 * (400.0 - 200.0 - 61.0) / (alone + 0.003)
    assert sim.late_share <= 0.01
