"""Many interviews at once and a random schedule of faults; then every history is checked.

`--faults-seed` chooses the schedule, `--faults-seconds` how long it goes on; the seed is printed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.candidate import Candidate
from tests.faults.engines import SERVERS
from tests.faults.history import violations
from tests.faults.tones import WORDS
from tests.faults.world import Fault, World, world

pytestmark = pytest.mark.slow

CANDIDATES = 3
LONGEST_SECONDS = 90.0
"""What is not over so long after the last fault hangs."""
FRONT = "front"


@dataclass(frozen=True)
class Event:
    """A fault: of a model server, or of all candidates' connections, which are cut.

    Attributes:
        begins: Seconds from the start of the run.
        lasts: Seconds.
        server: Whose; `FRONT` for the connections.
        fault: Which; None for the connections.
    """

    begins: float
    lasts: float
    server: str
    fault: Fault | None


def schedule(seed: int, seconds: float) -> list[Event]:
    """The faults of a run: one each second or two, overlapping, none twice on a server at once."""
    dice = random.Random(seed)
    choices: list[tuple[str, Fault | None]] = [
        (server, fault) for server in SERVERS for fault in Fault
    ]
    choices += [(FRONT, None)] * 4
    events: list[Event] = []
    begins = dice.uniform(0.5, 2.0)
    while begins < seconds:
        server, fault = dice.choice(choices)
        lasts = dice.uniform(0.2, 4.0)
        if all(one.server != server or one.begins + one.lasts < begins for one in events):
            events.append(Event(begins, lasts, server, fault))
        begins += dice.uniform(0.3, 2.0)
    return events


async def happen(event: Event, here: World) -> None:
    """Lets one fault come and go."""
    await asyncio.sleep(event.begins)
    if event.fault is None:
        here.front.cut()
        return
    here.begin(event.fault, event.server)
    await asyncio.sleep(event.lasts)
    here.mend(event.server)


async def interviews(here: World, number: int, until: float) -> list[Candidate]:
    """One candidate after the other takes a seat, as long as there is time."""
    loop = asyncio.get_running_loop()
    held: list[Candidate] = []
    while not held or loop.time() < until:
        held.append(Candidate(here.front.address, words(number), rounds=2, follow_ups=number % 2))
        await held[-1].run()
    return held


def words(number: int) -> Iterator[str]:
    """Another order for each candidate, so that one's words in another's record are noticed."""
    order: Sequence[str] = random.Random(number).sample(WORDS, len(WORDS))
    return iter(order)


async def test_whatever_happens_what_was_acknowledged_is_what_is_stored(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seed = request.config.getoption("--faults-seed") or random.randrange(1, 10**9)
    seconds = request.config.getoption("--faults-seconds")
    plan = schedule(seed, seconds)
    print(f"--faults-seed {seed} --faults-seconds {seconds}")  # noqa: T201 - to repeat it
    async with world(tmp_path) as here, asyncio.timeout(seconds + LONGEST_SECONDS):
        until = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as tasks:
            for event in plan:
                tasks.create_task(happen(event, here))
            running = [
                tasks.create_task(interviews(here, number, until)) for number in range(CANDIDATES)
            ]
        held = [candidate for one in running for candidate in one.result()]
        found = {
            candidate.interview_id: violations(candidate.history, await candidate.stored())
            for candidate in held
        }
    assert not any(found.values()), f"--faults-seed {seed}: {found}, after {plan}"
