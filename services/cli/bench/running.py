"""The servers of the mesh that runs on this machine, each for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from services.cli.launcher import control
from services.cli.launcher.control import NoAnswer
from services.cli.launcher.data_folder import data_dir
from services.cli.launcher.lock import holder


class NoMesh(LookupError):
    """No mesh of this machine can be measured."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server process on this machine.

    Attributes:
        address: Where it takes calls; its process is the one that listens there.
        metrics: Its Prometheus page.
    """

    address: str
    metrics: str

    def process(self) -> psutil.Process:
        """The process that listens on the port.

        Raises:
            LookupError: Nobody does.
        """
        port = int(self.address.rpartition(":")[2])
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == port:
                return psutil.Process(connection.pid)
        raise LookupError(f"no server listens on port {port}")

    async def gauges(self) -> Mapping[str, float]:
        """Live tasks, running calls, and bytes that caches hold."""
        async with httpx.AsyncClient() as client:
            page = await client.get(self.metrics)
        found = {"viva_tasks": 0.0, "viva_rpc_running": 0.0, "viva_cache_bytes": 0.0}
        for family in text_string_to_metric_families(page.text):
            if family.name in found:
                found[family.name] = sum(sample.value for sample in family.samples)
        return found


def running_servers() -> Mapping[str, Server]:
    """The servers of the mesh that runs here.

    Raises:
        NoMesh: None does, or it does not answer.
    """
    folder = data_dir()
    try:
        if holder(folder) is None:
            raise NoMesh("no mesh runs on this machine; `viva up` starts one")
        entries = control.read(folder).entries
    except (NoAnswer, TimeoutError):
        raise NoMesh("the mesh on this machine does not answer") from None
    return {
        entry.name: Server(entry.address, f"http://{entry.metrics}/metrics")
        for entry in entries
        if entry.metrics is not None
    }
