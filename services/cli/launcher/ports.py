"""Whether ports are free, and who has them when they are not."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from services.cli.launcher.plan import MeshPlan


@dataclass(frozen=True, slots=True)
class TakenPort:
    """A port somebody else listens on.

    Attributes:
        port: The port.
        wanted_for: Who wants it, "asr grpc".
        owner: Who has it, "pid 4711 (nginx)"; "another process" when that cannot be seen.
    """

    port: int
    wanted_for: str
    owner: str


def taken_ports(plan: MeshPlan) -> list[TakenPort]:
    """The ports of the plan that cannot be listened on."""
    wanted = {
        port: f"{server.name} {purpose}"
        for server in plan.servers
        for purpose, port in server.ports.items()
        if port
    }
    taken = [port for port in wanted if not _is_free(port)]
    owners = _owners(taken) if taken else {}
    return [TakenPort(port, wanted[port], owners.get(port, "another process")) for port in taken]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a connection that lingers after its end is no owner.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _owners(ports: Iterable[int]) -> dict[int, str]:
    wanted = set(ports)
    found: dict[int, str] = {}
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return found
    for connection in connections:
        local = connection.laddr
        if connection.status != psutil.CONN_LISTEN or not local or local.port not in wanted:
            continue
        if connection.pid is not None:
            found[local.port] = f"pid {connection.pid} ({_command(connection.pid)})"
    return found


def _command(pid: int) -> str:
    try:
        line = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return "unknown"
    return line if len(line) <= 60 else f"{line[:57]}..."
