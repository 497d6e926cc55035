"""A service's health follows its engine's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY

from services.runtime.batching import BatchScheduler
from services.runtime.channel import open_channel
from services.runtime.device_memory import is_device_lost
from services.runtime.engine_health import EngineHealth
from services.runtime.errors import InvalidField, Overloaded, Unavailable
from services.runtime.server import Running, Service, serving
from services.runtime.settings import ServerSettings

NAME = "viva.demo.v1.Demo"
STATUS = health_pb2.HealthCheckResponse
ILLEGAL_ACCESS = "CUDA error: an illegal memory access was encountered"


@dataclass
class Engine:
    """Works, or fails as the test says."""

    error: Exception | None = None
    probes: int = 0

    def run(self, items: Sequence[str]) -> Sequence[str]:
        if self.error:
            raise self.error
        return items

    async def probe(self) -> None:
        self.probes += 1
        self.run([])


@asynccontextmanager
async def running(*engines: EngineHealth) -> AsyncIterator[tuple[Running, Watch]]:
    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        yield [Service(NAME, lambda _: None, engines)]

    settings = ServerSettings(lame_duck_seconds=0, drain_seconds=5)
    async with (
        serving(settings, "demo", build) as server,
        open_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        watch = Watch(channel)
        await watch.until(STATUS.SERVING)
        yield server, watch
        watch.cancel()


class Watch:
    """What a load balancer sees."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._calls = [
            health_pb2_grpc.HealthStub(channel).Watch(
                health_pb2.HealthCheckRequest(service=name), timeout=60
            )
            for name in (NAME, "")
        ]

    async def until(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for call in self._calls:
            while (await call.read()).status != status:
                pass

    def cancel(self) -> None:
        for call in self._calls:
            call.cancel()


def sample(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_an_engine_that_fails_in_a_row_is_out_of_service_until_a_probe_passes() -> None:
    engine = Engine(RuntimeError("broken"))
    health = EngineHealth("demo-a", probe=engine.probe, failures=3, probe_interval=0.01)
    async with running(health) as (_, watch):
        for _ in range(3):
            assert health.healthy
            health.report(engine.error)
        await watch.until(STATUS.NOT_SERVING)
        assert sample("viva_engine_healthy", engine="demo-a") == 0
        failures = sample("viva_engine_failures_total", engine="demo-a", reason="RuntimeError")
        assert failures is not None
        assert failures >= 3
        engine.error = None
        await watch.until(STATUS.SERVING)
        assert sample("viva_engine_healthy", engine="demo-a") == 1
    assert engine.probes > 0


async def test_a_service_needs_all_its_engines() -> None:
    bad = Engine(Unavailable("the upstream is gone"))
    good = Engine()
    healths = [
        EngineHealth("demo-b", probe=good.probe, probe_interval=0.01),
        EngineHealth("demo-c", probe=bad.probe, probe_interval=0.01, failures=1),
    ]
    async with running(*healths) as (_, watch):
        healths[1].report(bad.error)
        await watch.until(STATUS.NOT_SERVING)
        assert healths[0].healthy
        bad.error = None
        await watch.until(STATUS.SERVING)
    assert good.probes == 0


async def test_success_between_failures_and_callers_faults_take_nothing_out_of_service() -> None:
    health = EngineHealth("demo-d", probe=Engine().probe, failures=2)
    for error in (
        *(RuntimeError("x"), None, RuntimeError("x")),
        *(InvalidField("text", "too long"), Overloaded("full")),
    ):
        health.report(error)
    assert health.healthy
    health.report(RuntimeError("x"))
    assert not health.healthy


async def test_a_scheduler_tells_of_its_batches() -> None:
    engine = Engine(RuntimeError("broken"))
    health = EngineHealth("demo-e", probe=engine.probe, failures=2)
    async with BatchScheduler(
        engine.run, name="demo-e", max_batch_size=1, watch=health.report
    ) as scheduler:
        for _ in range(2):
            with pytest.raises(RuntimeError):
                await scheduler.submit("x")
        assert not health.healthy
        engine.error = None
        await scheduler.submit("x")
    assert health.healthy


async def test_a_lost_device_is_for_good() -> None:
    engine = Engine()
    health = EngineHealth("demo-f", probe=engine.probe, probe_interval=0.01)
    async with running(health) as (server, watch):
        health.report(RuntimeError(ILLEGAL_ACCESS))
        await watch.until(STATUS.NOT_SERVING)
        async with asyncio.timeout(10):
            await server.device_lost.wait()
        health.report(None)
        assert not health.healthy


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(ILLEGAL_ACCESS + "\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA failed with error unspecified launch failure"),
        RuntimeError("CUDA failure 700: an illegal memory access was encountered ; GPU=0"),
    ],
    ids=["torch", "torch-assert", "ctranslate2", "onnxruntime"],
)
def test_a_lost_device_is_known_by_each_engines_words(error: Exception) -> None:
    assert is_device_lost(error)
    wrapped = ValueError("no result")
    wrapped.__cause__ = error
    assert is_device_lost(wrapped)


@pytest.mark.parametrize(
    "said", ["CUDA out of memory", "the text says: misaligned address", "no such voice"]
)
def test_other_errors_lose_no_device(said: str) -> None:
    assert not is_device_lost(RuntimeError(said))
