"""Whether a process takes calls, and whether it answers at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from edge.envoy.settings import Endpoint
from services.cli.launcher.programs import Program
from services.runtime.channel import open_channel

POLL_SECONDS = 0.2
# Of so many checks in a row each must fail before a server counts as hung: one may be unlucky.
_LIVENESS_CHECKS = 3

Clusters = Mapping[str, Any]
"""Envoy's `/clusters?format=json`."""


async def ready(program: Program) -> None:
    """Waits until the program takes calls, however long that is."""
    await _until(program, {"SERVING"})


async def started(program: Program) -> None:
    """Waits until the program is there, whether or not it takes calls: what it needs may not be."""
    await _until(program, {"SERVING", "NOT_SERVING"})


async def _until(program: Program, wanted: Collection[str]) -> None:
    async with _health_of(program) as ask:
        while await ask(2.0) not in wanted:  # noqa: ASYNC110 - no event comes
            await asyncio.sleep(POLL_SECONDS)


async def hung(program: Program, seconds: float) -> None:
    """Waits until the program has left checks of its health unanswered for `seconds`.

    What it answers does not matter: a server that says NOT_SERVING is alive.
    """
    interval = seconds / _LIVENESS_CHECKS
    clock = asyncio.get_running_loop().time
    async with _health_of(program) as ask:
        missed = 0
        while missed < _LIVENESS_CHECKS:
            began = clock()
            missed = missed + 1 if await ask(interval) == "UNREACHABLE" else 0
            await asyncio.sleep(began + interval - clock())


async def health(program: Program) -> str:
    """A program's health in a word: SERVING, NOT_SERVING, SERVICE_UNKNOWN or UNREACHABLE."""
    async with _health_of(program) as ask:
        return await ask(2.0)


@asynccontextmanager
async def _health_of(program: Program) -> AsyncIterator[Callable[[float], Awaitable[str]]]:
    """Asks for a program's health in a word, within so many seconds."""
    if program.socket:
        # What speaks to a database is installed where one runs.
        from services.runtime.postgres import database

        server = database.Server(None, Path(program.endpoint.host))
        yield lambda within: database.health(server, within)
    elif program.admin_port is not None:
        admin = Endpoint(program.endpoint.host, program.admin_port)
        async with httpx.AsyncClient() as client:
            yield lambda within: _check_http(client, f"http://{admin}/ready", within)
    elif program.health_path is not None:
        page = f"http://{program.endpoint}{program.health_path}"
        async with httpx.AsyncClient() as client:
            yield lambda within: _check_http(client, page, within)
    else:
        async with open_channel(str(program.endpoint)) as channel:
            yield lambda within: _check(channel, program.health_service or "", within)


async def _check(channel: grpc.aio.Channel, service: str, within: float) -> str:
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=service), timeout=within
        )
    except grpc.aio.AioRpcError as error:
        return "SERVICE_UNKNOWN" if error.code() is grpc.StatusCode.NOT_FOUND else "UNREACHABLE"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def _check_http(client: httpx.AsyncClient, page: str, within: float) -> str:
    try:
        answer = await client.get(page, timeout=within)
    except httpx.TransportError:
        return "UNREACHABLE"
    return "SERVING" if answer.is_success else "NOT_SERVING"


async def clusters(client: httpx.AsyncClient, admin: Endpoint, within: float = 2.0) -> Clusters:
    """What Envoy knows of its clusters; empty when it does not answer."""
    try:
        answer = await client.get(
            f"http://{admin}/clusters", params={"format": "json"}, timeout=within
        )
        answer.raise_for_status()
        found = answer.json()
    except (httpx.HTTPError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def healthy_endpoints(known: Clusters) -> Mapping[str, Collection[Endpoint]]:
    """The endpoints that Envoy would call, by cluster."""
    return _endpoints(known, _is_healthy)


def all_endpoints(known: Clusters) -> Mapping[str, Collection[Endpoint]]:
    """The endpoints that Envoy has heard of, by cluster."""
    return _endpoints(known, lambda _: True)


def _endpoints(
    known: Clusters, wanted: Callable[[Mapping[str, Any]], bool]
) -> Mapping[str, Collection[Endpoint]]:
    return {
        cluster["name"]: {
            Endpoint(address["address"], address["port_value"])
            for host in cluster.get("host_statuses", ())
            if (address := host["address"].get("socket_address")) and wanted(host["health_status"])
        }
        for cluster in known.get("cluster_statuses", ())
    }


def _is_healthy(status: Mapping[str, Any]) -> bool:
    # Every other entry is a reason not to be called, present while it holds.
    return not any(value for name, value in status.items() if name != "eds_health_status")
