"""More work than the servers can do: what is refused, how fast, what is kept, and who notices.

The same mix for the embedding and the ASR server: texts or speech of many lengths (each length its
own batches), half of it interactive, half batch work, from many callers.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import time
import wave
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.cli.bench.embed import texts
from services.cli.bench.frame import BenchResult, Figure, percentile
from services.cli.bench.recordings import cards, librivox
from services.runtime.channel import open_channel

INTERACTIVE = serving_pb2.PRIORITY_INTERACTIVE
BATCH = serving_pb2.PRIORITY_BATCH

_CALLERS = 20
_BATCH_PATIENCE = 10
"""How many times longer than interactive work batch work may take."""
_CAPACITY_SECONDS = 3.0
_CLOSED_CALLERS = 16
_TALK = 0.1
"""Interactive work beside the flood, as a part of the capacity."""
_SPEECH_SECONDS = (1.0, 2.0, 3.0, 4.0)

Send = Callable[[int, serving_pb2.Priority.ValueType, float], Awaitable[None]]
"""Sends the n-th request of the mix with a priority and a timeout in seconds."""


@dataclass(slots=True)
class _Tally:
    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    hinted: int = 0
    late: int = 0
    other: int = 0


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
    capacity = await _capacity(send)
    flood = _Offer(BATCH, excess * capacity, deadline * _BATCH_PATIENCE)
    talk = _Offer(INTERACTIVE, _TALK * capacity, deadline * _BATCH_PATIENCE)
    half = excess * capacity / 2
    mixed = await _offer(
        send,
        seconds,
        [
            _Offer(INTERACTIVE, half, deadline),
            _Offer(BATCH, half, deadline * _BATCH_PATIENCE),
        ],
    )
    (alone,) = await _offer(send, seconds, [talk])
    beside, _ = await _offer(send, seconds, [talk, flood])
    answered = sum(len(tally.answered) for tally in mixed)
    late = sum(tally.late for tally in mixed)
    refused = list(itertools.chain.from_iterable(tally.refused for tally in mixed))
    hinted = sum(tally.hinted for tally in mixed) / max(1, len(refused))
    quiet, loud = (percentile(tally.answered, 99) * 1000 for tally in (alone, beside))
    figures = [
        Figure("capacity", capacity, "requests/s"),
        Figure("answered in time / capacity", answered / seconds / capacity, "x", least=0.9),
        Figure("accepted but late", 100 * late / max(1, late + answered), "%", most=1),
        Figure("refusal p50", percentile(refused, 50) * 1000, "ms", most=10),
        Figure("refusal p99", percentile(refused, 99) * 1000, "ms", most=10),
        Figure("refusals with RetryInfo", hinted, "x", least=1),
        Figure("interactive p99 alone", quiet, "ms"),
        Figure("interactive p99 under a flood of batch work", loud, "ms", most=2 * quiet),
        Figure("other errors", sum(t.other for t in (*mixed, alone, beside)), "", most=0),
    ]
    return [Figure(f"{name}: {f.name}", f.value, f.unit, f.most, f.least) for f in figures]


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


async def _capacity(send: Send) -> float:
    """Requests a second with callers that wait for their answers."""
    numbers = itertools.count()
    done = 0
    until = time.perf_counter() + _CAPACITY_SECONDS

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await send(next(numbers), INTERACTIVE, 60)
            done += 1

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(_CLOSED_CALLERS):
            group.create_task(caller())
    return done / (time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class _Offer:
    priority: serving_pb2.Priority.ValueType
    rate: float
    deadline: float


async def _offer(send: Send, seconds: float, offers: Sequence[_Offer]) -> list[_Tally]:
    """Sends requests at steady rates, whatever becomes of those before."""
    tallies = [_Tally() for _ in offers]
    sent = [0] * len(offers)
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        while (passed := time.perf_counter() - started) < seconds:
            for n, (offer, tally) in enumerate(zip(offers, tallies, strict=True)):
                while sent[n] < passed * offer.rate:
                    group.create_task(_call(send, sent[n], offer, tally))
                    sent[n] += 1
            await asyncio.sleep(0.002)
    return tallies


async def _call(send: Send, number: int, offer: _Offer, tally: _Tally) -> None:
    started = time.perf_counter()
    try:
        await send(number, offer.priority, offer.deadline)
        tally.answered.append(time.perf_counter() - started)
    except grpc.aio.AioRpcError as error:
        taken = time.perf_counter() - started
        match error.code():
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                tally.refused.append(taken)
                tally.hinted += _has_retry_hint(error)
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                tally.late += 1
            case _:
                tally.other += 1


def _has_retry_hint(error: grpc.aio.AioRpcError) -> bool:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    hint = error_details_pb2.RetryInfo.DESCRIPTOR
    return status is not None and any(detail.Is(hint) for detail in status.details)
