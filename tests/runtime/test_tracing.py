"""Traces: from the caller's span to the model's batch, into the log and on to other servers."""

from __future__ import annotations

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.runtime.channel import open_channel
from tests.runtime.collector import Collector
from tests.runtime.demo import (
    EMBED,
    NAMES_OF_SHAPES,
    call_every_shape,
    demo,
    method,
    until_logged,
    until_serving,
)
from tests.server_process import free_port

pytestmark = pytest.mark.slow

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
CLIENT = (("traceparent", f"00-{TRACE}-{SPAN}-01"),)


async def test_calls_of_every_shape_work_with_tracing_on_and_continue_the_callers_trace() -> None:
    port = free_port()
    async with (
        Collector().listening() as collector,
        demo(VIVA_DEMO_PORT=str(port), VIVA_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.port}"),
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        await call_every_shape(channel, CLIENT)
        # One batch of the model for each message of each call.
        await collector.until(lambda: len(collector.served(TRACE)) == 7)
    for span in collector.served(TRACE):
        assert span.name in NAMES_OF_SHAPES
        assert collector.way_up(span) == [SPAN]


async def test_health_and_reflection_work_with_tracing_on() -> None:
    port = free_port()
    async with (
        demo(VIVA_DEMO_PORT=str(port), VIVA_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}"),
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service=EMBED), timeout=20
        )
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
        listing = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=20
        )
        assert [answer async for answer in listing]


async def test_without_a_collector_the_trace_reaches_the_log_and_onward_calls() -> None:
    first, second = free_port(), free_port()
    async with (
        demo(VIVA_DEMO_PORT=str(first)),
        demo(VIVA_DEMO_PORT=str(second)) as called,
        open_channel(f"127.0.0.1:{first}") as channel,
        open_channel(f"127.0.0.1:{second}") as other,
    ):
        await until_serving(channel)
        await until_serving(other)
        await method(channel, "unary_unary", "Onward")(
            StringValue(value=f"127.0.0.1:{second}"), timeout=20, metadata=CLIENT
        )
        line = await until_logged(called, "embedding")
    assert (line["trace_id"], line["span_id"]) == (TRACE, SPAN)


async def test_a_call_without_a_trace_begins_one() -> None:
    port = free_port()
    async with (
        demo(VIVA_DEMO_PORT=str(port)) as process,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        await embed_pb2_grpc.EmbedServiceStub(channel).Embed(
            embed_pb2.EmbedRequest(inputs=["hello"]), timeout=20
        )
        line = await until_logged(process, "embedding")
    assert len(line["trace_id"]) == 32
    assert line["trace_id"] != "0" * 32


async def test_a_malformed_collector_is_one_clear_line() -> None:
    async with demo(VIVA_OTLP_ENDPOINT="localhost:4317") as process:
        _, errors = await process.communicate()
    assert process.returncode == 2
    (line,) = errors.decode().splitlines()
    assert line == (
        "VIVA_OTLP_ENDPOINT: write http://host:port or https://host:port (it is 'localhost:4317')"
    )
