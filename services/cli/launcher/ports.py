"""Are the plan's ports free, and if not, who has them?"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import psutil

from services.cli.launcher.lock import launchers
from services.cli.launcher.plan import Plan


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
        meshes = _meshes({listening[port] for port in plan.ports if port in listening})
        taken[-1] += f"; stop it{meshes}, or `viva up --offset N` to move all ports"
        raise PortTaken("\n".join(taken))


def _owner(pid: int | None) -> str:
    try:
        return f"process {pid} ({psutil.Process(pid).name()})" if pid else "another process"
    except psutil.NoSuchProcess:  # it has just ended
        return f"process {pid}"


def _meshes(pids: Collection[int | None]) -> str:
    """What stops the meshes that processes belong to."""
    running = launchers()
    found: dict[int, Path] = {}
    for pid in pids:
        with suppress(psutil.Error):
            family = psutil.Process(pid).parents() if pid else []
            found |= {one.pid: running[one.pid] for one in family if one.pid in running}
    return "".join(f" (`kill {pid}` stops the mesh on {folder})" for pid, folder in found.items())
