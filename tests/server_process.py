"""A real server as a process of its own: started, asked for its metrics, killed."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from services.runtime.channel import open_channel
from services.runtime.exit_statuses import EXIT_RESOURCE_MISSING

ROOT = Path(__file__).resolve().parents[1]
GUARD_SECONDS = 60.0
"""What hangs this long is broken; nothing is measured by it."""

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True)
class ServerProcess:
    """A running server.

    Attributes:
        process: It.
        service: The full name of its service.
        address: Where it takes calls.
        metrics_address: Where it tells its metrics.
    """

    process: asyncio.subprocess.Process
    service: str
    address: str
    metrics_address: str

    @property
    def port(self) -> int:
        """Where it takes calls."""
        return int(self.address.rpartition(":")[2])

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[grpc.aio.Channel]:
        """A channel to the server once it serves."""
        async with open_channel(self.address) as channel:
            await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=self.service),
                timeout=GUARD_SECONDS,
                wait_for_ready=True,
            )
            yield channel

    async def until_health(
        self, channel: grpc.aio.Channel, status: health_pb2.HealthCheckResponse.ServingStatus
    ) -> None:
        """Waits until the service says this of itself.

        It is asked again and again: a server that stops ends whatever watches its health.
        """
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=self.service)

        async def says_so() -> bool:
            answer = await stub.Check(request, timeout=GUARD_SECONDS)
            return bool(answer.status == status)

        await until(says_so)

    async def stopped(self) -> int:
        """Waits for the end of the process; its status."""
        async with asyncio.timeout(GUARD_SECONDS):
            return await self.process.wait()

    async def metric(self, name: str) -> float:
        """The sum of a metric's samples; 0 when there are none."""
        async with httpx.AsyncClient() as client:
            page = (await client.get(f"http://{self.metrics_address}/metrics")).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name
        )

    async def load(self) -> tuple[float, float]:
        """Calls that run and tasks that live."""
        return await self.metric("viva_rpc_running"), await self.metric("viva_tasks")

    async def until_load(self, wanted: Callable[[float, float], bool]) -> None:
        """Waits until the running calls and the live tasks are as `wanted` says."""

        async def reached() -> bool:
            return wanted(*await self.load())

        await until(reached)


async def code_of(call: Any) -> grpc.StatusCode:
    """How a stream ends that nobody goes on with."""
    async with asyncio.timeout(GUARD_SECONDS):
        with suppress(grpc.aio.AioRpcError):
            while await call.read():
                pass
        code: grpc.StatusCode = await call.code()
    return code


@asynccontextmanager
async def server_process(
    name: str, service: str, *, package: str = "services", **settings: str
) -> AsyncIterator[ServerProcess]:
    """Starts `python -m services.NAME` with `VIVA_NAME_…` settings; kills it at the end.

    A setting of all servers is given by its whole name, `VIVA_…`.
    """
    port, metrics_port = free_port(), free_port()
    own = {"PORT": str(port), "METRICS_PORT": str(metrics_port), **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"{package}.{name}",
        cwd=ROOT,
        env=_environment() | _variables(name, own),
    )
    try:
        yield ServerProcess(process, service, f"127.0.0.1:{port}", f"127.0.0.1:{metrics_port}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def failed_start(name: str, *, package: str = "services", **settings: str) -> str:
    """What a server says that cannot start; it must end with the status for that."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"{package}.{name}",
        cwd=ROOT,
        env=_environment() | _variables(name, settings),
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(GUARD_SECONDS):
        _, said = await process.communicate()
    assert process.returncode == EXIT_RESOURCE_MISSING, said.decode()
    return said.decode()


@asynccontextmanager
async def client_process(
    program: Path, *arguments: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Starts a program that calls a server; kills it at the end. Its output can be read."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        *arguments,
        cwd=ROOT,
        env=_environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def _variables(name: str, settings: dict[str, str]) -> dict[str, str]:
    prefix = f"VIVA_{name.upper()}_"
    return {
        key if key.startswith("VIVA_") else prefix + key: value for key, value in settings.items()
    }


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"}


_given: set[int] = set()


def free_port() -> int:
    """A port nobody listens on, outside of those the system gives to outgoing connections.

    No port is given twice: whoever got it may not listen yet.
    """
    while True:
        port = random.randrange(20_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            if port not in _given:
                probe.bind(("127.0.0.1", port))
                _given.add(port)
                return port


def free_ports(count: int) -> list[int]:
    """As many different ones."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return list(found)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for something another process does, which sends no event."""
    async with asyncio.timeout(GUARD_SECONDS):
        while not await condition():  # noqa: ASYNC110 - no event comes
            await asyncio.sleep(0.02)
