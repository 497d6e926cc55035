"""The reflection server's life."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_health.v1.health import SERVICE_NAME

from edge.envoy.contracts import REFLECTION_SERVICES, contracts
from edge.envoy.settings import EnvoySettings
from edge.reflection.observation import OVERALL, Observation
from edge.reflection.replicas import Whereabouts
from edge.reflection.settings import ReflectionSettings
from services.runtime import logs
from services.runtime.errors import ResourceMissing
from services.runtime.exit_statuses import EXIT_RESOURCE_MISSING
from services.runtime.listening import listen
from services.runtime.reflection import add_reflection
from services.runtime.server import new_server, stop
from services.runtime.settings import load

_logger = logging.getLogger(__name__)

_STATUS = health_pb2.HealthCheckResponse


@asynccontextmanager
async def serving(settings: ReflectionSettings, mesh: EnvoySettings) -> AsyncIterator[int]:
    """Serves reflection and health until the scope ends; yields the port."""
    services = contracts()
    draining = asyncio.Event()
    server, calls = new_server(settings, draining)
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    add_reflection([*(contract.name for contract in services), SERVICE_NAME], server)
    port = listen(server, settings.host, settings.port, allow_insecure=settings.allow_insecure)

    async def report(service: str, serving: bool) -> None:  # noqa: FBT001 - the callback's shape
        await health.set(service, _STATUS.SERVING if serving else _STATUS.NOT_SERVING)
        if service == OVERALL:
            event = "all servers serve" if serving else "waiting for the other servers"
            logs.log(_logger, logging.INFO, event)

    places = Whereabouts(services, mesh)
    names = [contract.name for contract in services]
    observation = Observation(names, places.wanted, places.now, report)
    for name in REFLECTION_SERVICES:
        await health.set(name, _STATUS.SERVING)
    async with asyncio.TaskGroup() as tasks:
        await server.start()
        logs.log(_logger, logging.INFO, "serving", name="reflection", port=port)
        observing = tasks.create_task(observation.run())
        try:
            yield port
        finally:
            observing.cancel()
            await health.enter_graceful_shutdown()
            await stop(server, calls, draining, settings.drain_seconds)


async def _serve_until_signal(settings: ReflectionSettings, mesh: EnvoySettings) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings, mesh):
        await stop.wait()


def main() -> None:
    """Runs the server as this process until SIGTERM or SIGINT."""
    try:
        settings = load(ReflectionSettings)
        mesh = load(EnvoySettings)
        logs.configure("reflection", settings.log_level)
        asyncio.run(_serve_until_signal(settings, mesh))
    except ResourceMissing as error:
        sys.stderr.write(f"viva reflection: {error}\n")
        raise SystemExit(EXIT_RESOURCE_MISSING) from None
