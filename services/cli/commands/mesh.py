"""`viva up`, `viva down`, `viva status`."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any

import grpc
import httpx
import psutil
import typer
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from services.cli.calls import AsJson, err, out, print_json, refuse, run, tell
from services.cli.commands.fetch import fetch_missing
from services.cli.commands.models import list_models
from services.cli.launcher import runfile
from services.cli.launcher.fetching import FetchFailed
from services.cli.launcher.health import check, check_envoy
from services.cli.launcher.mesh import Mesh, PortTaken, check_ports
from services.cli.launcher.plan import NoPort, Plan, data_dir, make_plan
from services.cli.launcher.process import StartFailed
from services.cli.launcher.runfile import AlreadyRunning, RunFile
from services.runtime.channel import open_channel

# Longer than the launcher itself needs: three groups, fifteen seconds each at most.
_DOWN_SECONDS = 60.0


def up(
    offset: Annotated[
        int, typer.Option(help="Added to every port: a second mesh beside the first.", min=0)
    ] = 0,
) -> None:
    """Run the whole mesh in the foreground until Ctrl-C."""
    try:
        fetch_missing()
        plan = make_plan(offset)
        with _held(plan):
            check_ports(plan)
            run(_up(plan))
    except AlreadyRunning:
        other = runfile.read(plan.data_dir)
        where = f" (process {other.pid}, mesh at {other.mesh})" if other else ""
        refuse(f"a mesh already runs on {plan.data_dir}{where}; `viva down` stops it")
    except (NoPort, PortTaken) as error:
        refuse(str(error))
    except (FetchFailed, StartFailed) as error:
        tell(str(error))
        raise typer.Exit(1) from None


@contextmanager
def _held(plan: Plan) -> Iterator[None]:
    """Holds the data folder, with the configuration in it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(runfile.lock(plan.data_dir))
            plan.write_configuration()
        except OSError as error:
            place = error.filename or plan.data_dir
            refuse(f"{place}: {error.strerror}; set VIVA_DATA_DIR to a folder of yours")
        yield


async def _up(plan: Plan) -> None:
    stop = asyncio.Event()
    progress = _Progress(plan)
    mesh = Mesh(plan, progress.note)

    def asked_to_stop() -> None:
        if stop.is_set():
            mesh.kill()
        else:
            err.print("[dim]stopping in order; once more to stop at once[/]")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked_to_stop)

    async def announce() -> None:
        table = await describe(mesh.run_file())
        progress.close()
        out.print(table)
        out.print(
            f"\n[bold green]ready to talk[/]  mesh {plan.mesh} (gRPC),"
            f" edge http://{plan.edge} (gRPC-Web, JSON)\n"
            f"[dim]logs in {plan.data_dir / 'logs'}; Ctrl-C stops everything[/]",
            soft_wrap=True,
        )

    with progress.live:
        await mesh.run(announce, stop)
    err.print("stopped")


class _Progress:
    """What is said while the mesh comes up, and when something changes later."""

    def __init__(self, plan: Plan) -> None:
        self._state = {program.name: "waiting" for program in plan.programs}
        self._began = time.monotonic()
        self.closed = False
        self.live = Live(self._table(), console=err, transient=True, refresh_per_second=8)

    def note(self, name: str, event: str) -> None:
        """Shows an event of a process."""
        if self.closed:
            err.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {name}: {event}")
            return
        self._state[name] = event
        if not err.is_terminal:
            err.print(f"{time.monotonic() - self._began:6.1f} s  {name}: {event}")
        self.live.update(self._table())

    def close(self) -> None:
        """Ends the live display; later events are lines."""
        self.live.stop()
        self.closed = True

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, state in self._state.items():
            mark = "[green]✓[/]" if state == "ready" else Spinner("dots")
            table.add_row(mark, name, state)
        return table


async def describe(file: RunFile) -> Table:
    """The one table: server, model, device, memory, ready in."""
    found = await list_models(file.mesh, 10)
    table = Table(box=None, pad_edge=False)
    for heading in ("server", "model", "device"):
        table.add_column(heading)
    table.add_column("memory", justify="right")
    table.add_column("ready in", justify="right")
    for entry in file.processes:
        model, device = _model(found.get(entry.name))
        status = entry.status
        ready_in = "" if status.ready_in is None else f"{status.ready_in:.1f} s"
        memory = _memory(status.pid)
        size = f"{memory / 2**20:,.0f} MB" if memory else ""
        table.add_row(f"[bold]{entry.name}[/]", model, device, size, ready_in)
    total = sum(_memory(entry.status.pid) for entry in file.processes)
    table.add_row("[dim]together[/]", "", "", f"[dim]{total / 2**20:,.0f} MB[/]", "")
    return table


def _model(answer: object) -> tuple[str, str]:
    if isinstance(answer, grpc.aio.AioRpcError) or not answer:
        return "", ""
    assert isinstance(answer, list)  # noqa: S101 - for the type checker
    return answer[0].name, answer[0].device


def _memory(pid: int | None) -> int:
    """Resident bytes of a process and its children; 0 when it does not run."""
    try:
        process = psutil.Process(pid) if pid is not None else None
        family = [process, *process.children(recursive=True)] if process else []
        return sum(member.memory_info().rss for member in family)
    except psutil.NoSuchProcess:
        return 0


def down() -> None:
    """Stop the running mesh in order."""
    folder = data_dir()
    file = runfile.read(folder)
    if file is None:
        err.print(f"no mesh runs on {folder}")
        return
    os.kill(file.pid, signal.SIGTERM)
    until = time.monotonic() + _DOWN_SECONDS
    with err.status("stopping …"):
        while runfile.running(folder):
            if time.monotonic() > until:
                tell(f"process {file.pid} does not stop; kill -9 {file.pid}")
                raise typer.Exit(1)
            time.sleep(0.1)
    err.print("stopped")


def status(as_json: AsJson = False) -> None:
    """Show what runs: process, health, model, device, memory."""
    folder = data_dir()
    file = runfile.read(folder)
    if file is None:
        if as_json:
            print_json({"running": False, "servers": []})
        else:
            err.print(f"no mesh runs on {folder}; `viva up` starts one")
        raise typer.Exit(3)
    servers = run(_servers(file))
    if as_json:
        print_json({"running": True, "mesh": file.mesh, "edge": file.edge, "servers": servers})
    else:
        _show(file, servers)
    if any(server["health"] != "SERVING" for server in servers):
        raise typer.Exit(1)


def _show(file: RunFile, servers: Sequence[Mapping[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("server", "health", "pid", "model", "device", "memory", "up", "restarts"):
        table.add_column(heading, justify="right" if heading in {"pid", "memory", "up"} else "left")
    for server in servers:
        good = server["health"] == "SERVING"
        table.add_row(
            f"[bold]{server['name']}[/]",
            f"[{'green' if good else 'red'}]{server['health'].lower().replace('_', ' ')}[/]",
            str(server["pid"] or ""),
            server["model"],
            server["device"],
            f"{server['memory_bytes'] / 2**20:,.0f} MB",
            _age(server["uptime_seconds"]),
            str(server["restarts"] or ""),
        )
    out.print(table)
    out.print(f"[dim]mesh {file.mesh}, edge http://{file.edge}[/]")


def _age(seconds: float) -> str:
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days:.0f} d {hours % 24:.0f} h"
    if hours:
        return f"{hours:.0f} h {minutes % 60:.0f} min"
    return f"{minutes:.0f} min {seconds % 60:.0f} s" if minutes else f"{seconds:.0f} s"


async def _servers(file: RunFile) -> list[dict[str, Any]]:
    found = await list_models(file.mesh, 10)
    servers = []
    for entry in file.processes:
        model, device = _model(found.get(entry.name))
        state = entry.status
        if entry.admin_port is not None:
            async with httpx.AsyncClient() as client:
                health = await check_envoy(client, entry.admin_port)
        else:
            async with open_channel(f"127.0.0.1:{entry.port}") as channel:
                health = await check(channel, entry.health_service or "")
        servers.append(
            {
                "name": entry.name,
                "pid": state.pid,
                "health": health,
                "model": model,
                "device": device,
                "memory_bytes": _memory(state.pid),
                "port": entry.port,
                "metrics_port": entry.metrics_port,
                "ready_in_seconds": state.ready_in,
                "uptime_seconds": time.time() - state.started if state.pid else 0.0,
                "restarts": state.restarts,
            }
        )
    return servers
