"""Runs a launcher as a process on free ports, and asks about it as a user would."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from services.cli.launcher import control
from services.cli.launcher.overview import Entry
from tests.prepared_models import with_prepared_models
from tests.server_process import free_ports

ROOT = Path(__file__).resolve().parents[2]
VIVA = ("-m", "services.cli")
"""What Python runs."""
READY = "ready to talk"
"""What the last line of `viva up` says."""
SERVERS = ("embed", "asr", "tts", "llm", "interview", "gateway", "reflection")


def environment(data: Path) -> dict[str, str]:
    """A mesh of its own: its ports, and its data folder with the models that all tests share."""
    return {**unprepared(data), "VIVA_DATA_DIR": str(with_prepared_models(data))}


def unprepared(data: Path) -> dict[str, str]:
    """A mesh of its own: its ports, and its data folder, empty."""
    names = [f"VIVA_{name.upper()}_PORT" for name in SERVERS]
    names += [f"VIVA_{name.upper()}_METRICS_PORT" for name in SERVERS]
    names += ["VIVA_GATEWAY_JWKS_PORT", "VIVA_BRIDGE_PORT", "VIVA_BRIDGE_METRICS_PORT"]
    names += [f"VIVA_ENVOY_{name}_PORT" for name in ("MESH", "EDGE", "BRIDGE", "ADMIN")]
    ports = dict(zip(names, map(str, free_ports(len(names))), strict=True))
    return {
        **os.environ,
        **ports,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
        "VIVA_DATA_DIR": str(data),
        "COLUMNS": "100",
    }


def until_ready(launcher: subprocess.Popen[str]) -> str:
    """Reads what `viva up` prints until there is a mesh to talk to, or it ends; all it said."""
    assert launcher.stdout is not None
    said = ""
    for line in launcher.stdout:
        said += line
        if READY in line:
            break
    return said


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 60.0) -> None:
    """Waits for something another process does, which sends no event."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - no event comes
            await asyncio.sleep(0.05)


@dataclass
class Launcher:
    """A running `viva up`."""

    process: asyncio.subprocess.Process
    variables: dict[str, str]
    program: Sequence[str]
    said: str = ""

    async def viva(self, *arguments: str) -> tuple[int, str]:
        """Runs another command against the same mesh: exit status and everything it printed."""
        program = self.program if arguments[0] == "up" else VIVA
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *program,
            *arguments,
            env=self.variables,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def servers(self) -> dict[str, dict[str, Any]]:
        _, output = await self.viva("status", "--json")
        return {server["name"]: server for server in json.loads(output)["servers"]}

    async def replicas(self, server: str) -> list[Entry]:
        """The replicas of a server, as the launcher sees them; the newest last."""
        overview = await asyncio.to_thread(control.read, Path(self.variables["VIVA_DATA_DIR"]))
        return [entry for entry in overview.entries if entry.server == server]

    async def pids(self, server: str) -> list[int | None]:
        """Their processes."""
        return [entry.status.pid for entry in await self.replicas(server) if entry.status]

    async def until_replaced(self, server: str, before: Sequence[int | None]) -> None:
        """Waits until other processes than those before serve."""

        async def so() -> bool:
            now = await self.replicas(server)
            return len(now) == len(before) and all(
                one.health == "SERVING" and one.status and one.status.pid not in {None, *before}
                for one in now
            )

        await until(so)

    async def read_until(self, text: str, *, seconds: float = 60.0) -> None:
        """Reads what the launcher prints until it has said `text`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            while text not in self.said:
                line = await self.process.stdout.readline()
                assert line, f"the launcher ended without {text!r}: {self.said}"
                self.said += line.decode()

    async def end(self) -> int:
        """Reads the rest and waits for its end."""
        assert self.process.stdout is not None
        self.said += (await self.process.stdout.read()).decode()
        return await self.process.wait()

    def read_stops(self) -> list[str]:
        """The stand-ins that were stopped, in order."""
        return (Path(self.variables["VIVA_DATA_DIR"]) / "stops").read_text().split()

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@asynccontextmanager
async def launched(
    variables: dict[str, str],
    program: Sequence[str] = VIVA,
    options: Sequence[str] = (),
    output: int = asyncio.subprocess.PIPE,
) -> AsyncIterator[Launcher]:
    """Runs `viva up`; at the end nothing of it is left, whatever happened.

    Args:
        variables: Its environment.
        program: What Python runs.
        options: Of `viva up`.
        output: Where it says what it says; the tests that read it leave it a pipe.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *program,
        "up",
        *options,
        env=variables,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
    )
    family: list[psutil.Process] = []
    try:
        yield Launcher(process, variables, program)
    finally:
        if process.returncode is None:
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGKILL)
        await process.communicate()
        for member in family:
            if member.is_running():
                member.kill()


async def all_gone(family: Sequence[psutil.Process]) -> bool:
    return not any(
        member.is_running() and member.status() != psutil.STATUS_ZOMBIE for member in family
    )
