"""The servers as processes of their own, to be killed, stopped, and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.runtime.channel import open_channel
from tests.faults.engines import SERVERS
from tests.server_process import GUARD_SECONDS, ROOT, ServerProcess, free_port, until

STOP_SECONDS = 30.0


@dataclass
class Program:
    """A server that runs as a process, on the same port each time it is started.

    Attributes:
        command: What runs it.
        variables: Its environment.
        port: Where it takes calls.
        metrics_port: Where it tells its metrics.
        process: It, as it runs now.
    """

    command: tuple[str, ...]
    variables: Mapping[str, str]
    port: int
    metrics_port: int
    process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        """Starts it, and waits until it serves."""
        self.process = await asyncio.create_subprocess_exec(
            *self.command, cwd=ROOT, env={**os.environ, **self.variables}
        )
        async with open_channel(f"127.0.0.1:{self.port}") as channel:
            await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=GUARD_SECONDS, wait_for_ready=True
            )

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to it alone."""
        os.kill(self.pid, number)

    async def until_idle(self) -> None:
        """Waits until it answers no call and nothing waits for its engine."""
        assert self.process is not None
        at = (f"127.0.0.1:{port}" for port in (self.port, self.metrics_port))
        running = ServerProcess(self.process, "", *at)
        for name in ("viva_rpc_running", "viva_queue_length"):

            async def none(name: str = name) -> bool:
                return await running.metric(name) == 0

            await until(none)

    async def die(self) -> None:
        """Kills it, and waits until it is gone."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """Stops it as an operator does; its exit status."""
        assert self.process is not None
        self.process.terminate()
        async with asyncio.timeout(STOP_SECONDS):
            return await self.process.wait()


def _program(name: str, command: tuple[str, ...], variables: Mapping[str, str]) -> Program:
    port, metrics = free_port(), free_port()
    own = f"VIVA_{name.upper()}"
    return Program(
        (sys.executable, "-m", *command),
        {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
            f"{own}_PORT": str(port),
            f"{own}_METRICS_PORT": str(metrics),
            f"{own}_LAME_DUCK_SECONDS": "0",
            "VIVA_DRAIN_SECONDS": "5",
            **variables,
        },
        port,
        metrics,
    )


@asynccontextmanager
async def programs(data_dir: Path, **variables: str) -> AsyncIterator[dict[str, Program]]:
    """Every server as a process, the model servers with cheap engines; none is left at the end."""
    data = {"VIVA_DATA_DIR": str(data_dir), **variables}
    found = {name: _program(name, ("tests.faults.cheap_server", name), data) for name in SERVERS}
    addresses = {
        f"VIVA_INTERVIEW_{name.upper()}_ADDRESS": f"127.0.0.1:{program.port}"
        for name, program in found.items()
    }
    found["interview"] = _program("interview", ("services.interview",), data | addresses)
    async with AsyncExitStack() as stack:
        for program in found.values():
            stack.push_async_callback(_gone, program)
        await asyncio.gather(*(program.start() for program in found.values()))
        yield found


async def _gone(program: Program) -> None:
    if program.process is not None:
        await program.die()
