"""What runs, asked of the processes themselves: health, models, memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import grpc
import httpx
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.cli.commands.models import list_models
from services.cli.launcher.run_file import RunningMesh, RunningServer
from services.runtime.channel import open_channel

_TIMEOUT_SECONDS = 3.0

SERVING = "serving"


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A server as it answers now.

    Attributes:
        name: The server.
        pid: Its process; None between two starts.
        address: Where its calls go; empty for Envoy, which listens at several.
        health: "serving", "not serving", or "no answer".
        model: Its default model; empty for servers without one.
        device: Where the model runs.
        memory_bytes: Resident memory of the process and its children.
        uptime_seconds: Since its last start; None when it does not run.
        ready_in: Seconds from its first start until it served; None if it has not yet.
        restarts: How often it was started again.
    """

    name: str
    pid: int | None
    address: str
    health: str
    model: str
    device: str
    memory_bytes: int
    uptime_seconds: float | None
    ready_in: float | None
    restarts: int

    def as_json(self) -> dict[str, object]:
        """The fields as JSON can say them."""
        return asdict(self)


async def survey(mesh: RunningMesh) -> list[Surveyed]:
    """Asks every server of a running mesh."""
    async with asyncio.TaskGroup() as asking:
        listing = asking.create_task(list_models(mesh.mesh, _TIMEOUT_SECONDS))
        checks = [asking.create_task(_health(server, mesh)) for server in mesh.servers]
    defaults = {
        name: next((model for model in answer if model.is_default), None)
        for name, answer in listing.result().items()
        if not isinstance(answer, grpc.aio.AioRpcError)
    }
    return [
        _surveyed(server, check.result(), defaults)
        for server, check in zip(mesh.servers, checks, strict=True)
    ]


def _surveyed(
    server: RunningServer, health: str, defaults: Mapping[str, serving_pb2.ModelInfo | None]
) -> Surveyed:
    model = defaults.get(server.name)
    port = server.ports.get("grpc")
    return Surveyed(
        name=server.name,
        pid=server.pid,
        address=f"localhost:{port}" if port else "",
        health=health,
        model=model.name if model else "",
        device=model.device if model else "",
        memory_bytes=memory_bytes(server.pid),
        uptime_seconds=None if server.pid is None else round(time.time() - server.started, 1),
        ready_in=None if server.ready_in is None else round(server.ready_in, 1),
        restarts=server.restarts,
    )


def memory_bytes(pid: int | None) -> int:
    """Resident memory of a process and its children; 0 when there is none."""
    if pid is None:
        return 0
    try:
        process = psutil.Process(pid)
        family: Sequence[psutil.Process] = [process, *process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family)
    except psutil.NoSuchProcess:
        return 0


async def _health(server: RunningServer, mesh: RunningMesh) -> str:
    if server.pid is None:
        return "no answer"
    if "grpc" not in server.ports:
        return await _envoy_health(mesh)
    async with open_channel(f"127.0.0.1:{server.ports['grpc']}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answers = [
                await stub.Check(
                    health_pb2.HealthCheckRequest(service=service), timeout=_TIMEOUT_SECONDS
                )
                for service in server.services
            ]
        except grpc.aio.AioRpcError:
            return "no answer"
    serving = health_pb2.HealthCheckResponse.SERVING
    return SERVING if all(answer.status == serving for answer in answers) else "not serving"


async def _envoy_health(mesh: RunningMesh) -> str:
    async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
        try:
            answer = await client.get(f"http://{mesh.admin}/ready")
        except httpx.TransportError:
            return "no answer"
    return SERVING if answer.status_code == httpx.codes.OK else "not serving"
