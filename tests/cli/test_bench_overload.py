"""What the overload bench counts: answers, refusals, what is late, and its own lag."""

from __future__ import annotations

import asyncio
import time

import grpc
from viva.serving.v1 import serving_pb2

from services.cli.bench.offering import Offer, closed_loop, lag_measured, offer
from services.runtime.errors import (
    DeadlineExpired,
    DeadlineTooShort,
    Overloaded,
    ServiceError,
    to_status,
)

INTERACTIVE = serving_pb2.PRIORITY_INTERACTIVE


class Refused(grpc.aio.AioRpcError):
    """How a client meets an error of a server."""

    def __init__(self, error: ServiceError) -> None:
        status = ("grpc-status-details-bin", to_status(error).SerializeToString())
        trailing = grpc.aio.Metadata(status)
        super().__init__(error.code, grpc.aio.Metadata(), trailing, error.message, "")


async def test_each_end_of_a_request_is_counted_as_what_it_is() -> None:
    ends: list[ServiceError | None] = [
        None,
        Overloaded("busy"),
        DeadlineTooShort(2.0, 1.0),
        DeadlineExpired(),
    ]

    async def send(number: int, priority: serving_pb2.Priority.ValueType, within: float) -> None:
        await asyncio.sleep(0)
        if (error := ends[number % len(ends)]) is not None:
            raise Refused(error)

    offered = await offer(send, 0.1, [Offer(INTERACTIVE, 400, 1.0)])
    (tally,) = offered.tallies
    counts = [len(tally.answered), len(tally.refused), tally.hopeless, tally.late]
    assert min(counts) > 0
    assert max(counts) - min(counts) <= 1
    assert tally.hinted == len(tally.refused)
    assert tally.other == 0


async def test_what_is_under_way_at_the_end_is_waited_for_or_given_up() -> None:
    async def send(number: int, priority: serving_pb2.Priority.ValueType, within: float) -> None:
        await asyncio.sleep(0.2 if number else 0)

    for to_the_end in (True, False):
        offered = await offer(send, 0.1, [Offer(INTERACTIVE, 200, 1.0)], to_the_end=to_the_end)
        answered = len(offered.tallies[0].answered)
        assert answered > 1 if to_the_end else answered == 1
        # The time in which it was answered goes with the answers.
        assert offered.seconds >= 0.2 if to_the_end else offered.seconds < 0.2


async def test_the_same_requests_come_each_time_and_do_not_wait_for_answers() -> None:
    sent: list[int] = []

    async def send(number: int, priority: serving_pb2.Priority.ValueType, within: float) -> None:
        sent.append(number)
        await asyncio.sleep(10)

    for _ in range(2):
        await offer(send, 0.1, [Offer(INTERACTIVE, 300, 1.0)], to_the_end=False)
    half = len(sent) // 2
    assert sent == [*range(half), *range(half)]
    assert half > 10


async def test_callers_of_the_closed_loop_wait_for_their_answers() -> None:
    running = most = 0

    async def send(number: int, priority: serving_pb2.Priority.ValueType, within: float) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    assert await closed_loop(send, callers=4, rounds=3, seconds=0.0) > 0
    assert most == 4


async def test_a_loop_that_is_held_up_is_late_by_as_much() -> None:
    async with lag_measured() as lags:
        await asyncio.sleep(0.02)
        time.sleep(0.05)  # noqa: ASYNC251 - what the measurement is for
        await asyncio.sleep(0.02)
    assert max(lags) >= 0.04
