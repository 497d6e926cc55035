"""A service's health follows its engine's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY

from services.runtime.batching import BatchScheduler
from services.runtime.calls_under_way import progress
from services.runtime.channel import open_channel
from services.runtime.device_memory import is_device_lost
from services.runtime.engine_health import EngineHealth
from services.runtime.errors import (
    InvalidField,
    OutOfMemory,
    Overloaded,
    TooLarge,
    Unavailable,
)
from services.runtime.server import Running, Service, serving
from services.runtime.settings import ServerSettings
from tests.runtime.virtual_time import run

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


class Lost(RuntimeError):
    """A lost device, in an engine's words."""

    def __init__(self) -> None:
        super().__init__(ILLEGAL_ACCESS)


async def hang() -> None:
    await asyncio.Event().wait()


async def give_up() -> None:
    raise asyncio.CancelledError


class Probed:
    """Health that is watched, in virtual time, and what was told of it."""

    def __init__(self, probe: Callable[[], Awaitable[object]]) -> None:
        self.health = EngineHealth("demo-g", probe=probe, failures=1, probe_seconds=30)
        self.told: list[bool] = []
        self.watching = asyncio.create_task(self.health.watch(self._tell))

    async def _tell(self) -> None:
        self.told.append(self.health.healthy)

    async def end(self) -> None:
        self.watching.cancel()
        await asyncio.wait([self.watching])


@pytest.mark.parametrize("probe", [hang, give_up])
def test_work_that_succeeds_brings_it_back_whatever_becomes_of_probes(
    probe: Callable[[], Awaitable[object]],
) -> None:
    async def main() -> list[bool]:
        probed = Probed(probe)
        await asyncio.sleep(0)
        probed.health.report(RuntimeError("broken"))
        await asyncio.sleep(5)
        probed.health.report(None)
        await asyncio.sleep(5)
        await probed.end()
        return probed.told

    assert run(main()) == [False, True]


@pytest.mark.parametrize("probe", [hang, give_up])
def test_a_lost_device_is_told_whatever_becomes_of_probes(
    probe: Callable[[], Awaitable[object]],
) -> None:
    async def main() -> bool:
        probed = Probed(probe)
        await asyncio.sleep(0)
        probed.health.report(RuntimeError("broken"))
        await asyncio.sleep(5)
        probed.health.report(Lost())
        await asyncio.sleep(5)
        return probed.watching.done() and probed.health.device_lost.is_set()

    assert run(main())


def test_a_probe_that_hangs_is_given_up_and_the_next_one_counts() -> None:
    async def main() -> list[bool]:
        probes = 0

        async def hang_once() -> None:
            nonlocal probes
            probes += 1
            if probes == 1:
                await hang()

        probed = Probed(hang_once)
        await asyncio.sleep(0)
        probed.health.report(RuntimeError("broken"))
        await asyncio.sleep(60)
        await probed.end()
        return probed.told

    assert run(main()) == [False, True]


async def test_a_watch_that_ends_for_another_reason_loses_no_device(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    health = EngineHealth("demo-h", probe=Engine().probe)

    async def fail(_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(health, "watch", fail)
    async with running(health) as (server, _):
        assert not server.device_lost.is_set()
    [died] = [record for record in caplog.records if record.message == "health no longer watched"]
    assert died.levelname == "CRITICAL"


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
        RuntimeError("CUDA failed with error unknown error"),
        RuntimeError("CUDA error: operation not supported on global/shared address space"),
        RuntimeError("CUDA error: uncorrectable NVLink error detected during the execution"),
        RuntimeError("CUDA error: MPS client terminated unexpectedly"),
    ],
    ids=["torch", "assert", "ctranslate2", "onnxruntime", "unknown", "space", "nvlink", "mps"],
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


# A model that hangs.


class Hanging:
    """A model whose calls return when they are let."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = threading.Event()
        self.progressed: Callable[[], None] | None = None

    def run(self, items: Sequence[str]) -> Sequence[str]:
        self.progressed = progress()
        self.begun.set()
        assert self.go_on.wait(10)
        return items

    @contextmanager
    def called(self, health: EngineHealth) -> Iterator[None]:
        """A call under way, in a thread of its own."""
        thread = threading.Thread(target=health.watched(self.run), args=([],))
        thread.start()
        assert self.begun.wait(10)
        try:
            yield
        finally:
            self.go_on.set()
            thread.join()


async def _idle() -> None:
    """What a probe does that passes, or who is told."""


def _hanging_health() -> EngineHealth:
    async def never() -> None:
        await asyncio.Event().wait()

    return EngineHealth("demo-hangs", probe=never)


def test_a_call_that_hangs_is_a_failure_and_at_last_the_device_is_lost() -> None:
    async def watched() -> None:
        health, told = _hanging_health(), list[tuple[float, bool]]()
        loop = asyncio.get_running_loop()

        async def tell() -> None:
            told.append((loop.time(), health.healthy))

        with Hanging().called(health):
            await health.watch(tell, hung_seconds=30.0)
        assert health.device_lost.is_set()
        (out, healthy), (lost, _) = told
        assert not healthy
        assert 30 <= out <= 60
        assert 120 <= lost <= 140
        hung = sample("viva_engine_failures_total", engine="demo-hangs", reason="ModelHung")
        assert hung is not None
        assert hung >= 10

    run(watched())


def test_a_call_that_goes_on_step_by_step_does_not_hang() -> None:
    async def watched() -> None:
        health, model = _hanging_health(), Hanging()
        with model.called(health):
            watching = asyncio.create_task(health.watch(_idle, hung_seconds=30.0))
            for _ in range(100):
                await asyncio.sleep(25.0)
                assert model.progressed is not None
                model.progressed()
            watching.cancel()
            await asyncio.wait({watching})
        assert health.healthy

    run(watched())


def test_many_calls_one_after_another_do_not_hang() -> None:
    async def watched() -> None:
        health = _hanging_health()
        watching = asyncio.create_task(health.watch(_idle, hung_seconds=30.0))
        for _ in range(100):
            with Hanging().called(health):
                await asyncio.sleep(25.0)
        watching.cancel()
        await asyncio.wait({watching})
        assert health.healthy

    run(watched())


def test_a_call_may_take_as_long_as_ten_times_the_longest_before() -> None:
    async def watched() -> None:
        health = _hanging_health()
        health._calls.longest = 60.0
        with Hanging().called(health):
            watching = asyncio.create_task(health.watch(_idle, hung_seconds=30.0))
            await asyncio.sleep(590.0)
            before = health.healthy
            await asyncio.sleep(30.0)
            assert (before, health.healthy) == (True, False)
            watching.cancel()
            await asyncio.wait({watching})

    run(watched())


class Memory:
    """A device that has room for so much at once; some of it may be gone for good."""

    def __init__(self, room: float) -> None:
        self.room = room
        self.calls: list[list[float]] = []
        self.health = EngineHealth("demo-memory", probe=self.probe)
        self.scheduler: BatchScheduler[float, float] = BatchScheduler(
            self.health.watched(self.run),
            name="t",
            max_batch_size=8,
            cost=float,
            watch=self.health.report,
        )

    def in_service(self) -> bool:
        return self.health.healthy

    def run(self, items: Sequence[float]) -> Sequence[float]:
        self.calls.append(list(items))
        if sum(items) > self.room:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return items

    async def probe(self) -> None:
        await self.scheduler.submit(1.0)

    def play(self, script: Callable[[], Awaitable[None]]) -> None:
        async def told() -> None:
            pass

        async def played() -> None:
            async with self.scheduler:
                watching = asyncio.create_task(self.health.watch(told))
                await self.probe()
                await script()
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

        run(played())


def test_a_request_that_is_too_large_for_the_device_is_one_callers_trouble() -> None:
    memory = Memory(room=50)

    async def script() -> None:
        for _ in range(5):
            with pytest.raises(TooLarge):
                await memory.scheduler.submit(100.0)
            await asyncio.sleep(10)
            assert memory.in_service()
        assert sample("viva_engine_failures_total", engine="demo-memory", reason="OutOfMemory")
        assert memory.calls.count([100.0]) == 5  # nor is it tried twice
        memory.calls.clear()
        await memory.scheduler.submit_all([1.0] * 8)
        assert memory.calls == [[1.0] * 8]  # nor do others get smaller batches

    memory.play(script)


def test_a_device_without_memory_for_anything_is_out_of_service_until_it_has_some() -> None:
    memory = Memory(room=50)

    async def script() -> None:
        await memory.scheduler.submit(40.0)
        memory.room = 0
        with pytest.raises(OutOfMemory):
            await memory.scheduler.submit(40.0)  # it was done before: asking again may help
        assert memory.in_service()
        await asyncio.sleep(10)
        assert not memory.in_service()
        await asyncio.sleep(600)
        assert not memory.health.device_lost.is_set()  # another process may give some back
        memory.room = 50
        await asyncio.sleep(10)
        assert memory.in_service()

    memory.play(script)


def test_batches_get_smaller_by_what_they_cost_and_not_for_those_that_cost_little() -> None:
    memory = Memory(room=50)

    async def script() -> None:
        await memory.scheduler.submit_all([20.0] * 4)
        memory.calls.clear()
        await memory.scheduler.submit_all([1.0] * 8)
        assert memory.calls == [[1.0] * 8]
        memory.calls.clear()
        await memory.scheduler.submit_all([20.0] * 2)
        assert memory.calls == [[20.0] * 2]

    memory.play(script)


@pytest.mark.parametrize(
    ("device", "error", "lost"),
    [
        ("cuda:0", RuntimeError("cuBLAS failed with status CUBLAS_STATUS_EXECUTION_FAILED"), True),
        ("cpu", RuntimeError("broken"), False),
        ("127.0.0.1:8001", RuntimeError("broken"), False),
        ("cuda:0", Unavailable("elsewhere"), False),
    ],
)
def test_a_cuda_device_on_which_nothing_works_for_a_minute_is_given_up(
    device: str, error: Exception, *, lost: bool
) -> None:
    engine = Engine(error)
    health = EngineHealth("demo-given-up", probe=engine.probe, device=device)

    async def told() -> None:
        pass

    async def script() -> None:
        watching = asyncio.create_task(health.watch(told))
        for _ in range(3):
            health.report(error)
        await asyncio.sleep(58)
        assert not health.healthy
        assert not health.device_lost.is_set()
        await asyncio.sleep(5)
        assert health.device_lost.is_set() is lost
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    run(script())
