"""More work than the embedding server can do: what is refused, how fast, and what is kept."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.cli.bench.frame import BenchResult, Figure, percentile
from services.runtime.channel import open_channel

_TEXTS = tuple(
    f"Tell me about change number {n}: what was asked, what you did, and what came of it."
    for n in range(16)
)


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
    """Offers `excess` times the work that the server was just seen to do.

    Args:
        address: The mesh or the embedding server.
        seconds: Length of the overload.
        deadline: Each request's own, in seconds.
        excess: Offered work over capacity.
    """
    request = embed_pb2.EmbedRequest(inputs=_TEXTS)
    async with open_channel(address) as channel:
        stub = embed_pb2_grpc.EmbedServiceStub(channel)
        capacity = await _capacity(stub, request)
        tally = _Tally()
        rate = capacity * excess
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            sent = 0
            while (passed := time.perf_counter() - started) < seconds:
                while sent < passed * rate:
                    caller = f"caller-{sent % 20}"
                    group.create_task(_call(stub, request, deadline, caller, tally))
                    sent += 1
                await asyncio.sleep(0.002)
    kept = len(tally.answered) + tally.late
    return BenchResult(
        "overload",
        [
            Figure("capacity", capacity, "requests/s"),
            Figure("offered", sent / seconds, "requests/s"),
            Figure("answered", len(tally.answered) / seconds, "requests/s"),
            Figure("refused", len(tally.refused) / seconds, "requests/s"),
            Figure("refusal p50", percentile(tally.refused, 50) * 1000, "ms", most=10),
            Figure("refusal p99", percentile(tally.refused, 99) * 1000, "ms", most=10),
            Figure(
                "refusals with RetryInfo", tally.hinted / max(1, len(tally.refused)), "x", least=1
            ),
            Figure("answer p99", percentile(tally.answered, 99) * 1000, "ms", most=deadline * 1000),
            Figure("accepted but late", 100 * tally.late / max(1, kept), "%", most=0),
            Figure("other errors", tally.other, "", most=0),
        ],
        notes=[
            (
                f"{len(_TEXTS)} texts a request, {deadline:g} s deadline, {excess:g} x capacity"
                f" for {seconds:g} s, 20 callers; client and server share the machine"
            )
        ],
    )


async def _capacity(
    stub: embed_pb2_grpc.EmbedServiceAsyncStub, request: embed_pb2.EmbedRequest
) -> float:
    """Requests a second with four callers that wait for their answers."""
    done = 0
    until = time.perf_counter() + 3

    async def caller(name: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await stub.Embed(request, timeout=30, metadata=(("x-viva-caller", str(name)),))
            done += 1

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for name in range(4):
            group.create_task(caller(name))
    return done / (time.perf_counter() - started)


async def _call(
    stub: embed_pb2_grpc.EmbedServiceAsyncStub,
    request: embed_pb2.EmbedRequest,
    deadline: float,
    caller: str,
    tally: _Tally,
) -> None:
    started = time.perf_counter()
    try:
        await stub.Embed(request, timeout=deadline, metadata=(("x-viva-caller", caller),))
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
