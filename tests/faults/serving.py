"""Servers inside the test's process: started, stopped while calls run, asked what they hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from prometheus_client import REGISTRY

from services.runtime.channel import open_channel
from services.runtime.server import Build, serving
from services.runtime.settings import ServerSettings
from tests.server_process import GUARD_SECONDS, until

CLEAN_SECONDS = 20.0
"""What has not gone by then stays."""
# The server's own, one for each method: they wait for the next call and belong to none.
_ACCEPTING = {"AioServer._request_call", "AioServer._request_registered_call"}


@dataclass(frozen=True)
class Served:
    """A server that is served by a task of the test's own loop.

    Attributes:
        port: Where.
        channel: To it.
        stop: Set it to stop the server, as SIGTERM does.
        stopped: Set once it has let go of everything.
    """

    port: int
    channel: grpc.aio.Channel
    stop: asyncio.Event
    stopped: asyncio.Event

    async def stopped_within(self, seconds: float) -> None:
        """Waits until it has stopped."""
        async with asyncio.timeout(seconds):
            await self.stopped.wait()

    async def until_refusing(self) -> None:
        """Waits until it says that it stops."""
        stub = health_pb2_grpc.HealthStub(self.channel)

        async def says_so() -> bool:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=GUARD_SECONDS)
            return bool(answer.status == health_pb2.HealthCheckResponse.NOT_SERVING)

        await until(says_so)


@asynccontextmanager
async def served(name: str, settings: ServerSettings, build: Build) -> AsyncIterator[Served]:
    """Serves in a task of its own, which the test can make stop."""
    found: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop, stopped = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        try:
            async with serving(settings, name, build) as running:
                found.set_result(running.port)
                await stop.wait()
        finally:
            stopped.set()

    task = asyncio.create_task(serve(), name=f"serving-{name}")
    started: list[asyncio.Future[Any]] = [task, found]
    await asyncio.wait(started, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    try:
        async with open_channel(f"127.0.0.1:{found.result()}") as channel:
            yield Served(found.result(), channel, stop, stopped)
    finally:
        stop.set()
        async with asyncio.timeout(GUARD_SECONDS):
            await task


class Spans(SpanProcessor):
    """The spans that have begun and not ended, by name."""

    def __init__(self) -> None:
        self.open: list[str] = []

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        self.open.append(span.name)

    def on_end(self, span: ReadableSpan) -> None:
        self.open.remove(span.name)


def metric(name: str, label: str = "") -> float:
    """The sum of a metric's samples of this process that have `label` in one of their labels."""
    return sum(
        sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == name and (not label or any(label in v for v in sample.labels.values()))
    )


def tasks() -> set[asyncio.Task[Any]]:
    """The tasks that belong to somebody."""
    return {
        task
        for task in asyncio.all_tasks()
        if getattr(task.get_coro(), "__qualname__", "") not in _ACCEPTING
    }


@dataclass(frozen=True)
class Baseline:
    """What there was before a call, and must be all there is after it."""

    tasks: frozenset[asyncio.Task[Any]]
    spans: Spans

    async def until_clean(self) -> None:
        """Waits until nothing is left of the calls since; says what is, if it stays."""
        try:
            async with asyncio.timeout(CLEAN_SECONDS):
                await until(self._clean)
        except TimeoutError:
            left = list(self._left())
            raise AssertionError(
                f"{metric('viva_rpc_running')} calls run, {metric('viva_queue_length')} items"
                f" wait, spans {self.spans.open} are open, tasks are left: {left}"
            ) from None

    def _left(self) -> set[asyncio.Task[Any]]:
        return {task for task in tasks() - self.tasks if task is not asyncio.current_task()}

    async def _clean(self) -> bool:
        return (
            not self._left()
            and not self.spans.open
            and metric("viva_rpc_running") == 0
            and metric("viva_queue_length") == 0
        )
