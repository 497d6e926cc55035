"""A server's life, seen by a client: health, identity, errors, drain."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import REGISTRY
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.runtime.call_places import FEW
from services.runtime.channel import open_channel, outgoing
from services.runtime.errors import (
    DeadlineExpired,
    FailedPrecondition,
    InvalidField,
    NotFound,
    Overloaded,
    ServiceError,
    Unavailable,
)
from services.runtime.request import Request, current_request
from services.runtime.server import Running, Service, serving
from services.runtime.settings import ServerSettings
from tests.refusals import details, fields, status_of
from tests.runtime.raw_client import calls, frame, survives_pings

NAME = "viva.tts.v1.TtsService"


@dataclass
class Speaker(tts_pb2_grpc.TtsServiceServicer):
    """A servicer that does what the test says."""

    error: BaseException | None = None
    seen: list[Request] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def ListVoices(
        self, request: tts_pb2.ListVoicesRequest, context: object
    ) -> tts_pb2.ListVoicesResponse:
        self.seen.append(current_request())
        if self.error:
            raise self.error
        return tts_pb2.ListVoicesResponse(voices=[tts_pb2.Voice(id="one")])

    async def ListModels(
        self, request: tts_pb2.ListModelsRequest, context: object
    ) -> tts_pb2.ListModelsResponse:
        return tts_pb2.ListModelsResponse()

    async def Synthesize(
        self, request: tts_pb2.SynthesizeRequest, context: object
    ) -> AsyncIterator[tts_pb2.SynthesizeResponse]:
        try:
            yield tts_pb2.SynthesizeResponse(chunk=tts_pb2.SpeechChunk(audio=b"1"))
            self.entered.set()
            await self.held.wait()
            yield tts_pb2.SynthesizeResponse(done=tts_pb2.SegmentDone())
        finally:
            self.closed.set()

    async def StreamingSynthesize(
        self, requests: AsyncIterator[tts_pb2.StreamingSynthesizeRequest], context: object
    ) -> AsyncIterator[tts_pb2.StreamingSynthesizeResponse]:
        async for request in requests:
            yield tts_pb2.StreamingSynthesizeResponse(
                chunk=tts_pb2.SpeechChunk(segment_id=request.text.segment_id)
            )


@asynccontextmanager
async def running(
    speaker: tts_pb2_grpc.TtsServiceServicer, *, to_the_end: Sequence[str] = (), **settings: Any
) -> AsyncIterator[tuple[Running, grpc.aio.Channel]]:
    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        def register(server: grpc.aio.Server) -> None:
            tts_pb2_grpc.add_TtsServiceServicer_to_server(speaker, server)

        yield [Service(NAME, register, to_the_end=to_the_end)]

    chosen = ServerSettings(
        **{"lame_duck_seconds": 0, "drain_seconds": 5, "max_message_bytes": 65536, **settings}
    )
    async with (
        serving(chosen, "tts", build) as server,
        open_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield server, channel


async def test_every_service_is_healthy_and_listed_once_it_serves() -> None:
    async with running(Speaker()) as (_, channel):
        checks = health_pb2_grpc.HealthStub(channel)
        for name in ("", NAME):
            answer = await checks.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        listing = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        names = {s.name async for a in listing for s in a.list_services_response.service}
        assert NAME in names


async def test_the_callers_request_id_reaches_the_handler_and_comes_back() -> None:
    speaker = Speaker()
    async with running(speaker) as (_, channel):
        stub = tts_pb2_grpc.TtsServiceStub(channel)
        call = stub.ListVoices(
            tts_pb2.ListVoicesRequest(),
            timeout=5,
            metadata=(("x-request-id", "abc"), ("x-viva-caller", "me"), ("x-viva-user", "u1")),
        )
        await call
        assert dict(await call.trailing_metadata())["x-request-id"] == "abc"
    assert (speaker.seen[0].id, speaker.seen[0].caller, speaker.seen[0].user) == ("abc", "me", "u1")
    remaining = speaker.seen[0].deadline
    assert remaining is not None
    # gRPC rounds timeouts up on the wire.
    assert remaining - asyncio.get_running_loop().time() < 5.5


async def test_a_call_without_a_request_id_gets_one() -> None:
    speaker = Speaker()
    async with running(speaker) as (_, channel):
        await tts_pb2_grpc.TtsServiceStub(channel).ListVoices(
            tts_pb2.ListVoicesRequest(), **outgoing(5)
        )
    assert len(speaker.seen[0].id) == 32


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (
            InvalidField("config.voice", "no such"),
            grpc.StatusCode.INVALID_ARGUMENT,
            error_details_pb2.BadRequest(
                field_violations=[{"field": "config.voice", "description": "no such"}]
            ),
        ),
        (
            NotFound("voice", "x", "config.voice"),
            grpc.StatusCode.NOT_FOUND,
            error_details_pb2.ResourceInfo(resource_type="voice", resource_name="x"),
        ),
        (
            FailedPrecondition("NOT_YET", "wait"),
            grpc.StatusCode.FAILED_PRECONDITION,
            error_details_pb2.ErrorInfo(reason="NOT_YET", domain="viva.dev"),
        ),
        (
            Overloaded("full", retry_after=0.25),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            error_details_pb2.RetryInfo(retry_delay={"nanos": 250_000_000}),
        ),
        (
            Unavailable("gone", retry_after=2),
            grpc.StatusCode.UNAVAILABLE,
            error_details_pb2.RetryInfo(retry_delay={"seconds": 2}),
        ),
        (
            DeadlineExpired(),
            grpc.StatusCode.DEADLINE_EXCEEDED,
            error_details_pb2.ErrorInfo(reason="DEADLINE_EXPIRED", domain="viva.dev"),
        ),
        (
            ExceptionGroup("tasks", [InvalidField("f", "x")]),
            grpc.StatusCode.INVALID_ARGUMENT,
            error_details_pb2.ErrorInfo(reason="INVALID_FIELD", domain="viva.dev"),
        ),
    ],
)
async def test_a_domain_error_becomes_a_status_with_details(
    error: ServiceError, code: grpc.StatusCode, detail: Message
) -> None:
    async with running(Speaker(error=error)) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await tts_pb2_grpc.TtsServiceStub(channel).ListVoices(
                tts_pb2.ListVoicesRequest(), timeout=5
            )
    assert raised.value.code() == code
    assert detail in details(status_of(raised.value), type(detail))


async def test_an_unknown_error_says_no_more_than_the_request_id() -> None:
    async with running(Speaker(error=ValueError("what the user said"))) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await tts_pb2_grpc.TtsServiceStub(channel).ListVoices(
                tts_pb2.ListVoicesRequest(), timeout=5, metadata=(("x-request-id", "r1"),)
            )
    assert raised.value.code() == grpc.StatusCode.INTERNAL
    assert raised.value.details() == "internal error; request id r1"
    assert "('x-request-id', 'r1')" in repr(raised.value.trailing_metadata())


async def test_a_request_that_breaks_the_contract_is_refused_naming_each_field() -> None:
    async with running(Speaker()) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            request = tts_pb2.SynthesizeRequest(text="", config=tts_pb2.SpeechConfig(speed=9))
            async for _ in tts_pb2_grpc.TtsServiceStub(channel).Synthesize(request, timeout=5):
                pass
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(raised.value) == ["text", "config.speed"]


async def test_a_message_in_mid_stream_that_breaks_the_contract_ends_the_stream() -> None:
    async def pieces() -> AsyncIterator[tts_pb2.StreamingSynthesizeRequest]:
        for segment in ("s", ""):
            piece = tts_pb2.SegmentText(segment_id=segment, text="hello")
            yield tts_pb2.StreamingSynthesizeRequest(text=piece)

    received = []
    async with running(Speaker()) as (_, channel):
        call = tts_pb2_grpc.TtsServiceStub(channel).StreamingSynthesize(pieces(), timeout=5)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            async for message in call:
                received.append(message.chunk.segment_id)  # noqa: PERF401 - it ends in an error
    assert received == ["s"]
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "text.segment_id" in str(raised.value.details())


async def test_a_message_over_the_limit_is_refused() -> None:
    async with running(Speaker(), max_message_bytes=4096) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            async for _ in tts_pb2_grpc.TtsServiceStub(channel).Synthesize(
                tts_pb2.SynthesizeRequest(text="x" * 8192), timeout=5
            ):
                pass
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_cancelled_stream_closes_what_the_handler_opened() -> None:
    speaker = Speaker()
    async with running(speaker) as (_, channel):
        call = tts_pb2_grpc.TtsServiceStub(channel).Synthesize(
            tts_pb2.SynthesizeRequest(text="hello"), timeout=60
        )
        await call.read()
        await speaker.entered.wait()
        call.cancel()
        async with asyncio.timeout(10):
            await speaker.closed.wait()


async def test_a_past_deadline_never_reaches_the_handler() -> None:
    speaker = Speaker()
    async with running(speaker) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await tts_pb2_grpc.TtsServiceStub(channel).ListVoices(
                tts_pb2.ListVoicesRequest(), timeout=-1
            )
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert not speaker.seen


async def test_drain_says_not_serving_first_and_lets_running_calls_finish() -> None:
    speaker = Speaker()
    async with AsyncExitStack() as client:
        async with running(speaker) as (server, _):
            channel = await client.enter_async_context(open_channel(f"127.0.0.1:{server.port}"))
            watch = health_pb2_grpc.HealthStub(channel).Watch(
                health_pb2.HealthCheckRequest(service=NAME)
            )
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
            call = tts_pb2_grpc.TtsServiceStub(channel).Synthesize(
                tts_pb2.SynthesizeRequest(text="hello"), timeout=60
            )
            await call.read()

            async def finish_when_draining() -> list[object]:
                assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
                watch.cancel()
                speaker.held.set()
                return [await call.read(), await call.read()]

            rest = asyncio.create_task(finish_when_draining())
        messages = await rest
    assert isinstance(messages[0], tts_pb2.SynthesizeResponse)
    assert messages[0].HasField("done")
    assert messages[1] is grpc.aio.EOF  # type: ignore[attr-defined]


async def test_what_a_stream_depends_on_is_taken_until_it_has_ended() -> None:
    speaker = Speaker()
    async with AsyncExitStack() as client:
        async with running(speaker, to_the_end=["ListVoices"]) as (server, _):
            channel = await client.enter_async_context(open_channel(f"127.0.0.1:{server.port}"))
            stub = tts_pb2_grpc.TtsServiceStub(channel)
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            await watch.read()
            stream = stub.Synthesize(tts_pb2.SynthesizeRequest(text="hello"), timeout=60)
            await stream.read()

            async def call_when_draining() -> None:
                await watch.read()
                watch.cancel()
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    while True:
                        await stub.ListModels(tts_pb2.ListModelsRequest(), timeout=60)
                assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
                await stub.ListVoices(tts_pb2.ListVoicesRequest(), timeout=60)
                speaker.held.set()
                await stream.read()

            rest = asyncio.create_task(call_when_draining())
        await rest
    assert len(speaker.seen) == 1


async def test_a_server_is_no_longer_a_lame_duck_than_it_may_drain() -> None:
    speaker = Speaker()
    async with asyncio.timeout(30), AsyncExitStack() as client:
        async with running(speaker, lame_duck_seconds=3600, drain_seconds=0.1) as (server, _):
            channel = await client.enter_async_context(open_channel(f"127.0.0.1:{server.port}"))
            call = tts_pb2_grpc.TtsServiceStub(channel).Synthesize(
                tts_pb2.SynthesizeRequest(text="hello"), timeout=60
            )
            await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as cut:
            await call.read()
    assert cut.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_whoever_watches_health_does_not_hold_up_a_server_that_stops() -> None:
    async with AsyncExitStack() as client:
        async with running(Speaker(), drain_seconds=600) as (server, _):
            channel = await client.enter_async_context(open_channel(f"127.0.0.1:{server.port}"))
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await watch.read()
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE


def counted(code: str, method: str = "ListVoices") -> float:
    labels = {"method": f"/{NAME}/{method}", "code": code}
    return REGISTRY.get_sample_value("viva_rpc_total", labels) or 0.0


async def test_a_cancellation_that_no_caller_caused_becomes_a_status() -> None:
    async with running(Speaker(error=asyncio.CancelledError())) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await tts_pb2_grpc.TtsServiceStub(channel).ListVoices(
                tts_pb2.ListVoicesRequest(), timeout=5
            )
    assert raised.value.code() == grpc.StatusCode.INTERNAL


@pytest.mark.parametrize(
    ("seconds", "code"), [(0.2, "DEADLINE_EXCEEDED"), (60, "CANCELLED")], ids=["late", "cancelled"]
)
async def test_a_call_that_ran_out_of_time_is_told_from_one_that_was_cancelled(
    seconds: float, code: str
) -> None:
    speaker = Speaker()
    before = counted(code, "Synthesize")
    async with running(speaker) as (_, channel):
        call = tts_pb2_grpc.TtsServiceStub(channel).Synthesize(
            tts_pb2.SynthesizeRequest(text="hello"), timeout=seconds
        )
        await call.read()
        await speaker.entered.wait()
        if code == "CANCELLED":
            call.cancel()
        async with asyncio.timeout(10):
            await speaker.closed.wait()
    assert counted(code, "Synthesize") == before + 1


def refused_calls(reason: str) -> float:
    labels = {"scheduler": "calls", "reason": reason}
    return REGISTRY.get_sample_value("viva_refused_total", labels) or 0.0


async def test_calls_beyond_the_limit_are_refused_and_health_checks_are_not() -> None:
    speaker, before = Speaker(), refused_calls("max_concurrent_rpcs")
    async with running(speaker, max_concurrent_rpcs=1) as (_, channel):
        stub = tts_pb2_grpc.TtsServiceStub(channel)
        call = stub.Synthesize(tts_pb2.SynthesizeRequest(text="hello"), timeout=60)
        await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.ListVoices(tts_pb2.ListVoicesRequest(), timeout=5)
        assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert details(status_of(raised.value), error_details_pb2.RetryInfo)
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        speaker.held.set()
        assert [await call.read(), await call.read()][-1] is grpc.aio.EOF  # type: ignore[attr-defined]
        await stub.ListVoices(tts_pb2.ListVoicesRequest(), timeout=5)
    assert refused_calls("max_concurrent_rpcs") == before + 1


@pytest.mark.parametrize("named_by", ["x-viva-user", "x-viva-address"])
async def test_who_calls_through_the_edge_leaves_calls_for_others_however_many_they_make(
    named_by: str,
) -> None:
    speaker, before = Speaker(), refused_calls("caller_share")
    async with AsyncExitStack() as stack:
        _, channel = await stack.enter_async_context(running(speaker, max_concurrent_rpcs=16))
        stub = tts_pb2_grpc.TtsServiceStub(channel)

        def hold(name: str) -> Any:
            request = tts_pb2.SynthesizeRequest(text="hello")
            call = stub.Synthesize(request, timeout=60, metadata=((named_by, name),))
            stack.callback(call.cancel)
            return call

        greedy = [hold("one") for _ in range(FEW)]
        for call in greedy:
            await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await hold("one").read()
        assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert details(status_of(raised.value), error_details_pb2.RetryInfo)
        assert str(raised.value.details()).startswith(f"{FEW} calls of this caller run")
        await hold("two").read()
        # As soon as some of theirs are over they may have as many again.
        speaker.held.set()
        while await greedy[0].read() is not grpc.aio.EOF:  # type: ignore[attr-defined]
            pass
        await hold("one").read()
    assert refused_calls("caller_share") == before + 1


async def test_an_answer_that_cannot_be_sent_is_an_internal_error_in_clean_words() -> None:
    class Wrong(tts_pb2_grpc.TtsServiceServicer):
        async def ListVoices(self, request: object, context: object) -> object:  # type: ignore[override]
            return None

    async with running(Wrong()) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await tts_pb2_grpc.TtsServiceStub(channel).ListVoices(
                tts_pb2.ListVoicesRequest(), timeout=5, metadata=(("x-request-id", "r2"),)
            )
    assert raised.value.code() == grpc.StatusCode.INTERNAL
    assert raised.value.details() == "internal error; request id r2"


async def test_an_answer_over_the_limit_is_refused_and_not_taken_for_a_bug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Loud(tts_pb2_grpc.TtsServiceServicer):
        async def Synthesize(
            self, request: object, context: object
        ) -> AsyncIterator[tts_pb2.SynthesizeResponse]:
            yield tts_pb2.SynthesizeResponse(chunk=tts_pb2.SpeechChunk(audio=bytes(100_000)))

    async with running(Loud()) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            request = tts_pb2.SynthesizeRequest(text="hello")
            async for _ in tts_pb2_grpc.TtsServiceStub(channel).Synthesize(request, timeout=5):
                pass
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not [line for line in caplog.records if line.levelname == "ERROR"]


async def test_unary_calls_are_timed_by_method_and_code() -> None:
    labels = {"rpc_method": f"{NAME}/ListVoices", "rpc_response_status_code": "OK"}
    name = "rpc_server_call_duration_seconds_count"
    before = REGISTRY.get_sample_value(name, labels) or 0
    async with running(Speaker()) as (_, channel):
        await tts_pb2_grpc.TtsServiceStub(channel).ListVoices(
            tts_pb2.ListVoicesRequest(), timeout=5
        )
    assert REGISTRY.get_sample_value(name, labels) == before + 1


async def test_grpcurl_lists_and_describes_all_there_is() -> None:
    async with running(Speaker(), max_message_bytes=1 << 20) as (server, _):
        listed = (await grpcurl(server.port, "list")).split()
        described = await grpcurl(server.port, "describe")
        for name in listed:
            assert f"{name} is a service" in described
            assert "rpc " in await grpcurl(server.port, "describe", name)
        method = f"{NAME}.ListVoices"
        assert "is a method" in await grpcurl(server.port, "describe", method)
    assert set(listed) == {
        NAME,
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def grpcurl(port: int, *arguments: str) -> str:
    program = shutil.which("grpcurl", path=str(Path(sys.executable).parent))
    assert program is not None, "install requirements/test.txt"
    process = await asyncio.create_subprocess_exec(
        *(program, "-plaintext", f"127.0.0.1:{port}", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_a_malformed_deadline_is_nobody_elses_trouble() -> None:
    # A proxy puts the calls of many on one connection; its header table is theirs together.
    timeouts = ("5S", "abc", "6S", "7S")
    async with running(Speaker()) as (server, _):
        _, malformed, *others = await calls(
            f"127.0.0.1:{server.port}",
            f"/{NAME}/ListVoices",
            frame(b""),
            [{"grpc-timeout": timeout} for timeout in timeouts],
        )
    assert malformed["grpc-status"] != "0"
    assert [answer["grpc-status"] for answer in others] == ["0", "0"]


@pytest.mark.slow
async def test_an_idle_connection_outlives_a_proxys_pings() -> None:
    async with running(Speaker()) as (server, _):
        assert await survives_pings(f"127.0.0.1:{server.port}", count=5, interval=1.1)
