"""The reflection server's life."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

from edge.envoy.contracts import REFLECTION_SERVICES, contracts
from edge.envoy.settings import EnvoySettings
from edge.reflection.observation import Observation
from edge.reflection.replicas import replicas
from edge.reflection.settings import ReflectionSettings
from services.runtime import logs
from services.runtime.errors import ResourceMissing
from services.runtime.server import EXIT_RESOURCE_MISSING, server_options
from services.runtime.settings import load

_logger = logging.getLogger(__name__)

_STATUS = health_pb2.HealthCheckResponse


@asynccontextmanager
async def serving(settings: ReflectionSettings, mesh: EnvoySettings) -> AsyncIterator[int]:
    """Serves reflection and health until the scope ends; yields the port."""
    services = contracts()
    server = grpc.aio.server(options=server_options(settings))
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    _add_reflection([contract.name for contract in services], server)
    port = _listen(server, f"{settings.host}:{settings.port}")

    async def report(service: str, serving: bool) -> None:  # noqa: FBT001 - the callback's shape
        await health.set(service, _STATUS.SERVING if serving else _STATUS.NOT_SERVING)

    observation = Observation(
        [contract.name for contract in services], partial(replicas, services, mesh), report
    )
    for name in REFLECTION_SERVICES:
        await health.set(name, _STATUS.SERVING)
    async with asyncio.TaskGroup() as tasks:
        observing = tasks.create_task(observation.run())
        await server.start()
        logs.log(_logger, logging.INFO, "serving", name="reflection", port=port)
        try:
            yield port
        finally:
            observing.cancel()
            await health.enter_graceful_shutdown()
            await server.stop(settings.grace_seconds)


def _listen(server: grpc.aio.Server, address: str) -> int:
    try:
        return server.add_insecure_port(address)
    except RuntimeError:
        raise ResourceMissing(
            f"{address} cannot be listened on",
            "stop what uses it or set another VIVA_REFLECTION_PORT",
        ) from None


def _add_reflection(names: list[str], server: grpc.aio.Server) -> None:
    """Answers both versions of the reflection protocol, which are the same on the wire."""
    listed = [*names, *REFLECTION_SERVICES]
    reflection.enable_server_reflection(listed, server)
    servicer = ReflectionServicer(listed)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                "grpc.reflection.v1.ServerReflection", {"ServerReflectionInfo": handler}
            )
        ]
    )


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
