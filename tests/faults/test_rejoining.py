"""Candidates whose connection to the interview fails: they join again, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from viva.interview.v1 import conversation_pb2 as pb

from tests.faults.candidate import Candidate
from tests.faults.history import one_turn_an_answer, violations
from tests.faults.proxy import BOTH, Way
from tests.faults.serving import metric
from tests.faults.world import World, world
from tests.server_process import until

pytestmark = pytest.mark.slow

LONGEST_SECONDS = 90.0
"""An interview that is not over by then hangs."""
Disturb = Callable[[World], None]


async def disturbed(here: World, moments: dict[str, Disturb]) -> Candidate:
    """Holds an interview; at the first event of each kind its disturbance happens."""
    candidate = here.candidate()
    async with asyncio.timeout(LONGEST_SECONDS), asyncio.TaskGroup() as tasks:

        async def disturb(kind: str, what: Disturb) -> None:
            await candidate.until(lambda event: event.WhichOneof("event") == kind)
            what(here)

        tasks.create_task(candidate.run())
        for kind, what in moments.items():
            tasks.create_task(disturb(kind, what))
    return candidate


async def assert_whole(candidate: Candidate, connections: int = 2) -> None:
    stored = await candidate.stored()
    assert violations(candidate.history, stored) == []
    assert list(one_turn_an_answer(candidate.history, stored)) == []
    assert candidate.history.events[-1].connection >= connections
    await until(_idle)


async def _idle() -> bool:
    """Whether no call runs any more, to whichever server of this process."""
    return metric("viva_rpc_running") == 0 and metric("viva_queue_length") == 0


async def test_a_connection_that_is_cut_at_every_kind_of_event_loses_nothing(
    tmp_path: Path,
) -> None:
    kinds = [
        field.name
        for field in pb.InterviewEvent.DESCRIPTOR.oneofs_by_name["event"].fields
        if field.name
        in {"state_changed", "speech_started", "partial", "candidate_turn", "audio",
            "utterance_started", "utterance_ended", "text", "audio_received", "timings"}
    ]  # fmt: skip
    async with world(tmp_path) as here:
        cuts: dict[str, Disturb] = {kind: lambda here: here.front.cut() for kind in kinds}
        await assert_whole(await disturbed(here, cuts), connections=4)


@pytest.mark.whole
@pytest.mark.parametrize("way", Way, ids=lambda way: way.name.lower())
async def test_a_connection_cut_in_mid_message_loses_nothing(tmp_path: Path, way: Way) -> None:
    async with world(tmp_path) as here:
        cuts: dict[str, Disturb] = {
            "speech_started": lambda here: here.front.cut_after(way, 3000),
            "candidate_turn": lambda here: here.front.cut_after(way, 700),
        }
        await assert_whole(await disturbed(here, cuts))


@pytest.mark.whole
@pytest.mark.parametrize(
    "ways", [BOTH, {Way.UP}, {Way.DOWN}], ids=["black-hole", "not-heard", "hears-nothing"]
)
async def test_a_connection_that_stalls_is_left_and_what_it_still_says_is_not_taken(
    tmp_path: Path, ways: set[Way]
) -> None:
    """It flows again once the candidate has joined anew, with all that it held back."""
    async with world(tmp_path) as here:

        def stall(here: World) -> None:
            here.front.stall_connections(ways)

        candidate = await disturbed(here, {"speech_started": stall})
        await assert_whole(candidate)


@pytest.mark.whole
async def test_a_client_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    """Not itself either: what came meanwhile it gets in order when it reads again."""
    async with world(tmp_path) as here:
        slow, other = here.candidate(), here.candidate()
        async with asyncio.timeout(LONGEST_SECONDS), asyncio.TaskGroup() as tasks:
            slowly = tasks.create_task(slow.run())
            await slow.until(lambda event: event.HasField("speech_started"))
            slow.reads.clear()
            await other.run()
            slow.reads.set()
            await slowly
        for candidate in (other, slow):
            await assert_whole(candidate, connections=1)
