"""A server's life: load, warm up, serve, drain, stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

import grpc
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from services.runtime import logs, metrics
from services.runtime.device import missing_library
from services.runtime.engine_health import EngineHealth
from services.runtime.errors import ResourceMissing
from services.runtime.exit_statuses import EXIT_DEVICE_LOST, EXIT_RESOURCE_MISSING
from services.runtime.interception import CallInterceptor
from services.runtime.listening import listen
from services.runtime.metrics_page import metrics_page
from services.runtime.reflection import add_reflection
from services.runtime.settings import ServerSettings
from services.runtime.telemetry import tracing
from services.runtime.threads import yield_to_event_loops
from services.runtime.watching import Watch

_logger = logging.getLogger(__name__)

_OVERALL = ""
# For answers on their way, and for those who watch the health of a server that stops.
_PARTING_SECONDS = 2.0
# What was on its way when the last call ended is there by then.
_QUIET_SECONDS = 0.1
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Running calls cannot be finished without the device; their ends should still be told.
_LAST_WORDS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Service:
    """A gRPC service and how to add it to a server.

    Attributes:
        name: The fully qualified name, for example "viva.asr.v1.AsrService".
        register: Adds its servicer.
        health: The engines it cannot do without: it answers SERVING while all of them work.
        watch: Runs beside each of its streams that is a session's.
        to_the_end: Methods that a stopping server still takes: a stream that it has yet to finish
            depends on them. What has no such stream they refuse with `Draining`.
    """

    name: str
    register: Callable[[grpc.aio.Server], None]
    health: EngineHealth | Sequence[EngineHealth] | None = None
    watch: Watch | None = None
    to_the_end: Sequence[str] = ()

    @property
    def engines(self) -> Sequence[EngineHealth]:
        """The engines of `health`."""
        if self.health is None:
            return ()
        return (self.health,) if isinstance(self.health, EngineHealth) else self.health

    @property
    def healthy(self) -> bool:
        """Whether it can be called."""
        return all(engine.healthy for engine in self.engines)


Build = Callable[[], AbstractAsyncContextManager[Sequence[Service]]]
"""Loads and warms up what the services need, yields them, and releases it all at the end."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that takes calls.

    Attributes:
        port: Where.
        health: Its health service.
        device_lost: Set when it can do no more work, however often it tries.
        server: It.
    """

    port: int
    health: HealthServicer
    device_lost: asyncio.Event
    server: grpc.aio.Server


def server_options(settings: ServerSettings) -> list[tuple[str, int]]:
    """The channel arguments of a server."""
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.max_concurrent_streams", settings.max_streams),
        # Two processes on one port would take turns at the calls; a mistake, not a wish.
        ("grpc.so_reuseport", 0),
        # A header that cannot be parsed is an error of each later call that names its table entry:
        # one malformed grpc-timeout would fail the calls of all who share a proxy's connection.
        ("grpc.http2.hpack_table_size.decoder", 0),
        # A peer that vanished without a word is found out within 40 s.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Envoy asks every 3 s whether a replica still moves.
        ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ]


def new_server(
    settings: ServerSettings, draining: asyncio.Event, services: Sequence[Service] = ()
) -> tuple[grpc.aio.Server, CallInterceptor]:
    """A server for `services`, and what is around its handlers.

    `draining` is set when it stops.
    """
    interceptor = CallInterceptor(
        max_concurrent_rpcs=settings.max_concurrent_rpcs,
        receive_seconds=settings.receive_seconds,
        first_message_seconds=settings.first_message_seconds,
        draining=draining,
        watches={service.name: service.watch for service in services if service.watch is not None},
        to_the_end=[f"/{each.name}/{method}" for each in services for method in each.to_the_end],
    )
    server = grpc.aio.server(interceptors=[interceptor], options=server_options(settings))
    return server, interceptor


async def stop(
    server: grpc.aio.Server, calls: CallInterceptor, draining: asyncio.Event, seconds: float
) -> None:
    """Refuses new calls, tells streams to end, and cuts what still runs after `seconds`.

    Not grpc.aio's own stop with a grace: what reaches a server that is being stopped so is either
    cancelled or answered by nobody until the grace is over. So it waits for a moment in which
    nothing comes, unless there is none for long.
    """
    draining.set()
    try:
        async with asyncio.timeout(seconds):
            await calls.until_idle()
    except TimeoutError:
        await server.stop(0)
    else:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PARTING_SECONDS):
                await calls.until_quiet(_QUIET_SECONDS)
        await server.stop(_PARTING_SECONDS)


@asynccontextmanager
async def serving(settings: ServerSettings, name: str, build: Build) -> AsyncIterator[Running]:
    """Serves until the scope ends, then drains.

    The services answer SERVING from the moment `build` is through, as long as their engines work.
    At the end they answer NOT_SERVING for `lame_duck_seconds` while calls are still taken, if that
    is less than `drain_seconds`; then streams are told to end where nothing is cut, and calls that
    run `drain_seconds` after the end began are cut.

    Args:
        settings: Where and how.
        name: The server's short name, for metrics and logs.
        build: What to serve.
    """
    loop = asyncio.get_running_loop()
    metrics.TASKS.set_function(lambda: float(len(asyncio.all_tasks(loop))))
    with metrics_page(settings.host, settings.metrics_port, allow_insecure=settings.allow_insecure):
        async with build() as services:
            draining = asyncio.Event()
            server, calls = new_server(settings, draining, services)
            checks = HealthServicer()
            health_pb2_grpc.add_HealthServicer_to_server(checks, server)
            for service in services:
                service.register(server)
            names = [service.name for service in services]
            add_reflection([*names, health.SERVICE_NAME], server)
            port = listen(
                server, settings.host, settings.port, allow_insecure=settings.allow_insecure
            )
            await server.start()
            await _publish(services, checks)
            logs.log(_logger, logging.INFO, "serving", name=name, port=port, services=names)
            async with _engines_watched(services, checks, settings.hung_seconds) as device_lost:
                try:
                    yield Running(port, checks, device_lost, server)
                finally:
                    logs.log(_logger, logging.INFO, "draining", seconds=settings.drain_seconds)
                    await checks.enter_graceful_shutdown()
                    lame_duck = min(settings.lame_duck_seconds, settings.drain_seconds)
                    await asyncio.sleep(lame_duck)
                    await stop(server, calls, draining, settings.drain_seconds - lame_duck)


async def _publish(services: Sequence[Service], checks: HealthServicer) -> None:
    for name, healthy in [
        *((service.name, service.healthy) for service in services),
        (_OVERALL, all(service.healthy for service in services)),
    ]:
        status = health_pb2.HealthCheckResponse
        await checks.set(name, status.SERVING if healthy else status.NOT_SERVING)


@asynccontextmanager
async def _engines_watched(
    services: Sequence[Service], checks: HealthServicer, hung_seconds: float
) -> AsyncIterator[asyncio.Event]:
    """Keeps health true to the engines; yields what is set when one has lost its device."""
    device_lost = asyncio.Event()

    async def watch(engine: EngineHealth) -> None:
        try:
            await engine.watch(partial(_publish, services, checks), hung_seconds)
        except Exception as error:  # noqa: BLE001 - a bug; what was told last stays told
            what = "health no longer watched"
            logs.log(_logger, logging.CRITICAL, what, engine=engine.name, cause=error)
        if engine.device_lost.is_set():
            device_lost.set()

    engines = {engine for service in services for engine in service.engines}
    watchers = [
        asyncio.create_task(watch(engine), name=f"health-{engine.name}") for engine in engines
    ]
    try:
        yield device_lost
    finally:
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)


@asynccontextmanager
async def _settled(build: Build) -> AsyncIterator[Sequence[Service]]:
    """What is to be served by a process that does nothing else.

    What loading made will live as long as it: the collector is kept out of it.
    """
    async with build() as services:
        gc.collect()
        gc.freeze()
        yield services


async def _serve_until_signal(settings: ServerSettings, name: str, build: Build) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    # Engines are loaded in these threads, and the threads that engines start are like their makers.
    loop.set_default_executor(ThreadPoolExecutor(None, "work", initializer=yield_to_event_loops))
    for number in _SIGNALS:
        signal.signal(number, _stop_loading)
    async with serving(settings, name, partial(_settled, build)) as running:
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop.set)
        waits = [asyncio.create_task(event.wait()) for event in (stop, running.device_lost)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if running.device_lost.is_set():
            await running.server.stop(_LAST_WORDS_SECONDS)
            # Engines that release what they hold on a lost device may wait for it for ever.
            os._exit(EXIT_DEVICE_LOST)
        _end_within(settings.drain_seconds + settings.closing_seconds)


def _end_within(seconds: float) -> None:
    """Ends the process after so long whatever still hangs in it: a model, a library's own thread.

    Not by the event loop, which may be what waits for it; nor is it called off, because the
    interpreter joins all threads at its end.
    """

    def end() -> None:
        try:
            logs.log(_logger, logging.CRITICAL, "not closed in time", seconds=seconds)
        finally:
            os._exit(EXIT_DEVICE_LOST)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _stop_loading(*_: object) -> None:
    """Ends the process at once: a thread that loads a model can't be stopped, only left."""
    try:
        logs.log(_logger, logging.INFO, "stopped while loading")
    finally:
        # In the midst of another line the stream refuses this one: the signal counts all the same.
        os._exit(0)


def run(settings: ServerSettings, name: str, build: Build) -> None:
    """Runs a server as this process until SIGTERM or SIGINT; the entry point of every server."""
    logs.configure(name, settings.log_level)
    try:
        with (
            tracing(name, settings.otlp_endpoint),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_serve_until_signal(settings, name, build))
    except (Exception, BaseExceptionGroup) as error:
        # What loads in a task group tells it in a group.
        missing = [found for leaf in _leaves(error) if (found := _missing(leaf))]
        if not missing:
            raise
        sys.stderr.writelines(f"viva {name}: {leaf}\n" for leaf in missing)
        raise SystemExit(EXIT_RESOURCE_MISSING) from None


def _missing(error: BaseException) -> ResourceMissing | None:
    """What an error says is not there; libraries find out at the first batch, when warming up."""
    return error if isinstance(error, ResourceMissing) else missing_library(error)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
