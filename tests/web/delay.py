"""`make bench-browser`: how much later a reply sounds in a browser than on the command line.

Both hold interviews with the mesh that runs here, in turn, and answer with the same recordings: the
page in Chromium, through the edge and its bridge, with a microphone and a loudspeaker of its own;
and the candidate of `viva bench`, which speaks gRPC to the mesh listener as `viva interview` does.
Compared is the time from the end of speech to the first sound: in the browser what leaves the page,
the device's own delay counted in; on the command line the first audio that comes.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.cli.bench import frame
from services.cli.bench.candidates import Candidate
from services.cli.bench.frame import BenchResult, Figure, percentile
from services.cli.bench.mesh_models import mesh_models
from services.cli.bench.spoken import Spoken, people
from services.cli.calls import DEFAULT_ADDRESS, err
from services.cli.sound_card import RATE_HZ
from services.runtime.channel import open_channel
from tests.web.conftest import BROWSER, chromium, node

MOST_LATER_MS = 150.0
INTERVIEW_SECONDS = 600.0
ROUNDS = 10


async def run(address: str, edge: str, repeats: int) -> BenchResult:
    """Says every recording so many times to each.

    Args:
        address: The mesh listener.
        edge: Where the page is.
        repeats: Interviews of each kind, in turn.

    Raises:
        AssertionError: The browser could not hold its interview; the message is what it said.
        grpc.aio.AioRpcError: A call failed.
        RecordingsUnavailableError: The packaged recordings cannot be fetched.
    """
    recordings = await asyncio.to_thread(people)
    variables = {**await asyncio.to_thread(chromium), "VIVA_EDGE": edge}
    there: list[float] = []
    here: list[float] = []
    for repeat in range(repeats):
        err.print(f"[dim]{repeat + 1} of {repeats}[/]")
        there += await asyncio.to_thread(in_browser, recordings, variables)
        here += await on_command_line(recordings, address)
    async with open_channel(address) as channel:
        models = await mesh_models(channel)
    asked = repeats * len(recordings)
    return BenchResult("browser", figures(there, here), models, [f"{asked} answers to each"])


def figures(there: Sequence[float], here: Sequence[float]) -> list[Figure]:
    """What the milliseconds in the browser and on the command line are to each other."""
    later = percentile(there, 50) - percentile(here, 50)
    return [
        Figure("browser later than command line, p50", later, "ms", most=MOST_LATER_MS),
        *(
            Figure(f"{name}: speech end to first sound, p{percent}", value, "ms")
            for name, delays in (("browser", there), ("command line", here))
            for percent in (50, 95)
            for value in (percentile(delays, percent),)
        ),
        Figure("browser: replied to", len(there), ""),
        Figure("command line: replied to", len(here), ""),
    ]


def in_browser(recordings: Sequence[Spoken], variables: Mapping[str, str]) -> list[float]:
    """An interview in Chromium; the milliseconds of every answer that was replied to.

    Raises:
        AssertionError: It could not be held.
    """
    answers = [
        {"pcm": base64.b64encode(one.pcm).decode(), "end": one.speech_end} for one in recordings
    ]
    said = json.dumps({"rate": RATE_HZ, "answers": answers})
    told = node(BROWSER, "node", "delay.mjs", variables=variables, said=said)
    delays = [json.loads(line) for line in told.splitlines()]
    return [float(ms) for ms in delays if ms is not None]


async def on_command_line(recordings: Sequence[Spoken], address: str) -> list[float]:
    """An interview over gRPC; the milliseconds of every answer that was replied to.

    Raises:
        TimeoutError: It does not end.
        grpc.aio.AioRpcError: A call failed.
    """
    async with open_channel(address) as channel, asyncio.timeout(INTERVIEW_SECONDS):
        candidate = Candidate(
            channel, recordings, rounds=ROUNDS, follow_ups=1, most=len(recordings), user="bench"
        )
        answers = await candidate.hold()
    return [1000 * one.to_sound for one in answers if one.to_sound is not None]


def main() -> None:
    """Measures the mesh that runs here."""
    parser = argparse.ArgumentParser(prog="make bench-browser", description=__doc__)
    parser.add_argument("--address", default=DEFAULT_ADDRESS, help="the mesh listener")
    parser.add_argument("--edge", default="http://localhost:8080", help="where the page is")
    parser.add_argument("--repeats", type=int, default=3, help="interviews of each kind")
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    chosen = parser.parse_args()
    steal = frame.Steal()
    result = asyncio.run(run(chosen.address, chosen.edge, chosen.repeats))
    record = frame.as_json(result, steal.percent())
    path = frame.write(record, chosen.out)
    frame.show(result, record)
    err.print(f"[dim]{path}[/]", soft_wrap=True)


if __name__ == "__main__":
    main()
