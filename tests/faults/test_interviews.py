"""Interviews in which a model server fails: the candidate is told, goes on, and loses nothing.

Each cell is a whole spoken interview in real time. They are mostly waiting, so a few go on at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from viva.interview.v1 import conversation_pb2 as pb

from services.runtime.stats import seconds
from tests.faults.candidate import Candidate
from tests.faults.engines import SERVERS
from tests.faults.history import History, Stored, one_turn_an_answer, violations
from tests.faults.world import Fault, World, world

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

AT_ONCE = 5
LONGEST_SECONDS = 90.0
"""An interview that is not over by then hangs."""
TOLD_SECONDS = 3.0
SLACK = 5.0
"""A busy machine may take so much longer."""
FAULT_SECONDS = 10.0
"""How long a fault lasts that nobody tells of."""


@dataclass(frozen=True)
class Cell:
    """A fault of a server."""

    server: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.server}-{self.fault.name.lower()}"


@dataclass(frozen=True)
class Outcome:
    """What came of it; `told` is how long after the fault the candidate was told of it."""

    history: History
    stored: Stored
    told: float | None


async def held(cell: Cell, here: World) -> Outcome:
    """Holds an interview; the server fails in the first answer, until the candidate is told."""
    candidate = here.candidate(
        follow_ups=1 if cell.server == "llm" else 0, rounds=3 if cell.server == "tts" else 2
    )
    async with asyncio.timeout(LONGEST_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(candidate.run())
        begun = seconds((await candidate.until(lambda e: e.HasField("speech_started"))).at)
        here.begin(cell.fault, cell.server)
        told = await _told(candidate, cell.server)
        here.mend(cell.server)
    return Outcome(
        candidate.history, await candidate.stored(), None if told is None else told - begun
    )


async def _told(candidate: Candidate, server: str) -> float | None:
    def of_it(event: pb.InterviewEvent) -> bool:
        return event.degraded.service == server and not event.degraded.recovered

    try:
        async with asyncio.timeout(FAULT_SECONDS):
            return seconds((await candidate.until(of_it)).at)
    except TimeoutError:
        return None


Find = Callable[[Cell], Awaitable[Outcome]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcome(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Find]:
    """The outcomes of the cells that are asked for, a few of them under way at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def hold(cell: Cell, folder: Path) -> Outcome:
        async with room, world(folder) as here:
            return await held(cell, here)

    specs = [getattr(item, "callspec", None) for item in request.session.items]
    chosen: list[Cell] = [
        spec.params["cell"] for spec in specs if spec is not None and "cell" in spec.params
    ]
    running = {
        cell: asyncio.create_task(hold(cell, tmp_path_factory.mktemp(str(cell))))
        for cell in dict.fromkeys(chosen)
    }

    async def find(cell: Cell) -> Outcome:
        return await running[cell]

    yield find
    for task in running.values():
        task.cancel()
    await asyncio.gather(*running.values(), return_exceptions=True)


ALWAYS = {
    Cell("asr", Fault.REFUSES),
    Cell("tts", Fault.FAILS),
    Cell("tts", Fault.HALF_OPEN),
    Cell("llm", Fault.HANGS),
    Cell("embed", Fault.BLACK_HOLE),
}
"""Each server and each fault once; `make test-faults` runs every one with every other."""
CELLS = pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cell, id=str(cell), marks=[] if cell in ALWAYS else [pytest.mark.whole])
        for cell in (Cell(server, fault) for server in SERVERS for fault in Fault)
    ],
)


@pytest.mark.whole
async def test_an_undisturbed_interview_keeps_every_word(tmp_path: Path) -> None:
    async with world(tmp_path) as here, asyncio.timeout(LONGEST_SECONDS):
        candidate = here.candidate()
        await candidate.run()
        stored = await candidate.stored()
    assert violations(candidate.history, stored) == []
    assert list(one_turn_an_answer(candidate.history, stored)) == []


@CELLS
async def test_nothing_is_lost(cell: Cell, outcome: Find) -> None:
    found = await outcome(cell)
    assert violations(found.history, found.stored) == []


@CELLS
async def test_the_candidate_is_told_soon_and_when_it_is_over(cell: Cell, outcome: Find) -> None:
    """Where the server is missed at all: of what nobody needs nothing is told."""
    found = await outcome(cell)
    if cell.server != "embed":
        assert found.told is not None
        assert found.told < SLACK * TOLD_SECONDS
        told = [event.degraded for event in found.history.told("degraded")]
        assert [each.recovered for each in told if each.service == cell.server] == [False, True]
