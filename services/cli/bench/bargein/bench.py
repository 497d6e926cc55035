"""Which sounds stop the interviewer, how soon, and whether the others leave no trace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from services.cli.bench.bargein.sounds import Kind, a_few, sounds
from services.cli.bench.bargein.trials import Trial, trials
from services.cli.bench.frame import BenchResult, Figure, percentile
from services.cli.bench.mesh_models import mesh_models
from services.cli.bench.spoken import people
from services.runtime.channel import open_channel

STOP_MS = 150.0
REJECTED = 80.0


async def run(address: str, *, repeats: int, short: bool) -> BenchResult:
    """Speaks, coughs, laughs and echoes over the interviewer of a running mesh.

    Args:
        address: The mesh.
        repeats: How often each sound is heard.
        short: Two sounds of each kind, once.

    Raises:
        LookupError: No line could be spoken over.
        RecordingsUnavailableError: The recordings cannot be fetched.
        grpc.aio.AioRpcError: A call failed.
    """
    answers = (await asyncio.to_thread(people))[1:2]
    async with open_channel(address) as channel:
        models = await mesh_models(channel)
        wanted = await sounds(channel)
        if short:
            wanted, repeats = a_few(wanted), 1
        done = await trials(channel, wanted * repeats, answers)
    notes = [
        f"{len(wanted)} sounds, {repeats} times each, over lines of real interviews in real time",
        (
            "decision: the first recognised words that interrupt have reached the client, as"
            " services/interview/understanding judges them"
        ),
        *(f"stopped by {trial.sound.name}" for trial in done if _wrongly_stopped(trial)),
        *(f"not stopped by {trial.sound.name}" for trial in done if _missed(trial)),
    ]
    return BenchResult("bargein", figures(done), models, notes)


def _wrongly_stopped(trial: Trial) -> bool:
    return trial.sound.kind is not Kind.WORDS and trial.stopped is not None


def _missed(trial: Trial) -> bool:
    return trial.sound.kind is Kind.WORDS and trial.stopped is None


def figures(done: Sequence[Trial]) -> list[Figure]:
    """What the trials say."""
    words = [trial for trial in done if trial.sound.kind is Kind.WORDS]
    others = [trial for trial in done if trial.sound.kind is not Kind.WORDS]
    # What stops before its words have reached the client was decided at the same moment.
    stops = [
        1000 * max(0.0, trial.stopped - (trial.stopped if trial.decided is None else trial.decided))
        for trial in words
        if trial.stopped is not None
    ]
    total = [1000 * trial.stopped for trial in words if trial.stopped is not None]
    pauses = [1000 * trial.paused for trial in words if trial.paused is not None]
    held = [
        trial.resumed - trial.paused
        for trial in others
        if trial.resumed is not None and trial.paused is not None
    ]
    made = [
        Figure("decision to stop, p50", percentile(stops, 50), "ms"),
        Figure("decision to stop, p95", percentile(stops, 95), "ms", most=STOP_MS),
        Figure("interruptions that stop", _share(words, lambda t: t.stopped is not None), "%"),
        Figure("sound to pause, p50", percentile(pauses, 50), "ms"),
        Figure("sound to stop, p50", percentile(total, 50), "ms"),
        Figure("sound to stop, p95", percentile(total, 95), "ms"),
        Figure(
            "other sounds rejected",
            _share(others, lambda t: t.stopped is None),
            "%",
            least=REJECTED,
        ),
    ]
    for kind in (Kind.BACK_CHANNEL, Kind.NOISE, Kind.ECHO):
        of_kind = [trial for trial in others if trial.sound.kind is kind]
        made.append(
            Figure(f"{kind.value} rejected", _share(of_kind, lambda t: t.stopped is None), "%")
        )
    rejected = [trial for trial in others if trial.stopped is None]
    return [
        *made,
        Figure("rejected ones that paused", _share(rejected, lambda t: t.paused is not None), "%"),
        Figure("pause until it went on, p50", percentile(held, 50), "s"),
        Figure(
            "lines said to their end after that",
            _share(rejected, lambda t: bool(t.whole)),
            "%",
            least=100,
        ),
    ]


def _share(done: Sequence[Trial], fits: Callable[[Trial], bool]) -> float:
    """Percent of the trials."""
    return 100 * sum(map(fits, done)) / len(done) if done else float("nan")
