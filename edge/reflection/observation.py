"""Watches the health of every replica of every service and sums it up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from edge.envoy.settings import Endpoint
from services.runtime.channel import open_channel

OVERALL = ""
_RETRY_SECONDS = 0.5
_LOOK_SECONDS = 1.0

Report = Callable[[str, bool], Awaitable[None]]
"""Called with a service's name, or OVERALL, and whether it can be called."""

Replicas = Callable[[], Awaitable[Mapping[str, Collection[Endpoint]]]]
"""Tells the replicas that each service has now; a service without any is no part of OVERALL."""


class Observation:
    """What is known of the services' health. Nothing is asked of it: it reports."""

    def __init__(self, services: Collection[str], replicas: Replicas, report: Report) -> None:
        """Takes the services, who knows their replicas, and whom to tell of every change."""
        self._replicas = replicas
        self._report = report
        self._wanted: set[str] = set()
        self._serving: dict[str, set[Endpoint]] = {service: set() for service in services}
        self._told: dict[str, bool] = {}

    async def run(self) -> None:
        """Watches until it is cancelled; replicas may come and go."""
        watching: dict[tuple[str, Endpoint], asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as watchers:
            while True:
                replicas = await self._replicas()
                self._wanted = {service for service, group in replicas.items() if group}
                pairs = {(service, one) for service, group in replicas.items() for one in group}
                for gone in watching.keys() - pairs:
                    watching.pop(gone).cancel()
                    self._serving[gone[0]].discard(gone[1])
                for new in pairs - watching.keys():
                    watching[new] = watchers.create_task(self._watch(*new))
                await self._tell()
                await asyncio.sleep(_LOOK_SECONDS)

    async def _watch(self, service: str, endpoint: Endpoint) -> None:
        async with open_channel(str(endpoint)) as channel:
            while True:
                with suppress(grpc.aio.AioRpcError):
                    await self._listen(service, endpoint, health_pb2_grpc.HealthStub(channel))
                await self._heard(service, endpoint, serving=False)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _listen(
        self, service: str, endpoint: Endpoint, stub: health_pb2_grpc.HealthStub
    ) -> None:
        call = stub.Watch(health_pb2.HealthCheckRequest(service=service))
        try:
            async for answer in call:
                serving = answer.status == health_pb2.HealthCheckResponse.SERVING
                await self._heard(service, endpoint, serving=serving)
                if not serving:
                    # A server that stops waits for its running calls; this one lets go.
                    return
        finally:
            call.cancel()

    async def _heard(self, service: str, endpoint: Endpoint, *, serving: bool) -> None:
        if serving:
            self._serving[service].add(endpoint)
        else:
            self._serving[service].discard(endpoint)
        await self._tell()

    async def _tell(self) -> None:
        now = {service: bool(serving) for service, serving in self._serving.items()}
        now[OVERALL] = all(now[service] for service in self._wanted)
        changed = {name: state for name, state in now.items() if self._told.get(name) != state}
        self._told = now
        for name, state in changed.items():
            await self._report(name, state)
