"""Open-loop load: requests that come whatever becomes of those before, and what becomes of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from viva.serving.v1 import serving_pb2

from services.runtime.errors import DeadlineTooShort, reasons

Send = Callable[[int, serving_pb2.Priority.ValueType, float], Awaitable[None]]
"""Sends the n-th request of the mix with a priority and a timeout in seconds."""

_PROBE_SECONDS = 0.005


@dataclass(slots=True)
class Tally:
    """What became of one kind of requests; times in seconds.

    Attributes:
        answered: How long each answer took.
        refused: How long each refusal took.
        hinted: Refusals that say when to try again.
        hopeless: Refused as having a deadline that no server could meet.
        late: Accepted, and not answered by the deadline.
        other: Ended otherwise.
        last: When the last answer came, on `time.perf_counter`.
    """

    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    hinted: int = 0
    hopeless: int = 0
    late: int = 0
    other: int = 0
    last: float = 0.0


@dataclass(frozen=True, slots=True)
class Offer:
    """Requests of one kind.

    Attributes:
        priority: Their class.
        rate: Requests a second, on average; they come at random (Poisson).
        deadline: Seconds that each may take.
    """

    priority: serving_pb2.Priority.ValueType
    rate: float
    deadline: float


@dataclass(frozen=True, slots=True)
class Offered:
    """What became of what was offered.

    Attributes:
        tallies: One for each offer.
        seconds: From the first request to the last answer.
    """

    tallies: Sequence[Tally]
    seconds: float


async def offer(
    send: Send, seconds: float, offers: Sequence[Offer], *, to_the_end: bool = True
) -> Offered:
    """Sends requests for so many seconds.

    Args:
        send: Sends one.
        seconds: How long.
        offers: Of which kinds; each has the same requests in the same rhythm at each call.
        to_the_end: Whether to wait for what is still under way then, or to give it up.
    """
    tallies = [Tally() for _ in offers]
    started = time.perf_counter()
    async with asyncio.TaskGroup() as calls:
        senders = [
            asyncio.create_task(_send_all(calls, send, started + seconds, kind, tally))
            for kind, tally in zip(offers, tallies, strict=True)
        ]
        under_way = await asyncio.gather(*senders)
        if not to_the_end:
            for task in (task for tasks in under_way for task in tasks):
                task.cancel()
    return Offered(tallies, max(tally.last for tally in tallies) - started)


async def _send_all(
    calls: asyncio.TaskGroup, send: Send, until: float, kind: Offer, tally: Tally
) -> list[asyncio.Task[None]]:
    chance = random.Random(int(kind.priority))  # noqa: S311 - arrivals, not secrets
    tasks: list[asyncio.Task[None]] = []
    due = time.perf_counter()
    while (due := due + chance.expovariate(kind.rate)) < until:
        # Those that are due already come at once: what is offered stays what was asked for.
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(calls.create_task(_call(send, len(tasks), kind, tally)))
    await asyncio.sleep(max(0.0, until - time.perf_counter()))
    return tasks


async def _call(send: Send, number: int, kind: Offer, tally: Tally) -> None:
    started = time.perf_counter()
    try:
        await send(number, kind.priority, kind.deadline)
        tally.last = time.perf_counter()
        tally.answered.append(tally.last - started)
    except grpc.aio.AioRpcError as error:
        taken = time.perf_counter() - started
        match error.code():
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                tally.refused.append(taken)
                tally.hinted += _has_retry_hint(error)
            case grpc.StatusCode.DEADLINE_EXCEEDED if DeadlineTooShort.reason in reasons(error):
                tally.hopeless += 1
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                tally.late += 1
            case _:
                tally.other += 1


def _has_retry_hint(error: grpc.aio.AioRpcError) -> bool:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    hint = error_details_pb2.RetryInfo.DESCRIPTOR
    return status is not None and any(detail.Is(hint) for detail in status.details)


async def closed_loop(send: Send, callers: int, rounds: int, seconds: float) -> float:
    """Requests a second of callers who each wait for their answer.

    Args:
        send: Sends one.
        callers: How many.
        rounds: How many requests each sends at least.
        seconds: How long at least.
    """
    numbers = iter(range(10**9))
    done = 0
    started = time.perf_counter()

    async def caller() -> None:
        nonlocal done
        own = 0
        while own < rounds or time.perf_counter() < started + seconds:
            await send(next(numbers), serving_pb2.PRIORITY_INTERACTIVE, 60)
            own += 1
            done += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return done / (time.perf_counter() - started)


@asynccontextmanager
async def lag_measured() -> AsyncIterator[list[float]]:
    """Seconds by which this process's own event loop comes late, while the scope lasts.

    A client that shares the cores with the servers sees their answers so much later.
    """
    lags: list[float] = []

    async def probe() -> None:
        while True:
            due = time.perf_counter() + _PROBE_SECONDS
            await asyncio.sleep(_PROBE_SECONDS)
            lags.append(time.perf_counter() - due)

    probing = asyncio.create_task(probe(), name="lag")
    try:
        yield lags
    finally:
        probing.cancel()
