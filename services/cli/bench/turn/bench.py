"""A turn through the mesh, in one process, and through Pipecat: same recordings, same run."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from services.cli.bench.frame import BenchResult, Figure, percentile
from services.cli.bench.mesh_models import mesh_models
from services.cli.bench.spoken import Spoken, people, read_spoken
from services.cli.bench.turn.heard import Heard, System
from services.cli.bench.turn.in_process import floor
from services.cli.bench.turn.interviews import Interviews
from services.cli.bench.turn.pipecat import pipecat
from services.cli.bench.turn.plot import svg
from services.cli.demo import rehearse
from services.runtime.channel import open_channel

MESH, FLOOR = "mesh", "in process"
P50_RATIO, P95_RATIO = 0.35, 0.5
TAX = 0.05
CUT = 0.05
SHORT = 4


async def run(
    address: str,
    *,
    repeats: int,
    folder: Path | None,
    short: bool,
    peer: bool,
    plot: Path | None,
    tell: Callable[[str], None],
) -> BenchResult:
    """Plays every recording to each system in turn, so that all see the same weather.

    Args:
        address: The mesh.
        repeats: How often each recording is played to each system.
        folder: Somebody's recordings; None takes people reading and answers that the mesh speaks.
        short: A few of the recordings, once.
        peer: Whether Pipecat takes part.
        plot: Where to draw how soon answers are answered; None draws nothing.
        tell: Told of what takes a while.

    Raises:
        LookupError: A system does not run, or there are no recordings.
        RecordingsUnavailableError: The packaged recordings cannot be fetched.
        BadRecording: A recording cannot be used.
        grpc.aio.AioRpcError: A call failed.
    """
    recordings = await _recordings(address, folder, short=short, tell=tell)
    if short:
        # The longest have the pauses.
        recordings = sorted(recordings, key=lambda one: -one.speech_end)[:SHORT]
        repeats = 1
    async with open_channel(address) as channel:
        models = await mesh_models(channel)
    tell("loading the models …")
    found: dict[str, list[Heard]] = {}
    async with AsyncExitStack() as stack:
        systems: list[System] = [
            await stack.enter_async_context(floor()),
            await stack.enter_async_context(_mesh(address)),
        ]
        if peer:
            systems.append(await stack.enter_async_context(pipecat(tell)))
        for system in systems:  # the first turn of each warms it up
            tell(f"{system.name}: warming up")
            async for _ in system(recordings[:1]):
                pass
        for repeat in range(repeats):
            for place in range(len(systems)):
                system = systems[(place + repeat) % len(systems)]
                tell(f"{system.name}: {repeat + 1} of {repeats}")
                heard = [one async for one in system(recordings)]
                found.setdefault(system.name, []).extend(heard)
    if plot is not None:
        title = f"{len(recordings)} recordings × {repeats}"
        delays = {name: _contents(heard) for name, heard in sorted(found.items())}
        await asyncio.to_thread(plot.write_text, svg(title, delays), encoding="utf-8")
    pauses = sum(len(one.pauses) for one in recordings)
    length = sum(one.speech_end for one in recordings)
    notes = [
        (
            f"{len(recordings)} recordings, {length:.0f} s with {pauses} inner pauses of 0.2 s or"
            f" more, {repeats} times to each system in turn"
        ),
        "sound: anything; content: more than a sign of listening",
    ]
    return BenchResult("turn", figures(found), models, notes)


async def _recordings(
    address: str, folder: Path | None, *, short: bool, tell: Callable[[str], None]
) -> list[Spoken]:
    if folder is not None:
        files = sorted(path for path in folder.iterdir() if path.suffix in {".wav", ".flac"})
        if not files:
            raise LookupError(f"{folder} holds no recordings (.wav, .flac)")
        return [await asyncio.to_thread(read_spoken, file) for file in files]
    recordings = await asyncio.to_thread(people)
    if not short:
        with tempfile.TemporaryDirectory(prefix="viva-bench-") as scratch:
            paths = await rehearse(
                address,
                Path(scratch),
                lambda done, of: tell(f"the mesh speaks answer {done + 1} of {of}"),
            )
            recordings += [await asyncio.to_thread(read_spoken, path) for path in paths]
    return recordings


@asynccontextmanager
async def _mesh(address: str) -> AsyncIterator[Interviews]:
    async with open_channel(address) as channel:
        yield Interviews(MESH, channel)


def _contents(heard: Sequence[Heard]) -> list[float]:
    return [one.content for one in heard if one.content is not None]


def figures(found: dict[str, list[Heard]]) -> list[Figure]:
    """Delays, cuts and stages of each system, and what they are to each other."""
    made: list[Figure] = []
    p50 = {name: percentile(_contents(heard), 50) for name, heard in found.items()}
    p95 = {name: percentile(_contents(heard), 95) for name, heard in found.items()}
    cut = {name: _share_cut(heard) for name, heard in found.items()}
    others = [name for name in found if name not in {MESH, FLOOR}]
    if MESH in found:
        for other in others:
            made += [
                Figure(f"content p50, mesh / {other}", p50[MESH] / p50[other], "x", most=P50_RATIO),
                Figure(f"content p95, mesh / {other}", p95[MESH] / p95[other], "x", most=P95_RATIO),
                Figure(f"inner pauses cut, {other}", 100 * cut[other], "%"),
            ]
        most = min([CUT, *(cut[other] for other in others)])
        made.append(Figure("inner pauses cut, mesh", 100 * cut[MESH], "%", most=100 * most))
        if FLOOR in found:
            tax = (p50[MESH] - p50[FLOOR]) / p50[MESH]
            made.append(Figure("mesh tax, p50 of the turn", 100 * tax, "%", most=100 * TAX))
    for name, heard in found.items():
        sounds = [one.sound for one in heard if one.sound is not None]
        made += [
            Figure(f"{name}: speech end to content, p50", 1000 * p50[name], "ms"),
            Figure(f"{name}: speech end to content, p95", 1000 * p95[name], "ms"),
            Figure(f"{name}: speech end to sound, p50", 1000 * percentile(sounds, 50), "ms"),
            Figure(f"{name}: answers", len(heard), ""),
            Figure(f"{name}: unanswered", len(heard) - len(_contents(heard)), "", most=0),
            *_stages(name, heard),
        ]
    return made


def _share_cut(heard: Sequence[Heard]) -> float:
    pauses = sum(len(one.spoken.pauses) for one in heard)
    return sum(one.cuts for one in heard) / pauses if pauses else float("nan")


def _stages(name: str, heard: Sequence[Heard]) -> list[Figure]:
    names = dict.fromkeys(stage for one in heard for stage in one.stages)
    return [
        Figure(
            f"{name}: speech end to {stage}, p50",
            1000 * percentile([one.stages[stage] for one in heard if stage in one.stages], 50),
            "ms",
        )
        for stage in names
    ]
