"""A server as a process: metrics, traces, drain on SIGTERM, clear start-up errors."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.runtime.channel import open_channel
from tests.server_process import ROOT, free_port

SERVICE = "viva.embed.v1.EmbedService"


@asynccontextmanager
async def demo(**environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "tests/runtime/demo_server.py"),
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_serving(channel: grpc.aio.Channel) -> None:
    await health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=SERVICE), timeout=60, wait_for_ready=True
    )


async def test_sigterm_under_load_fails_no_call() -> None:
    port = free_port()
    answered = 0
    async with (
        demo(VIVA_DEMO_PORT=str(port), VIVA_DEMO_LAME_DUCK_SECONDS="0.5") as process,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        stub = embed_pb2_grpc.EmbedServiceStub(channel)
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service=SERVICE), timeout=60
        )
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        draining = asyncio.Event()

        async def call_until_draining() -> None:
            nonlocal answered
            while not draining.is_set():
                await stub.Embed(embed_pb2.EmbedRequest(inputs=["hello"]), timeout=10)
                answered += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(call_until_draining())
            process.send_signal(signal.SIGTERM)
            status = (await watch.read()).status
            # A balancer needs a moment to notice: calls still arrive, and are answered.
            before = answered
            while answered < before + 50:  # noqa: ASYNC110 - the calls themselves are the event
                await asyncio.sleep(0)
            draining.set()
        watch.cancel()
        assert status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await process.wait() == 0


async def test_metrics_tell_calls_batches_and_tasks() -> None:
    port, metrics_port = free_port(), free_port()
    async with (
        demo(VIVA_DEMO_PORT=str(port), VIVA_DEMO_METRICS_PORT=str(metrics_port)),
        open_channel(f"127.0.0.1:{port}") as channel,
        httpx.AsyncClient() as client,
    ):
        await until_serving(channel)
        stub = embed_pb2_grpc.EmbedServiceStub(channel)
        await stub.Embed(embed_pb2.EmbedRequest(inputs=["hello"]), timeout=10)
        page = (await client.get(f"http://127.0.0.1:{metrics_port}/metrics")).text
    assert f'viva_rpc_total{{code="OK",method="/{SERVICE}/Embed"}} 1.0' in page
    assert 'viva_batch_size_count{scheduler="demo"} 1.0' in page
    assert "viva_tasks " in page


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """An OTLP collector that remembers span names by trace."""

    def __init__(self) -> None:
        self.spans: dict[str, set[str]] = {}
        self.complete = asyncio.Event()

    async def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: object
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.setdefault(span.trace_id.hex(), set()).add(span.name)
        if any("demo.compute" in names for names in self.spans.values()):
            self.complete.set()
        return trace_service_pb2.ExportTraceServiceResponse()


async def test_a_trace_goes_from_the_caller_to_the_models_batch() -> None:
    collector = Collector()
    server = grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(  # type: ignore[no-untyped-call]
        collector, server
    )
    collector_port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    port = free_port()
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    async with (
        demo(VIVA_DEMO_PORT=str(port), VIVA_OTLP_ENDPOINT=f"http://127.0.0.1:{collector_port}"),
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        await embed_pb2_grpc.EmbedServiceStub(channel).Embed(
            embed_pb2.EmbedRequest(inputs=["hello"]),
            timeout=10,
            metadata=(("traceparent", f"00-{trace_id}-b7ad6b7169203331-01"),),
        )
        async with asyncio.timeout(30):
            await collector.complete.wait()
    await server.stop(None)
    assert {f"{SERVICE}/Embed", "demo.queue", "demo.compute"} <= collector.spans[trace_id]


async def test_a_missing_resource_is_one_line_that_says_what_to_do() -> None:
    async with demo(VIVA_DEMO_MISSING="1") as process:
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors.decode() == "viva demo: no weights here; run `make setup`\n"


async def test_a_bad_setting_is_named_by_its_variable() -> None:
    async with demo(VIVA_DEMO_THREADS="none", VIVA_LOG_LEVEL="LOUD") as process:
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert "VIVA_DEMO_THREADS" in errors.decode()
    assert "VIVA_LOG_LEVEL" in errors.decode()
    assert "Traceback" not in errors.decode()


@pytest.mark.parametrize("variable", ["VIVA_DEMO_PORT", "VIVA_DEMO_METRICS_PORT"])
async def test_a_port_in_use_is_named(variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with demo(**{variable: str(port)}) as process:
            _, errors = await process.communicate()
    assert process.returncode == 2
    *_, line = errors.decode().splitlines()  # gRPC's core has a word of its own before it
    assert line.startswith(f"viva demo: 127.0.0.1:{port} cannot be listened on; ")
    assert "Traceback" not in errors.decode()
