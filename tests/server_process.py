"""A server as a process of its own, to be killed, stopped and asked for its metrics."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from services.runtime.channel import open_channel

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 30.0) -> None:
    """Waits for something another process does, which sends no event."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - no event comes
            await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A running server.

    Attributes:
        process: It.
        port: Where it takes calls.
        metrics_port: Where its Prometheus page is.
    """

    process: asyncio.subprocess.Process
    port: int
    metrics_port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels; 0 when there are none."""
        async with httpx.AsyncClient() as client:
            page = await client.get(f"http://127.0.0.1:{self.metrics_port}/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(page.text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    async def until_serving(self, service: str) -> None:
        async with open_channel(self.address) as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=service), timeout=60, wait_for_ready=True
            )
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


@asynccontextmanager
async def server_process(
    server: str, service: str, data_dir: Path, **settings: object
) -> AsyncIterator[ServerProcess]:
    """Runs `python -m services.<server>` until the scope ends; it serves when this is entered.

    Args:
        server: Its short name.
        service: The service to wait for.
        data_dir: Where prepared models lie.
        settings: Its own settings by name, `drain_seconds=0` for VIVA_<SERVER>_DRAIN_SECONDS.
    """
    port, metrics_port = free_port(), free_port()
    own = {"port": port, "metrics_port": metrics_port, **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"services.{server}",
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
            "VIVA_DATA_DIR": str(data_dir),
            "VIVA_LOG_LEVEL": "ERROR",
            **{f"VIVA_{server}_{name}".upper(): str(value) for name, value in own.items()},
        },
    )
    try:
        running = ServerProcess(process, port, metrics_port)
        await running.until_serving(service)
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
