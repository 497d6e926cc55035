"""The bridge's life as a process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
import uvloop

from edge.gateway.bridge.app import Application
from edge.gateway.bridge.protocol import BoundedWebSocket
from edge.gateway.bridge.settings import BridgeSettings
from edge.gateway.bridge.sockets import Sockets
from edge.gateway.bridge.upstream import Upstream
from services.runtime import logs
from services.runtime.addresses import bare
from services.runtime.errors import ResourceMissing
from services.runtime.exit_statuses import EXIT_RESOURCE_MISSING
from services.runtime.listening import require_allowed, taken
from services.runtime.metrics_page import metrics_page
from services.runtime.settings import load

_logger = logging.getLogger(__name__)

# What the kernel holds for a client that reads slowly is old by the time it is read.
_KERNEL_BYTES = 64 * 1024
_MAX_REQUEST_HEAD = 32 * 1024
_BACKLOG = 1024
# After the sockets have been closed: pages that are being sent.
_PARTING_SECONDS = 5


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: sockets end before it does."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to this process's main function."""
        yield


@asynccontextmanager
async def serving(settings: BridgeSettings) -> AsyncIterator[int]:
    """Serves until the scope ends, then drains; yields the port."""
    upstream = Upstream(settings)
    sockets = Sockets(settings, upstream)
    page = metrics_page(
        settings.host, settings.metrics_port, allow_insecure=settings.allow_insecure
    )
    with _listener(settings) as listener, page:
        server = _Server(
            uvicorn.Config(
                Application(settings, sockets),
                http="h11",
                h11_max_incomplete_event_size=_MAX_REQUEST_HEAD,
                ws=BoundedWebSocket,
                # The first byte and the prefix of one frame around the largest message.
                ws_max_size=settings.max_message_bytes + 6,
                ws_ping_interval=settings.ping_seconds,
                ws_ping_timeout=settings.ping_seconds,
                # Speech does not shrink, and a compressor a socket takes memory.
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_PARTING_SECONDS,
            )
        )
        port: int = listener.getsockname()[1]
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(server.serve([listener]), name="uvicorn")
            logs.log(_logger, logging.INFO, "serving", name="bridge", port=port)
            try:
                yield port
            finally:
                logs.log(_logger, logging.INFO, "draining", seconds=settings.drain_seconds)
                await sockets.drain(settings.drain_seconds)
                server.should_exit = True
                await running
                await upstream.close()


@contextmanager
def _listener(settings: BridgeSettings) -> Iterator[socket.socket]:
    host = bare(settings.host)
    require_allowed("WebSockets", host, settings.port, allow_insecure=settings.allow_insecure)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by the connections.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
        try:
            listener.bind((host, settings.port))
            listener.listen(_BACKLOG)
        except OSError:
            raise taken(host, settings.port) from None
        listener.setblocking(False)  # noqa: FBT003 - the standard library's
        yield listener


async def _serve_until_signal(settings: BridgeSettings) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings):
        # What is there now lives as long as the process: the collector is kept out of it.
        gc.collect()
        gc.freeze()
        await stop.wait()


def main() -> None:
    """Runs the bridge as this process until SIGTERM or SIGINT."""
    try:
        settings = load(BridgeSettings)
        logs.configure("bridge", settings.log_level)
        uvloop.run(_serve_until_signal(settings))
    except ResourceMissing as error:
        sys.stderr.write(f"viva bridge: {error}\n")
        raise SystemExit(EXIT_RESOURCE_MISSING) from None
