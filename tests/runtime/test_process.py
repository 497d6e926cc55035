"""A server as a process: metrics, traces, drain on SIGTERM, clear start-up errors."""

from __future__ import annotations

import asyncio
import signal
import socket

import grpc
import httpx
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.runtime.channel import open_channel
from tests.runtime.demo import EMBED as SERVICE
from tests.runtime.demo import demo, method, until_logged, until_serving
from tests.runtime.demo_server import DEVICE_LOST, HANG
from tests.server_process import free_port

pytestmark = pytest.mark.slow


async def test_sigterm_under_load_fails_no_call() -> None:
    port = free_port()
    answered = 0
    async with (
        demo(VIVA_DEMO_PORT=str(port), VIVA_DEMO_LAME_DUCK_SECONDS="2") as process,
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
            while answered < before + 16:  # noqa: ASYNC110 - the calls themselves are the event
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


@pytest.mark.parametrize("loading", ["in_thread", "on_loop"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_during_loading_is_obeyed_at_once(
    loading: str, number: signal.Signals
) -> None:
    async with demo(VIVA_DEMO_LOADING=loading) as process:
        await until_logged(process, "loading")
        process.send_signal(number)
        async with asyncio.timeout(30):
            assert await process.wait() == 0


async def test_a_signal_in_the_midst_of_a_log_line_is_obeyed() -> None:
    async with demo(VIVA_DEMO_LOADING="in_log") as process, asyncio.timeout(30):
        assert await process.wait() == 0


async def test_a_stream_may_finish_what_it_says_and_then_tells_that_the_server_drains() -> None:
    port = free_port()
    async with (
        demo(VIVA_DEMO_PORT=str(port), VIVA_DEMO_LAME_DUCK_SECONDS="0") as process,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        call = method(channel, "unary_stream", "UntilDraining")(StringValue(value="x"))
        assert await call.read() == StringValue(value="1.0")
        process.send_signal(signal.SIGTERM)
        assert await call.read() == StringValue(value="1.0")
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
        assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "DRAINING" in repr(ended.value.trailing_metadata())
        async with asyncio.timeout(30):
            assert await process.wait() == 0


async def test_what_comes_to_a_server_that_drains_is_refused_at_once_and_health_says_why() -> None:
    port = free_port()
    settings = {"VIVA_DEMO_LAME_DUCK_SECONDS": "0", "VIVA_DRAIN_SECONDS": "60"}
    async with (
        demo(VIVA_DEMO_PORT=str(port), **settings) as process,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        running = method(channel, "stream_stream", "ManyMany")()
        await running.write(StringValue(value="x"))
        await running.read()
        process.send_signal(signal.SIGTERM)
        await until_logged(process, "draining")

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await method(channel, "unary_unary", "OneOne")(StringValue(value="x"), timeout=30)
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "DRAINING" in repr(refused.value.trailing_metadata())
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=30
        )
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING

        running.cancel()
        async with asyncio.timeout(30):
            assert await process.wait() == 0


async def test_callers_without_a_break_are_refused_by_a_server_that_drains() -> None:
    port = free_port()
    async with (
        demo(VIVA_DEMO_PORT=str(port), VIVA_DEMO_LAME_DUCK_SECONDS="0") as process,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        one = method(channel, "unary_unary", "OneOne")

        async def call_until_refused() -> tuple[grpc.StatusCode, bool]:
            while True:
                try:
                    await one(StringValue(value="x"), timeout=30)
                except grpc.aio.AioRpcError as error:
                    return error.code(), "DRAINING" in repr(error.trailing_metadata())

        callers = [asyncio.create_task(call_until_refused()) for _ in range(32)]
        await one(StringValue(value="x"), timeout=30)
        process.send_signal(signal.SIGTERM)
        assert set(await asyncio.gather(*callers)) == {(grpc.StatusCode.UNAVAILABLE, True)}
        async with asyncio.timeout(30):
            assert await process.wait() == 0


async def test_a_stream_that_does_not_end_is_cut_when_the_drain_is_over() -> None:
    port = free_port()
    settings = {"VIVA_DEMO_LAME_DUCK_SECONDS": "0", "VIVA_DRAIN_SECONDS": "0.2"}
    async with (
        demo(VIVA_DEMO_PORT=str(port), **settings) as process,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        call = method(channel, "stream_stream", "ManyMany")()
        await call.write(StringValue(value="x"))
        await call.read()
        process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
        assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
        async with asyncio.timeout(30):
            assert await process.wait() == 0


async def test_a_lost_device_ends_the_process_so_that_it_is_started_afresh() -> None:
    port = free_port()
    async with (
        demo(VIVA_DEMO_PORT=str(port)) as process,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        with pytest.raises(grpc.aio.AioRpcError):
            await method(channel, "unary_unary", "OneOne")(StringValue(value=DEVICE_LOST))
        line = await until_logged(process, "device lost")
        async with asyncio.timeout(30):
            assert await process.wait() == 3
    assert line["engine"] == "demo"


async def test_a_server_whose_model_hangs_is_started_afresh() -> None:
    port = free_port()
    async with (
        demo(VIVA_DEMO_PORT=str(port), VIVA_DEMO_HUNG_SECONDS="0.3") as process,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        call = method(channel, "unary_unary", "OneOne")(StringValue(value=HANG))
        assert (await until_logged(process, "model hangs"))["engine"] == "demo"
        await until_logged(process, "engine out of service")
        await until_logged(process, "device lost")
        async with asyncio.timeout(30):
            assert await process.wait() == 3
        call.cancel()


async def test_a_server_whose_model_hangs_stops_all_the_same() -> None:
    port = free_port()
    settings = {"VIVA_DRAIN_SECONDS": "0", "VIVA_CLOSING_SECONDS": "0.5"}
    async with (
        demo(VIVA_DEMO_PORT=str(port), VIVA_DEMO_LAME_DUCK_SECONDS="0", **settings) as process,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        call = method(channel, "unary_unary", "OneOne")(StringValue(value=HANG))
        await until_logged(process, "hanging")
        process.send_signal(signal.SIGTERM)
        await until_logged(process, "not closed in time")
        async with asyncio.timeout(30):
            assert await process.wait() == 3
        call.cancel()


@pytest.mark.parametrize("metrics_port", ["", "free"])
async def test_a_listener_open_to_other_machines_must_be_asked_for(metrics_port: str) -> None:
    settings = {"VIVA_DEMO_HOST": "0.0.0.0"}
    if metrics_port:
        settings["VIVA_DEMO_METRICS_PORT"] = str(free_port())
    async with demo(**settings) as process:
        _, errors = await process.communicate()
    assert process.returncode == 2
    *_, line = errors.decode().splitlines()
    assert line.startswith("viva demo: other machines could reach 0.0.0.0:")
    assert "VIVA_ALLOW_INSECURE=1" in line


async def test_a_listener_open_to_other_machines_says_so() -> None:
    port = free_port()
    settings = {"VIVA_DEMO_HOST": "0.0.0.0", "VIVA_ALLOW_INSECURE": "1"}
    async with demo(VIVA_DEMO_PORT=str(port), **settings) as process:
        line = await until_logged(process, "open without authentication")
    assert (line["level"], line["host"], line["port"]) == ("WARNING", "0.0.0.0", port)
