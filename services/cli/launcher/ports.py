"""Are the plan's ports free, and if not, who has them?"""

from __future__ import annotations

import psutil

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
        taken[-1] += "; stop it, or `viva up --offset N` to move all ports"
        raise PortTaken("\n".join(taken))


def _owner(pid: int | None) -> str:
    try:
        return f"process {pid} ({psutil.Process(pid).name()})" if pid else "another process"
    except psutil.NoSuchProcess:  # it has just ended
        return f"process {pid}"
