"""What `viva up` and `viva status` show."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from services.cli.launcher.mesh import Mesh
from services.cli.launcher.process import State
from services.cli.launcher.survey import SERVING, Surveyed

_MIB = 2**20

_STYLES = {
    State.STARTING: "yellow",
    State.SERVING: "green",
    State.NOT_SERVING: "yellow",
    State.WAITING: "red",
    State.STOPPED: "dim",
}


def progress(mesh: Mesh, seconds: float) -> Table:
    """Who serves already, after `seconds` of waiting."""
    table = Table.grid(padding=(0, 2))
    for child in mesh.children:
        ready = f"{child.ready_in:.1f} s" if child.ready_in is not None else ""
        table.add_row(child.plan.name, Text(child.state, style=_STYLES[child.state]), ready)
    table.add_row("", Text(f"{seconds:.0f} s", style="dim"), "")
    return table


def summary(servers: Iterable[Surveyed]) -> Table:
    """One row a server, once all of them serve."""
    table = Table("server", "model", "device", box=None, pad_edge=False)
    table.add_column("memory", justify="right")
    table.add_column("ready in", justify="right")
    total = 0
    for server in servers:
        total += server.memory_bytes
        ready = "" if server.ready_in is None else f"{server.ready_in:.1f} s"
        table.add_row(
            server.name, server.model, server.device, _megabytes(server.memory_bytes), ready
        )
    table.add_row("[dim]together[/]", "", "", _megabytes(total), "")
    return table


def status(servers: Iterable[Surveyed]) -> Table:
    """One row a server, whatever its state."""
    table = Table("server", "pid", "health", "model", "device", box=None, pad_edge=False)
    for heading in ("memory", "up", "restarts"):
        table.add_column(heading, justify="right")
    for server in servers:
        table.add_row(
            server.name,
            str(server.pid or ""),
            Text(server.health, style="green" if server.health == SERVING else "red"),
            server.model,
            server.device,
            _megabytes(server.memory_bytes),
            "" if server.uptime_seconds is None else duration(server.uptime_seconds),
            str(server.restarts),
        )
    return table


def duration(seconds: float) -> str:
    """A length of time in its two largest units."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _megabytes(count: int) -> str:
    return f"{count / _MIB:,.0f} MB" if count else ""
