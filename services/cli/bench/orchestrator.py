"""An interview server of its own, on one core, with simulated engines on the others."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.cli.bench.simulated.delays import Delays
from services.cli.bench.simulated.engines import engines
from services.cli.bench.simulated.work import Work
from services.cli.launcher.addresses import free
from services.runtime.channel import open_channel
from services.runtime.server import serving
from services.runtime.settings import ServerSettings

HOST = "127.0.0.1"
FIRST_PORT = 23_105
START_SECONDS = 60.0
STOP_SECONDS = 20.0
MOST_SESSIONS = 2000
SERVICE = "viva.interview.v1.InterviewService"


@dataclass(frozen=True, slots=True)
class Orchestrator:
    """It, its address, and the record of the engines that it calls."""

    process: psutil.Process
    address: str
    work: Work

    def processor_seconds(self) -> float:
        """How long it has computed."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@asynccontextmanager
async def orchestrator(delays: Delays) -> AsyncIterator[Orchestrator]:
    """Runs one with the running process's engines until the scope ends.

    Where there are several cores, it has the last to itself, and this process the others.

    Raises:
        LookupError: It does not start; the message has its last words.
    """
    work = Work()
    settings = ServerSettings(port=0, lame_duck_seconds=0, drain_seconds=1)
    cores = sorted(os.sched_getaffinity(0))
    async with serving(settings, "simulated", engines(delays, work)) as running:
        with tempfile.TemporaryDirectory(prefix="viva-bench-") as folder:
            address = f"{HOST}:{_free_port()}"
            log = Path(folder) / "log"
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "services.interview",
                env=_environment(address, f"{HOST}:{running.port}", folder),
                stdout=log.open("wb"),
                stderr=asyncio.subprocess.STDOUT,
            )
            try:
                await _until_serving(process, address, log)
                _share(cores, process.pid)
                yield Orchestrator(psutil.Process(process.pid), address, work)
            finally:
                os.sched_setaffinity(0, cores)
                await _end(process)


def _environment(address: str, engines_at: str, folder: str) -> dict[str, str]:
    return {
        # What it does without a database, unless the caller wants to see it with one.
        "VIVA_INTERVIEW_STORE": "memory",
        **os.environ,
        "VIVA_DATA_DIR": folder,
        "VIVA_INTERVIEW_PORT": address.rpartition(":")[2],
        "VIVA_INTERVIEW_METRICS_PORT": "0",
        "VIVA_INTERVIEW_MAX_CONVERSATIONS": str(MOST_SESSIONS),
        **{f"VIVA_INTERVIEW_{name}_ADDRESS": engines_at for name in ("ASR", "TTS", "LLM", "EMBED")},
    }


def _share(cores: Sequence[int], pid: int) -> None:
    if len(cores) > 1:
        psutil.Process(pid).cpu_affinity([cores[-1]])
        os.sched_setaffinity(0, cores[:-1])


def _free_port() -> int:
    return next(port for port in range(FIRST_PORT, FIRST_PORT + 1000) if free(HOST, port))


async def _until_serving(process: asyncio.subprocess.Process, address: str, log: Path) -> None:
    async with open_channel(address) as channel:
        asked = asyncio.ensure_future(
            health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=SERVICE),
                timeout=START_SECONDS,
                wait_for_ready=True,
            )
        )
        ended = asyncio.ensure_future(process.wait())
        await asyncio.wait([asked, ended], return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            asked.cancel()
            words = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            raise LookupError(f"the interview server does not start:\n{words}")
        ended.cancel()
        await asked


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
    await process.wait()
