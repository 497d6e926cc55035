"""The servers of the mesh that runs on this machine, each for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from services.cli.launcher import runfile
from services.cli.launcher.plan import data_dir


@dataclass(frozen=True, slots=True)
class Server:
    """A server process on this machine.

    Attributes:
        port: Its gRPC port; its process is the one that listens there.
        metrics_port: Its Prometheus port.
    """

    port: int
    metrics_port: int

    @property
    def address(self) -> str:
        """Where it takes calls."""
        return f"localhost:{self.port}"

    @property
    def metrics(self) -> str:
        """Its Prometheus page."""
        return f"http://127.0.0.1:{self.metrics_port}/metrics"

    def process(self) -> psutil.Process:
        """The process that listens on the port.

        Raises:
            LookupError: Nobody does.
        """
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == self.port:
                return psutil.Process(connection.pid)
        raise LookupError(f"no server listens on port {self.port}")

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
        LookupError: None does, or its servers show no metrics.
    """
    running = runfile.read(data_dir())
    if running is None:
        raise LookupError("no mesh runs on this machine; `viva up` starts one")
    return {
        entry.name: Server(entry.port, entry.metrics_port)
        for entry in running.processes
        if entry.metrics_port is not None
    }
