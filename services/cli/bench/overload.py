"""More work than the servers can do: what is refused, how fast, what is kept, and who notices.

The same mix for the embedding and the ASR server: texts or speech of many lengths (each length its
own batches), half of it interactive, half batch work, from many callers, at random times.
"""

from __future__ import annotations

import asyncio
import io
import time
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.cli.bench.embed import texts
from services.cli.bench.frame import BenchResult, Figure, percentile
from services.cli.bench.offering import Offer, Offered, Send, closed_loop, lag_measured, offer
from services.cli.bench.recordings import cards, librivox
from services.cli.bench.running import running_servers
from services.runtime.channel import open_channel

INTERACTIVE = serving_pb2.PRIORITY_INTERACTIVE
BATCH = serving_pb2.PRIORITY_BATCH

_CALLERS = 20
_BATCH_PATIENCE = 10
"""How many times longer than interactive work batch work may take."""
_CAPACITY_SECONDS = 3.0
_CLOSED_CALLERS = 16
_CLOSED_ROUNDS = 3
_TALK = 0.1
"""Interactive work beside the flood, as a part of the capacity."""
_LEAST_TALK = 1.2
"""Requests of it for each second asked for, at least: fewer than 12 say nothing of the slowest."""
_REFUSED_WITHIN = 0.01
"""Seconds in which who is refused should know; a bucket of the servers' histogram."""
_SPEECH_SECONDS = (1.0, 2.0, 3.0, 4.0)


async def run(
    address: str, seconds: float = 10.0, deadline: float = 0.5, excess: float = 3.0
) -> BenchResult:
    """Offers each server `excess` times the work that it was just seen to do.

    Args:
        address: The mesh.
        seconds: Length of each part.
        deadline: Of an interactive request to the embedding server, in seconds; ASR gets 20 times
            that, and batch work ten times as much as interactive work.
        excess: Offered work over capacity.
    """
    figures: list[Figure] = []
    async with open_channel(address) as channel:
        embed = embed_pb2_grpc.EmbedServiceStub(channel)
        lengths = texts(64)
        # From a few tokens to some hundred.
        inputs = [" ".join(lengths[n : n + 1 + n % 5]) for n in range(48)]

        async def send_texts(
            number: int, priority: serving_pb2.Priority.ValueType, timeout: float
        ) -> None:
            first = number * 4 % len(inputs)
            request = embed_pb2.EmbedRequest(inputs=inputs[first : first + 4], priority=priority)
            await embed.Embed(request, timeout=timeout, metadata=_caller(number))

        asr = asr_pb2_grpc.AsrServiceStub(channel)
        speech = await asyncio.to_thread(_speech)

        async def send_speech(
            number: int, priority: serving_pb2.Priority.ValueType, timeout: float
        ) -> None:
            request = asr_pb2.RecognizeRequest(
                config=asr_pb2.RecognitionConfig(languages=["en"], priority=priority),
                audio=speech[number % len(speech)],
            )
            await asr.Recognize(request, timeout=timeout, metadata=_caller(number))

        figures += await _server("embed", send_texts, seconds, deadline, excess)
        figures += await _server("asr", send_speech, seconds, 20 * deadline, excess)
    return BenchResult(
        "overload",
        figures,
        notes=[
            (
                f"{excess:g} x capacity for {seconds:g} s, half interactive ({deadline:g} s; ASR"
                f" {20 * deadline:g} s), half batch work (ten times that), {_CALLERS} callers;"
                " texts of 10 to 150 tokens, speech of 1 to 4 s; the flood beside"
                f" {_TALK:.0%} of the capacity in interactive work; client and servers share the"
                " machine"
            )
        ],
    )


async def _server(
    name: str, send: Send, seconds: float, deadline: float, excess: float
) -> list[Figure]:
    at_first = await _shown(name)
    started = time.perf_counter()
    capacity = await closed_loop(send, _CLOSED_CALLERS, _CLOSED_ROUNDS, _CAPACITY_SECONDS)
    requests = capacity * (time.perf_counter() - started)
    half = excess * capacity / 2
    before = await _shown(name)
    async with lag_measured() as lags:
        mixed = await offer(
            send,
            seconds,
            [
                Offer(INTERACTIVE, half, deadline),
                Offer(BATCH, half, deadline * _BATCH_PATIENCE),
            ],
        )
    after = await _shown(name)
    flood = Offer(BATCH, excess * capacity, deadline * _BATCH_PATIENCE)
    talk = Offer(INTERACTIVE, _TALK * capacity, deadline * _BATCH_PATIENCE)
    long = seconds * max(1.0, _LEAST_TALK / talk.rate)
    alone = await offer(send, long, [talk])
    beside = await offer(send, long, [talk, flood], to_the_end=False)
    figures = [
        Figure("capacity", capacity, "requests/s"),
        *_kept(mixed, capacity),
        *_refused(mixed, lags),
        *_refused_by_server(before, after),
        *_computed(at_first, before, after, requests, mixed),
        *_beside(alone, beside),
        Figure(
            "other errors",
            sum(t.other for part in (mixed, alone, beside) for t in part.tallies),
            "",
            most=0,
        ),
    ]
    return [Figure(f"{name}: {f.name}", f.value, f.unit, f.most, f.least) for f in figures]


def _kept(mixed: Offered, capacity: float) -> list[Figure]:
    answered = sum(len(tally.answered) for tally in mixed.tallies)
    late = sum(tally.late for tally in mixed.tallies)
    return [
        # There is work to do all the time up to the last answer.
        Figure("answered in time / capacity", answered / mixed.seconds / capacity, "x", least=0.9),
        Figure("accepted but late", 100 * late / max(1, late + answered), "%", most=1),
    ]


def _refused(mixed: Offered, lags: Sequence[float]) -> list[Figure]:
    refused = [seconds for tally in mixed.tallies for seconds in tally.refused]
    hinted = sum(tally.hinted for tally in mixed.tallies) / max(1, len(refused))
    most = _REFUSED_WITHIN * 1000
    return [
        Figure("refusal p50", percentile(refused, 50) * 1000, "ms", most=most),
        Figure("refusal p99", percentile(refused, 99) * 1000, "ms", most=most),
        Figure("of which the client's own loop came late, p99", percentile(lags, 99) * 1000, "ms"),
        Figure("refusals with RetryInfo", hinted, "x", least=1),
        Figure("deadline too short", sum(tally.hopeless for tally in mixed.tallies), ""),
    ]


def _refused_by_server(before: _Shown, after: _Shown) -> list[Figure]:
    """How fast refusals were by the server's own clock; nothing where it shows none."""
    refused = {
        bound: count - before.refused.get(bound, 0.0) for bound, count in after.refused.items()
    }
    total = max(refused.values(), default=0.0)
    if not total:
        return []
    share = 100 * refused[_REFUSED_WITHIN] / total
    return [Figure("refusals within 10 ms by the server's clock", share, "%", least=99)]


def _computed(
    at_first: _Shown, before: _Shown, after: _Shown, requests: float, mixed: Offered
) -> list[Figure]:
    """Where capacity goes that does not come out: the model idle, slower, or busy for nobody.

    Args:
        at_first: What was shown before so many `requests` were answered at capacity.
        before: Between these and the overload.
        after: After it.
        requests: How many.
        mixed: What became of what was offered.
    """
    at_capacity = before.computed - at_first.computed
    seconds = after.computed - before.computed
    answered = sum(len(tally.answered) for tally in mixed.tallies)
    if not (at_capacity and answered):
        return []
    dearer = (seconds / answered) / (at_capacity / requests)
    return [
        Figure("part of the time in which the model ran", seconds / mixed.seconds, "x"),
        Figure("model's time for an answer / at capacity", dearer, "x"),
    ]


def _beside(alone: Offered, beside: Offered) -> list[Figure]:
    quiet, loud = (percentile(part.tallies[0].answered, 99) * 1000 for part in (alone, beside))
    return [
        Figure("interactive p99 alone", quiet, "ms"),
        Figure("interactive p99 under a flood of batch work", loud, "ms", most=2 * quiet),
    ]


class _Shown(NamedTuple):
    """What a server's metrics show; nothing where it does not run on this machine.

    Attributes:
        refused: Refusals so far that took no longer than each bound in seconds.
        computed: Seconds in which its models ran.
    """

    refused: Mapping[float, float]
    computed: float


async def _shown(name: str) -> _Shown:
    try:
        page = running_servers()[name].metrics
    except LookupError:
        return _Shown({}, 0.0)
    async with httpx.AsyncClient() as client:
        text = (await client.get(page)).text
    refused: dict[float, float] = {}
    computed = 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "viva_compute_seconds_sum":
                computed += sample.value
            elif (
                sample.name == "rpc_server_call_duration_seconds_bucket"
                and sample.labels["rpc_response_status_code"] == "RESOURCE_EXHAUSTED"
            ):
                bound = float(sample.labels["le"])
                refused[bound] = refused.get(bound, 0.0) + sample.value
    return _Shown(refused, computed)


def _caller(number: int) -> tuple[tuple[str, str], ...]:
    return (("x-viva-caller", f"caller-{number % _CALLERS}"),)


def _speech() -> Sequence[bytes]:
    """WAV files of several lengths, of people reading."""
    recordings = [recording.path for recording in (*librivox(), *cards())]
    return [_beginning(path, seconds) for path in recordings for seconds in _SPEECH_SECONDS]


def _beginning(path: Path, seconds: float) -> bytes:
    """The first seconds of a WAV file, as a WAV file."""
    out = io.BytesIO()
    with wave.open(str(path), "rb") as whole, wave.open(out, "wb") as part:
        part.setparams(whole.getparams())
        part.writeframes(whole.readframes(round(seconds * whole.getframerate())))
    return out.getvalue()
