"""Servers as processes that are killed, stopped and go on in mid-interview, and full disks."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import pytest_asyncio
from viva.interview.v1 import conversation_pb2 as pb

from tests.faults.candidate import Candidate
from tests.faults.engines import SERVERS
from tests.faults.history import recorded, violations
from tests.faults.processes import Program, programs
from tests.faults.tones import WORDS
from tests.interview.databases import postgres

pytestmark = [pytest.mark.slow, pytest.mark.whole, pytest.mark.asyncio(loop_scope="module")]

LONGEST_SECONDS = 120.0
"""An interview that is not over by then hangs."""
STOPPED_SECONDS = 6.0
Programs = dict[str, Program]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Where the interviews are kept: a real PostgreSQL."""
    with postgres() as server:
        url = server.server().url
        assert url is not None
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Programs]:
    data = tmp_path_factory.mktemp("data")
    async with programs(data, VIVA_INTERVIEW_DATABASE_URL=database) as started:
        yield started


async def held(
    running: Programs, happen: Callable[[], Awaitable[None]], begins: str = "speech_started"
) -> Candidate:
    """Holds an interview; at the first event of a kind something happens."""
    candidate = Candidate(f"127.0.0.1:{running['interview'].port}", iter(WORDS), rounds=2)

    def begun(event: pb.InterviewEvent) -> bool:
        return event.WhichOneof("event") == begins

    async with asyncio.timeout(LONGEST_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(candidate.run())
        await candidate.until(begun)
        await happen()
    await asyncio.gather(*(program.until_idle() for program in running.values()))
    return candidate


async def stopped_for_a_while(program: Program) -> None:
    program.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(STOPPED_SECONDS)
    finally:
        program.signal(signal.SIGCONT)


async def killed(program: Program) -> None:
    await program.die()
    await program.start()


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("happens", [killed, stopped_for_a_while], ids=["SIGKILL", "SIGSTOP"])
async def test_a_model_server_may_die_or_stand_still(
    server: str, happens: Callable[[Program], Awaitable[None]], running: Programs
) -> None:
    candidate = await held(running, lambda: happens(running[server]))
    assert violations(candidate.history, await candidate.stored()) == []


async def test_the_interview_server_may_stand_still(running: Programs) -> None:
    candidate = await held(running, lambda: stopped_for_a_while(running["interview"]))
    assert violations(candidate.history, await candidate.stored()) == []


async def test_the_interview_server_may_die(running: Programs) -> None:
    """Killed after a turn was told, and in the middle of the next one."""
    candidate = await held(running, lambda: killed(running["interview"]), "candidate_turn")
    assert violations(candidate.history, await candidate.stored()) == []


async def test_the_interview_server_may_be_replaced(running: Programs) -> None:
    """Stopped as for a new release: it says so, and goes when nothing is cut."""

    async def replaced() -> None:
        assert await running["interview"].stop() == 0
        await running["interview"].start()

    candidate = await held(running, replaced)
    assert violations(candidate.history, await candidate.stored()) == []


async def test_a_full_disk_costs_the_recording_and_nothing_else(running: Programs) -> None:
    """No file of the interview server may grow any more, as if the disk were full."""
    pid = running["interview"].pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)

    async def full() -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))

    try:
        candidate = await held(running, full)
        stored = await candidate.stored()
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    missing = list(recorded(stored))
    assert missing, "the disk was not full"
    assert violations(candidate.history, stored) == missing
