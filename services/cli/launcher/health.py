"""Whether a child serves, told as it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import httpx

from edge.envoy.contracts import contracts
from edge.envoy.mesh_listener import REFLECTION_CLUSTER
from edge.envoy.settings import Endpoint, EnvoySettings
from edge.reflection.observation import OVERALL, Observation
from services.cli.launcher.plan import ServerPlan

# Envoy has no health to watch, only to ask for: often until it is ready, then now and again.
_STARTING_POLL_SECONDS = 0.25
_POLL_SECONDS = 2.0

Told = Callable[[bool], None]


async def watch_server(plan: ServerPlan, told: Told) -> None:
    """Tells whether every service of a server says SERVING, until it is cancelled."""
    endpoint = Endpoint.parse(plan.address)

    async def report(service: str, serving: bool) -> None:  # noqa: FBT001 - the callback's shape
        if service == OVERALL:
            told(serving)

    await Observation({service: [endpoint] for service in plan.services}, report).run()


async def watch_envoy(settings: EnvoySettings, told: Told) -> None:
    """Tells whether Envoy takes calls and sees every service healthy, until it is cancelled."""
    wanted = {contract.name for contract in contracts()} | {REFLECTION_CLUSTER}
    async with httpx.AsyncClient(
        base_url=f"http://{settings.admin_host}:{settings.admin_port}", timeout=5
    ) as admin:
        while True:
            ready = await _envoy_is_ready(admin, wanted)
            told(ready)
            await asyncio.sleep(_POLL_SECONDS if ready else _STARTING_POLL_SECONDS)


async def _envoy_is_ready(admin: httpx.AsyncClient, wanted: Iterable[str]) -> bool:
    try:
        if (await admin.get("/ready")).status_code != httpx.codes.OK:
            return False
        answer = await admin.get("/clusters", params={"format": "json"})
    except httpx.TransportError:
        return False
    return all_healthy(answer.json(), wanted)


def all_healthy(clusters: Mapping[str, Any], wanted: Iterable[str]) -> bool:
    """Whether each of the clusters has an endpoint Envoy would call, by Envoy's `/clusters`."""
    healthy = {
        cluster["name"]
        for cluster in clusters.get("cluster_statuses", ())
        for host in cluster.get("host_statuses", ())
        if _is_healthy(host["health_status"])
    }
    return healthy >= set(wanted)


def _is_healthy(status: Mapping[str, Any]) -> bool:
    # Every other entry is a reason not to be called, present when it holds.
    return not any(value for name, value in status.items() if name != "eds_health_status")
