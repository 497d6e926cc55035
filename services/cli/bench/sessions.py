"""How many candidates at once: with the running mesh's models, and with simulated engines.

With models the processor is the limit. With engines that only take their time it is the interview
server: its answer to "the candidate has finished", its processor time for a session.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import grpc

from services.cli.bench.candidates import CHUNK_SECONDS, Answer, Candidate
from services.cli.bench.frame import BenchResult, Figure, percentile
from services.cli.bench.mesh_models import mesh_models
from services.cli.bench.orchestrator import Orchestrator, orchestrator
from services.cli.bench.simulated.delays import Delays, measured
from services.cli.bench.spoken import Spoken, people, tones
from services.cli.ungrouped import ungrouped
from services.runtime.channel import open_channel

LATENCY_SECONDS = 2.0
"""The 95th percentile of a turn above which a session is none."""
ADDED_SECONDS = 0.05
"""What the interview server may add, 99th percentile."""
CARRIED = 50
FLAT = 1.25
"""Processor time a session at 50 sessions over that at 5: flat, within what one run differs."""
STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 35, 50, 75, 100, 150, 200, 300)
ARRIVAL_SECONDS = 4.0
"""Candidates come one after the other, or all would speak in the same rhythm."""
FOLLOW_UPS = 1
ROUNDS = 10
LATE_SECONDS = 0.1


@dataclass(slots=True)
class Level:
    """So many sessions at once.

    Attributes:
        sessions: How many.
        latencies: From the end of speech to the first content, in seconds.
        added: From the end of the turn to the reply's first content, less what engines worked
            meanwhile.
        processor: Seconds that the interview server computed, for a second of a session.
        lateness: By how much candidates were late with their sound.
        failed: Sessions that ended with an error.
        unanswered: Answers to which nothing came in time.
    """

    sessions: int
    latencies: list[float] = field(default_factory=list)
    added: list[float] = field(default_factory=list)
    processor: float = float("nan")
    lateness: list[float] = field(default_factory=list)
    failed: int = 0
    unanswered: int = 0

    @property
    def in_time(self) -> bool:
        """Whether nearly all answers were answered soon enough."""
        return (
            not self.failed
            and bool(self.latencies)
            and percentile(self.latencies, 95) <= LATENCY_SECONDS
        )


async def run(address: str, most: int, seconds: float, levels: Sequence[int]) -> BenchResult:
    """Raises the number of candidates until they are not answered in time any more.

    Args:
        address: The mesh; where none answers, only simulated engines are asked.
        most: The greatest number of candidates.
        seconds: How long each number of candidates is held.
        levels: Numbers of candidates to try with simulated engines; empty takes the usual ones.

    Raises:
        RecordingsUnavailableError: The recordings cannot be fetched.
        LookupError: The interview server does not start.
    """
    figures: list[Figure] = []
    notes: list[str] = []
    models: dict[str, str] = {}
    delays = Delays()
    async with open_channel(address) as channel:
        try:
            delays = await measured(channel)
        except grpc.aio.AioRpcError:
            notes.append("no mesh answers: the engines take what the packaged models once took")
        else:
            models.update(await mesh_models(channel))
            figures += await _with_models(channel, most, seconds, notes)
    notes.append(f"simulated: {delays}")
    figures += await _simulated(delays, most, seconds, levels, notes)
    return BenchResult("sessions", figures, models, notes)


async def _with_models(
    channel: grpc.aio.Channel, most: int, seconds: float, notes: list[str]
) -> list[Figure]:
    recordings = await asyncio.to_thread(people)
    figures: list[Figure] = []
    carried = 0
    for sessions in (step for step in STEPS if step <= most):
        level = await held(channel, recordings, sessions, seconds)
        figures += _latency_figures("models", level, most=LATENCY_SECONDS)
        if not level.in_time:
            break
        carried = sessions
    notes.append(f"{len(recordings)} recordings of people reading, in turn")
    return [Figure("models: sessions carried", carried, "sessions", least=1), *figures]


async def _simulated(
    delays: Delays, most: int, seconds: float, levels: Sequence[int], notes: list[str]
) -> list[Figure]:
    figures: list[Figure] = []
    costs: dict[int, float] = {}
    carried = 0
    async with orchestrator(delays) as server, open_channel(server.address) as channel:
        for sessions in levels or [step for step in STEPS if 5 <= step <= most]:
            level = await held(channel, tones(), sessions, seconds, server)
            costs[sessions] = level.processor
            added = percentile(level.added, 99)
            figures += [
                # How long it waits for more is its own choice, and nobody's load.
                *_latency_figures("simulated", level, most=None),
                Figure(
                    f"simulated: added at {sessions}, p50", 1000 * percentile(level.added, 50), "ms"
                ),
                Figure(f"simulated: added at {sessions}, p99", 1000 * added, "ms"),
                Figure(
                    f"simulated: processor a session at {sessions}", 1000 * level.processor, "ms/s"
                ),
            ]
            if percentile(level.lateness, 99) > LATE_SECONDS:
                notes.append(
                    f"at {sessions} the candidates themselves were late (p99"
                    f" {1000 * percentile(level.lateness, 99):.0f} ms): this machine has no more"
                )
                break
            if level.failed or not added <= ADDED_SECONDS:
                break
            carried = sessions
    notes.append(
        f"{seconds:g} s a level; sound in pieces of {1000 * CHUNK_SECONDS:.0f} ms; added: from the"
        " recogniser's end of turn to the reply at the client, less what engines took"
    )
    figures.insert(
        0,
        Figure(
            f"simulated: sessions carried, p99 added ≤ {1000 * ADDED_SECONDS:.0f} ms",
            carried,
            "sessions",
            least=CARRIED,
        ),
    )
    if {5, CARRIED} <= set(costs):
        ratio = costs[CARRIED] / costs[5]
        figures.insert(1, Figure("simulated: cost of a session, 50 over 5", ratio, "x", most=FLAT))
    return figures


def _latency_figures(kind: str, level: Level, *, most: float | None) -> list[Figure]:
    return [
        Figure(
            f"{kind}: speech end to content at {level.sessions}, p50",
            1000 * percentile(level.latencies, 50),
            "ms",
        ),
        Figure(
            f"{kind}: speech end to content at {level.sessions}, p95",
            1000 * percentile(level.latencies, 95),
            "ms",
            most=None if most is None else 1000 * most,
        ),
        *(
            [Figure(f"{kind}: sessions that failed at {level.sessions}", level.failed, "", most=0)]
            if level.failed
            else []
        ),
        *(
            [
                Figure(
                    f"{kind}: answers unanswered at {level.sessions}", level.unanswered, "", most=0
                )
            ]
            if level.unanswered
            else []
        ),
    ]


async def held(
    channel: grpc.aio.Channel,
    recordings: Sequence[Spoken],
    sessions: int,
    seconds: float,
    server: Orchestrator | None = None,
) -> Level:
    """Holds so many sessions at once for a while.

    Args:
        channel: To the mesh or the interview server.
        recordings: What candidates say.
        sessions: How many candidates.
        seconds: For how long, after all have come.
        server: The interview server, where it is known.
    """
    level = Level(sessions)
    loop = asyncio.get_running_loop()
    held: list[Candidate] = []

    async def candidate(number: int) -> None:
        await asyncio.sleep(ARRIVAL_SECONDS * number / sessions)
        # Not everyone says the same thing at the same time.
        own = [*recordings[number % len(recordings) :], *recordings[: number % len(recordings)]]
        while True:
            one = Candidate(
                channel, own, rounds=ROUNDS, follow_ups=FOLLOW_UPS, user=f"candidate-{number}"
            )
            held.append(one)
            await one.hold()

    async with _beside(candidate, sessions) as running:
        await asyncio.sleep(ARRIVAL_SECONDS)
        began, computed = loop.time(), server.processor_seconds() if server else 0.0
        await asyncio.wait(running, timeout=seconds)
        passed = loop.time() - began
        if server is not None:
            level.processor = (server.processor_seconds() - computed) / (passed * sessions)
        ended = loop.time()
        level.failed = sum(task.done() for task in running)
    for one in held:
        level.lateness += one.lateness
        _count(level, one, began, ended, server)
    return level


@asynccontextmanager
async def _beside(
    work: Callable[[int], Coroutine[None, None, None]], count: int
) -> AsyncIterator[list[asyncio.Task[None]]]:
    running = [asyncio.create_task(ungrouped(work(number))) for number in range(count)]
    try:
        yield running
    finally:
        for task in running:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*running, return_exceptions=True)


def _count(
    level: Level, one: Candidate, began: float, ended: float, server: Orchestrator | None
) -> None:
    for answer in one.answers:
        if not began <= answer.speech_end <= ended - 2 * LATENCY_SECONDS:
            continue
        if answer.to_content is None:
            level.unanswered += 1
            continue
        level.latencies.append(answer.to_content)
        if server is not None and (added := _added(answer, one.interview_id, server)) is not None:
            level.added.append(added)


def _added(answer: Answer, interview_id: str, server: Orchestrator) -> float | None:
    """What the interview server took from the end of the turn to the reply, in seconds.

    While an "Okay." is heard it waits on purpose.
    """
    reply = next((at for at in answer.arrivals if at >= answer.speech_end), None)
    turns = [at for at in server.work.turns[interview_id] if at >= answer.speech_end]
    if reply is None or not turns:
        return None
    over = max(turns[0], *(at for at in answer.asides if at <= reply), 0.0)
    return max(0.0, reply - over - server.work.within(interview_id, over, reply))
