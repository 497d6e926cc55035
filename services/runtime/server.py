"""A server's life: load, warm up, serve, drain, stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import prometheus_client
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from opentelemetry.instrumentation.grpc import aio_server_interceptor

from services.runtime import logs, metrics
from services.runtime.errors import ResourceMissing
from services.runtime.interception import CallInterceptor
from services.runtime.settings import ServerSettings
from services.runtime.telemetry import tracing
from services.runtime.threads import yield_to_event_loops

_logger = logging.getLogger(__name__)

EXIT_RESOURCE_MISSING = 2
_OVERALL = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A gRPC service and how to add it to a server.

    Attributes:
        name: The fully qualified name, for example "viva.asr.v1.AsrService".
        register: Adds its servicer.
    """

    name: str
    register: Callable[[grpc.aio.Server], None]


Build = Callable[[], AbstractAsyncContextManager[Sequence[Service]]]
"""Loads and warms up what the services need, yields them, and releases it all at the end."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that takes calls.

    Attributes:
        port: Where.
        health: Its health service.
    """

    port: int
    health: HealthServicer


def server_options(settings: ServerSettings) -> list[tuple[str, int]]:
    """The channel arguments of a server."""
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.max_concurrent_streams", settings.max_streams),
        # Two processes on one port would take turns at the calls; a mistake, not a wish.
        ("grpc.so_reuseport", 0),
        # A peer that vanished without a word is found out within 40 s.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ]


@asynccontextmanager
async def serving(settings: ServerSettings, name: str, build: Build) -> AsyncIterator[Running]:
    """Serves until the scope ends, then drains.

    The services answer SERVING from the moment `build` is through. At the end they answer
    NOT_SERVING for `drain_seconds` while calls are still taken, then running calls get
    `grace_seconds`.

    Args:
        settings: Where and how.
        name: The server's short name, for metrics and logs.
        build: What to serve.
    """
    with _metrics_endpoint(settings):
        async with build() as services:
            interceptors: list[grpc.aio.ServerInterceptor[Any, Any]] = [CallInterceptor()]
            if settings.otlp_endpoint is not None:
                interceptors.insert(0, aio_server_interceptor())  # type: ignore[no-untyped-call]
            server = grpc.aio.server(interceptors=interceptors, options=server_options(settings))
            checks = HealthServicer()
            health_pb2_grpc.add_HealthServicer_to_server(checks, server)
            names = [_OVERALL, *(service.name for service in services)]
            for service in services:
                service.register(server)
            reflection.enable_server_reflection(
                [*names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME], server
            )
            port = _listen(server, settings)
            # What loading made will live as long as the process: keep the collector out of it.
            gc.collect()
            gc.freeze()
            await server.start()
            for service_name in names:
                await checks.set(service_name, health_pb2.HealthCheckResponse.SERVING)
            logs.log(_logger, logging.INFO, "serving", name=name, port=port, services=names[1:])
            try:
                yield Running(port, checks)
            finally:
                await _drain(server, checks, settings)
                gc.unfreeze()


def _listen(server: grpc.aio.Server, settings: ServerSettings) -> int:
    address = f"{settings.host}:{settings.port}"
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if port == 0:
        raise ResourceMissing(
            f"{address} cannot be listened on",
            "stop what uses it (`viva status` shows a running mesh) or set another port",
        )
    return port


async def _drain(server: grpc.aio.Server, checks: HealthServicer, settings: ServerSettings) -> None:
    logs.log(_logger, logging.INFO, "draining", seconds=settings.drain_seconds)
    await checks.enter_graceful_shutdown()
    await asyncio.sleep(settings.drain_seconds)
    await server.stop(settings.grace_seconds)


@contextmanager
def _metrics_endpoint(settings: ServerSettings) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    metrics.TASKS.set_function(lambda: float(len(asyncio.all_tasks(loop))))
    if settings.metrics_port == 0:
        yield
        return
    endpoint, thread = prometheus_client.start_http_server(
        settings.metrics_port, addr=settings.host
    )
    try:
        yield
    finally:
        endpoint.shutdown()
        endpoint.server_close()
        thread.join()


async def _serve_until_signal(settings: ServerSettings, name: str, build: Build) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # Engines are loaded in these threads, and the threads that engines start are like their makers.
    loop.set_default_executor(ThreadPoolExecutor(None, "work", initializer=yield_to_event_loops))
    async with serving(settings, name, build):
        await stop.wait()


def run(settings: ServerSettings, name: str, build: Build) -> None:
    """Runs a server as this process until SIGTERM or SIGINT; the entry point of every server."""
    logs.configure(name, settings.log_level)
    try:
        with (
            tracing(name, settings.otlp_endpoint),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_serve_until_signal(settings, name, build))
    except ResourceMissing as error:
        sys.stderr.write(f"viva {name}: {error}\n")
        raise SystemExit(EXIT_RESOURCE_MISSING) from None
