"""Watches the health of every replica of every service and sums it up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from edge.envoy.settings import Endpoint
from services.runtime.channel import open_channel

OVERALL = ""
_RETRY_SECONDS = 0.5

Report = Callable[[str, bool], Awaitable[None]]
"""Called with a service's name, or OVERALL, and whether it can be called."""


class Observation:
    """What is known of the services' health. Nothing is asked of it: it reports."""

    def __init__(self, replicas: Mapping[str, Iterable[Endpoint]], report: Report) -> None:
        """Takes the replicas of each service, and whom to tell of every change."""
        self._replicas = {service: frozenset(group) for service, group in replicas.items()}
        self._report = report
        self._serving: dict[str, set[Endpoint]] = {service: set() for service in self._replicas}

    async def run(self) -> None:
        """Watches until it is cancelled."""
        for service in (*self._replicas, OVERALL):
            await self._report(service, self._is_serving(service))
        async with AsyncExitStack() as channels:
            stubs = {
                endpoint: health_pb2_grpc.HealthStub(
                    await channels.enter_async_context(open_channel(str(endpoint)))
                )
                for endpoint in frozenset().union(*self._replicas.values())
            }
            async with asyncio.TaskGroup() as watchers:
                for service, group in self._replicas.items():
                    for endpoint in group:
                        watchers.create_task(self._watch(service, endpoint, stubs[endpoint]))

    async def _watch(
        self, service: str, endpoint: Endpoint, stub: health_pb2_grpc.HealthStub
    ) -> None:
        while True:
            call = stub.Watch(health_pb2.HealthCheckRequest(service=service))
            try:
                async for answer in call:
                    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
                    await self._heard(service, endpoint, serving=serving)
                    if not serving:
                        # A server that stops waits for its running calls; this one lets go.
                        break
            except grpc.aio.AioRpcError:
                pass
            finally:
                call.cancel()
            await self._heard(service, endpoint, serving=False)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _heard(self, service: str, endpoint: Endpoint, *, serving: bool) -> None:
        before = self._is_serving(service), self._is_serving(OVERALL)
        if serving:
            self._serving[service].add(endpoint)
        else:
            self._serving[service].discard(endpoint)
        after = self._is_serving(service), self._is_serving(OVERALL)
        for name, was, now in zip((service, OVERALL), before, after, strict=True):
            if was != now:
                await self._report(name, now)

    def _is_serving(self, service: str) -> bool:
        if service == OVERALL:
            return all(self._serving.values())
        return bool(self._serving[service])
