"""Voice streams through one bridge on one core: latency, memory, and readers that are slow."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psutil

from services.cli.bench.bridge.echo import SERVICE
from services.cli.bench.bridge.stream import Stream
from services.cli.bench.frame import BenchResult, Figure, percentile

_FRAMES_A_SECOND = 25
_PIECE_BYTES = 1280
"""40 ms of 16-bit samples at 16 kHz."""
_WARM_SECONDS = 2.0
_SLOW_READERS = 20
_SETTLE_SECONDS = 3.0
_READY_SECONDS = 30.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Bridge:
    process: psutil.Process
    port: int

    def memory(self) -> int:
        """Resident bytes."""
        return int(self.process.memory_info().rss)

    def busy(self) -> float:
        """Seconds of a core it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    async def open(self, method: str, heard: Any = lambda _: None) -> Stream:
        loop = asyncio.get_running_loop()
        _, stream = await loop.create_connection(
            lambda: Stream(f"/{SERVICE}/{method}", _PIECE_BYTES, heard), "127.0.0.1", self.port
        )
        await stream.opened.wait()
        return stream


async def run(streams: int, seconds: float) -> BenchResult:
    """Measures a bridge of its own; no mesh is needed.

    Args:
        streams: How many at once.
        seconds: How long they speak.
    """
    async with _bridge() as bridge:
        voice = await _voice(bridge, streams, seconds)
        slow = await _slow(bridge)
    return BenchResult(
        "bridge",
        [*voice, *slow],
        notes=[
            (
                f"{streams} streams, {_FRAMES_A_SECOND} messages of {_PIECE_BYTES} bytes a second"
                f" each way, {seconds:g} s; the bridge has one core, client and echoing server the"
                " others"
            ),
            (
                "a round trip is through the bridge twice, the echoing server's own time included:"
                " what the bridge adds is less"
            ),
        ],
    )


async def _voice(bridge: _Bridge, count: int, seconds: float) -> list[Figure]:
    first = await bridge.open("Echo")
    await asyncio.sleep(_WARM_SECONDS)
    first.close()
    empty = bridge.memory()
    trips: list[float] = []
    streams = [await bridge.open("Echo", trips.append) for _ in range(count)]
    async with asyncio.TaskGroup() as tasks:
        talking = [
            tasks.create_task(_talk(stream, number / count))
            for number, stream in enumerate(streams)
        ]
        await asyncio.sleep(_WARM_SECONDS)
        trips.clear()
        busy = bridge.busy()
        await asyncio.sleep(seconds)
        noted = list(trips)
        busy = bridge.busy() - busy
        full = bridge.memory()
        for task in talking:
            task.cancel()
    for stream in streams:
        stream.close()
    return [
        Figure("round trip, median", 1000 * percentile(noted, 50), "ms"),
        Figure("round trip, p99", 1000 * percentile(noted, 99), "ms", most=20),
        Figure("answered", len(noted) / (count * seconds * _FRAMES_A_SECOND), "x", least=0.99),
        Figure("core used", 100 * busy / seconds, "%"),
        Figure("memory a stream", (full - empty) / count / 1024, "KiB", most=256),
    ]


async def _talk(stream: Stream, phase: float) -> None:
    """Speaks in time, whatever the answers do; the streams are spread over a frame's time."""
    clock = asyncio.get_running_loop().time
    due = clock() + phase / _FRAMES_A_SECOND
    while True:
        await asyncio.sleep(due - clock())
        stream.say()
        due += 1 / _FRAMES_A_SECOND


async def _slow(bridge: _Bridge) -> list[Figure]:
    await asyncio.sleep(_SETTLE_SECONDS)
    empty = bridge.memory()
    readers = [await bridge.open("Flood") for _ in range(_SLOW_READERS)]
    for reader in readers:
        reader.stop_reading()
    await asyncio.sleep(_SETTLE_SECONDS)
    soon = bridge.memory()
    await asyncio.sleep(_SETTLE_SECONDS)
    later = bridge.memory()
    for reader in readers:
        reader.close()
    return [
        Figure(
            "memory a stream that nobody reads", (later - empty) / len(readers) / 1024, "KiB", 256
        ),
        Figure("its growth afterwards", (later - soon) / len(readers) / 1024, "KiB", most=16),
    ]


@asynccontextmanager
async def _bridge() -> AsyncIterator[_Bridge]:
    """A bridge before a server that echoes; it has a core of its own where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with _process("services.cli.bench.bridge.echo", {}, stdout=PIPE) as echo:
        upstream = int(await echo.stdout.readline()) if echo.stdout else 0
        variables = {
            "VIVA_BRIDGE_PORT": str(port),
            "VIVA_BRIDGE_METRICS_PORT": "0",
            "VIVA_BRIDGE_UPSTREAM": f"127.0.0.1:{upstream}",
            "VIVA_DRAIN_SECONDS": "0",
            # All streams are one stranger's.
            "VIVA_BRIDGE_MAX_SOCKETS_WITHOUT_USER": "1000",
            "VIVA_BRIDGE_MAX_SOCKETS_OF_ADDRESS": "1000",
            "VIVA_LOG_LEVEL": "WARNING",
        }
        async with _process("edge.gateway.bridge", variables) as process:
            await _ready(port)
            if len(cores) > 1:
                _pin(process.pid, cores[:1])
                _pin(echo.pid, cores[1:])
                os.sched_setaffinity(0, cores[1:])
            try:
                yield _Bridge(psutil.Process(process.pid), port)
            finally:
                os.sched_setaffinity(0, cores)


def _pin(pid: int, cores: list[int]) -> None:
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, cores)


@asynccontextmanager
async def _process(
    module: str, variables: dict[str, str], stdout: int | None = None
) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env={**os.environ, **variables}, stdout=stdout
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ready(port: int) -> None:
    async with asyncio.timeout(_READY_SECONDS), httpx.AsyncClient(trust_env=False) as http:
        while True:
            try:
                await http.get(f"http://127.0.0.1:{port}/healthz", timeout=1)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return
