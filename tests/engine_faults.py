"""Engines that fail when a test says so, and what a load balancer then sees."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.runtime.channel import open_channel
from services.runtime.server import Build, serving
from services.runtime.settings import ServerSettings
from tests.server_process import until


@dataclass
class Fault:
    """Whether the engine's method fails."""

    on: bool = False

    def into(self, patch: pytest.MonkeyPatch, engine: type, method: str) -> None:
        """Makes a method of the engine fail while the fault is on."""
        works: Callable[..., Any] = getattr(engine, method)

        @wraps(works)
        def run(*arguments: Any, **named: Any) -> Any:
            if self.on:
                raise RuntimeError("broken")
            return works(*arguments, **named)

        patch.setattr(engine, method, run)


@asynccontextmanager
async def served(
    settings: ServerSettings, service: str, build: Build
) -> AsyncIterator[tuple[grpc.aio.Channel, Callable[[int], Awaitable[None]]]]:
    """A channel to a server, and what waits until its service has a status."""
    async with (
        serving(settings, "faulty", build) as server,
        open_channel(f"127.0.0.1:{server.port}") as channel,
    ):

        async def until_status(wanted: int) -> None:
            async def so() -> bool:
                answer = await health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(service=service), timeout=10
                )
                return bool(answer.status == wanted)

            await until(so)

        yield channel, until_status


async def fails_and_comes_back(
    fault: Fault,
    call: Callable[[], Awaitable[object]],
    until_status: Callable[[int], Awaitable[None]],
) -> None:
    """States that calls an engine fails at take its service out, until the engine works again."""
    status = health_pb2.HealthCheckResponse
    await until_status(status.SERVING)
    fault.on = True
    for _ in range(3):
        with pytest.raises(grpc.aio.AioRpcError):
            await call()
    await until_status(status.NOT_SERVING)
    fault.on = False
    await until_status(status.SERVING)
    await call()
