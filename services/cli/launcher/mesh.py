"""All processes of the mesh: up together, watched, down in order."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

import psutil

from services.cli.launcher.logfile import LogFile
from services.cli.launcher.plan import STOP_ORDER, Plan
from services.cli.launcher.process import StartFailed, Supervised
from services.cli.launcher.runfile import Entry, RunFile


class PortTaken(Exception):
    """Ports of the plan are in use; the message names each and by whom."""


def check_ports(plan: Plan) -> None:
    """Checks that every port of the plan is free.

    Raises:
        PortTaken: Some are not.
    """
    listening = {
        connection.laddr.port: connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    }
    taken = [
        f"port {port} ({name}) is used by {_owner(listening[port])}"
        for port, name in plan.ports.items()
        if port in listening
    ]
    if taken:
        taken[-1] += "; stop it, or `viva up --offset N` to move all ports"
        raise PortTaken("\n".join(taken))


def _owner(pid: int | None) -> str:
    try:
        return f"process {pid} ({psutil.Process(pid).name()})" if pid else "another process"
    except psutil.NoSuchProcess:  # it has just ended
        return f"process {pid}"


class Mesh:
    """The running mesh."""

    def __init__(self, plan: Plan, changed: Callable[[str, str], None]) -> None:
        """Takes what to run and whom to tell `(name, event)` when something changes."""
        self.plan = plan
        self._tell = changed
        self._started = time.time()
        logs = plan.data_dir / "logs"
        self.processes = {
            program.name: Supervised(program, LogFile(logs / f"{program.name}.log"), self._note)
            for program in plan.programs
        }

    async def run(self, ready: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        """Runs everything until `stop` is set, then stops it in order.

        Args:
            ready: Called once everything is ready.
            stop: Ends the run.

        Raises:
            StartFailed: A process does not come up; the others are stopped first.
        """
        failures: list[StartFailed] = []
        try:
            async with asyncio.TaskGroup() as tasks:
                for process in self.processes.values():
                    tasks.create_task(process.run(), name=process.program.name)
                waiting = tasks.create_task(self._announce(ready))
                await stop.wait()
                waiting.cancel()
                await self._stop()
        except* StartFailed as group:
            failures = [error for error in group.exceptions if isinstance(error, StartFailed)]
        finally:
            await self._stop()
            for process in self.processes.values():
                process.log.close()
        if failures:
            raise failures[0]

    async def _announce(self, ready: Callable[[], Awaitable[None]]) -> None:
        for process in self.processes.values():
            await process.ready.wait()
        await ready()

    async def _stop(self) -> None:
        for group in STOP_ORDER:
            await asyncio.gather(*(self.processes[name].stop() for name in group))

    def kill(self) -> None:
        """Ends everything at once."""
        for process in self.processes.values():
            process.kill()

    def _note(self, name: str, event: str) -> None:
        self.run_file().write(self.plan.data_dir)
        self._tell(name, event)

    def run_file(self) -> RunFile:
        """What runs now."""
        entries = [
            Entry(
                name=name,
                port=process.program.port,
                metrics_port=process.program.metrics_port,
                health_service=process.program.health_service,
                admin_port=process.program.admin_port,
                status=process.status,
            )
            for name, process in self.processes.items()
        ]
        return RunFile(os.getpid(), self._started, self.plan.mesh, self.plan.edge, tuple(entries))
