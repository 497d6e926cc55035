"""Whether a process takes calls."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from edge.envoy.contracts import contracts
from edge.envoy.mesh_listener import REFLECTION_CLUSTER
from services.cli.launcher.plan import Program
from services.runtime.channel import open_channel

POLL_SECONDS = 0.2


async def ready(program: Program) -> None:
    """Waits until the program takes calls, however long that is."""
    if program.admin_port is not None:
        async with httpx.AsyncClient() as admin:
            while await check_envoy(admin, program.admin_port) != "SERVING":  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
        return
    async with open_channel(f"127.0.0.1:{program.port}") as channel:
        while await check(channel, program.health_service or "") != "SERVING":  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)


async def check(channel: grpc.aio.Channel, service: str, within: float = 2.0) -> str:
    """A service's health in a word: SERVING, NOT_SERVING, SERVICE_UNKNOWN or UNREACHABLE."""
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=service), timeout=within
        )
    except grpc.aio.AioRpcError as error:
        return "SERVICE_UNKNOWN" if error.code() is grpc.StatusCode.NOT_FOUND else "UNREACHABLE"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def check_envoy(client: httpx.AsyncClient, admin_port: int, within: float = 2.0) -> str:
    """Envoy's health in a word: SERVING once it has found every service of the contracts healthy.

    Its own checks run once a second: a server that just came up is not yet called.
    """
    try:
        answer = await client.get(
            f"http://127.0.0.1:{admin_port}/clusters", params={"format": "json"}, timeout=within
        )
    except httpx.TransportError:
        return "UNREACHABLE"
    return "SERVING" if all_healthy(answer.json(), _wanted_clusters()) else "NOT_SERVING"


@cache
def _wanted_clusters() -> frozenset[str]:
    return frozenset({contract.name for contract in contracts()} | {REFLECTION_CLUSTER})


def all_healthy(clusters: Mapping[str, Any], wanted: Collection[str]) -> bool:
    """Whether each wanted cluster has an endpoint Envoy would call, by Envoy's `/clusters`."""
    healthy = {
        cluster["name"]
        for cluster in clusters.get("cluster_statuses", ())
        for host in cluster.get("host_statuses", ())
        if _is_healthy(host["health_status"])
    }
    return healthy >= set(wanted)


def _is_healthy(status: Mapping[str, Any]) -> bool:
    # Every other entry is a reason not to be called, present while it holds.
    return not any(value for name, value in status.items() if name != "eds_health_status")
