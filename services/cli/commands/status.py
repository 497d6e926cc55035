"""`viva status`, and the table with which `viva up` ends its start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from services.cli.calls import AsJson, as_called, err, out, print_json, refuse, run, tell
from services.cli.commands.models import Models, list_models
from services.cli.launcher import control
from services.cli.launcher.control import NoAnswer
from services.cli.launcher.data_folder import data_dir
from services.cli.launcher.lock import holder, left_behind
from services.cli.launcher.overview import Overview

_MODELS_SECONDS = 10.0
_METRICS_SECONDS = 2.0
# docs/metrics.md
_WAITING = "viva_interview_sessions_waiting"
_PIPE_COLUMNS = 1000
_NUMBERS = frozenset({"port", "pid", "memory", "ready in", "up"})


@contextmanager
def rights(folder: Path) -> Iterator[None]:
    """Says in a line when whose the mesh on the data folder is keeps it from being asked."""
    try:
        yield
    except PermissionError as error:
        place = error.filename or folder
        tell(f"{place}: the mesh there is another user's; ask them, or set VIVA_DATA_DIR")
        raise typer.Exit(1) from None
    except NotADirectoryError:
        refuse(f"{folder}: not a folder; set VIVA_DATA_DIR to a folder of yours")
    except TimeoutError as error:
        tell(f"{error.filename}: {error.strerror}; try again")
        raise typer.Exit(1) from None


def mesh_on(folder: Path) -> int | None:
    """The process that runs a mesh on the data folder; None when none does.

    Raises:
        OSError: As `holder` does; for `rights` to tell.
        typer.Exit: One runs whose data folder this was; it is named.
    """
    pid = holder(folder)
    if pid is None and (left := left_behind(folder)) is not None:
        tell(
            f"process {left} runs a mesh whose data folder {folder} is gone, or another lies in its"
            f" place; mount its disk again, or `kill {left}` stops it"
        )
        raise typer.Exit(1)
    return pid


def status(as_json: AsJson = False) -> None:
    """Show what runs: process, health, model, device, memory."""
    folder = data_dir()
    with rights(folder):
        pid = mesh_on(folder)
        if pid is None:
            if as_json:
                print_json({"running": False, "servers": []})
            else:
                err.print(as_called(f"no mesh runs on {folder}; `viva up` starts one"))
            raise typer.Exit(3)
        try:
            overview = control.read(folder)
        except NoAnswer:
            tell(f"process {pid} does not answer; if that lasts, kill -9 {pid}")
            raise typer.Exit(1) from None
    servers = run(_servers(overview))
    waiting = run(_waiting(overview))
    if as_json:
        print_json(
            {
                "running": True,
                "mesh": overview.mesh,
                "edge": overview.edge,
                "servers": servers,
                "interviews_waiting": waiting,
            }
        )
    else:
        _show(overview, servers)
        if waiting:
            out.print(
                f"[red]interviews wait:[/] {waiting} cannot be stored now; see the database, its"
                f" disk, and {escape(str(folder / 'logs' / 'interview.log'))}",
                soft_wrap=True,
            )
    if waiting or any(server["health"] != "SERVING" for server in servers):
        raise typer.Exit(1)


async def describe(overview: Overview) -> Table:
    """The one table of a start: server, model, device, memory, ready in."""
    servers = await _servers(overview)
    table = _table("server", "port", "model", "device", "memory", "ready in")
    for server in servers:
        ready_in = server["ready_in_seconds"]
        table.add_row(
            f"[bold]{server['name']}[/]",
            _port(server),
            server["model"],
            server["device"],
            _size(server["memory_bytes"]),
            "" if ready_in is None else f"{ready_in:.1f} s",
        )
    total = sum(server["memory_bytes"] for server in servers)
    table.add_row("[dim]together[/]", "", "", "", f"[dim]{_size(total)}[/]", "")
    return table


def _show(overview: Overview, servers: Sequence[Mapping[str, Any]]) -> None:
    table = _table("server", "health", "port", "pid", "model", "device", "memory", "up", "restarts")
    for server in servers:
        good = server["health"] == "SERVING"
        word = server["health"].lower().replace("_", " ")
        table.add_row(
            f"[bold]{server['name']}[/]",
            f"[{'green' if good else 'red'}]{word}[/]" + ("" if server["called"] else ", no calls"),
            _port(server),
            str(server["pid"] or ""),
            server["model"],
            server["device"],
            _size(server["memory_bytes"]),
            _age(server["uptime_seconds"]) if server["pid"] else "",
            str(server["restarts"] or ""),
        )
    for column in table.columns[:2]:
        # Who is well and who is not can be read in any width.
        column.min_width = max(Text.from_markup(str(cell)).cell_len for cell in column.cells)
    # A pipe has no width.
    console = out if out.is_terminal else Console(highlight=False, width=_PIPE_COLUMNS)
    console.print(table)
    for entry in overview.entries:
        if entry.lacks:
            out.print(f"[red]{entry.name}:[/] {escape(entry.lacks)}", soft_wrap=True)
    edge = f", edge {overview.edge}" if overview.edge else ""
    out.print(f"[dim]mesh {overview.mesh}{edge}[/]")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(
            heading,
            justify="right" if heading in _NUMBERS else "left",
            no_wrap=True,
        )
    return table


def _port(server: Mapping[str, Any]) -> str:
    """The port of a server here, the whole address of one elsewhere."""
    address = str(server["address"])
    if address.startswith("/"):
        return "socket"
    return address.rpartition(":")[2] if server["here"] else address


def _size(count: int) -> str:
    return f"{count / 2**20:,.0f} MB" if count else ""


def _age(seconds: float) -> str:
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days:.0f}d{hours % 24:.0f}h"
    if hours:
        return f"{hours:.0f}h{minutes % 60:.0f}m"
    return f"{minutes:.0f}m{seconds % 60:.0f}s" if minutes else f"{seconds:.0f}s"


async def _servers(overview: Overview) -> list[dict[str, Any]]:
    found = await list_models(overview.mesh, _MODELS_SECONDS)
    servers = []
    for entry in overview.entries:
        model, device = _model(found.get(entry.server))
        state = entry.status
        pid = state.pid if state else None
        servers.append(
            {
                "name": entry.name,
                "server": entry.server,
                "here": state is not None,
                "address": entry.address,
                "metrics": entry.metrics,
                "pid": pid,
                "health": entry.health,
                "lacks": entry.lacks,
                "called": state.called if state else True,
                "model": model,
                "device": device,
                "memory_bytes": _memory(pid),
                "ready_in_seconds": state.ready_in if state else None,
                "uptime_seconds": time.time() - state.started if state and pid else 0.0,
                "restarts": state.restarts if state else 0,
            }
        )
    return servers


async def _waiting(overview: Overview) -> int:
    """How many interviews wait until they can be stored, as their servers here count them."""
    pages = [e.metrics for e in overview.entries if e.server == "interview" and e.metrics]
    async with httpx.AsyncClient(timeout=_METRICS_SECONDS) as client:

        async def asked(page: str) -> float:
            try:
                answer = await client.get(f"http://{page}/metrics")
            except httpx.HTTPError:  # Its health tells.
                return 0
            counts = (line.partition(" ") for line in answer.text.splitlines())
            return sum(float(count) for name, _, count in counts if name == _WAITING)

        return round(sum(await asyncio.gather(*map(asked, pages))))


def _model(answer: Models | grpc.aio.AioRpcError | None) -> tuple[str, str]:
    if isinstance(answer, grpc.aio.AioRpcError) or not answer:
        return "", ""
    return answer[0].name, answer[0].device


def _memory(pid: int | None) -> int:
    """Resident bytes of a process and its children; 0 when it does not run."""
    try:
        process = psutil.Process(pid) if pid is not None else None
        family = [process, *process.children(recursive=True)] if process else []
        return sum(member.memory_info().rss for member in family)
    except psutil.NoSuchProcess:
        return 0
