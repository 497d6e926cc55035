"""The mesh listener, with a real Envoy: routing, streams, retries, health, ejection, failover."""

from __future__ import annotations

import asyncio
import json
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from edge.envoy.bootstrap import ADMIN_SOCKET
from services.runtime.channel import open_channel
from tests.edge.backend import STATUS, Backend, envoy, through_envoy
from tests.runtime.demo import demo, until_serving
from tests.runtime.raw_client import Headers, calls, frame
from tests.server_process import free_port, until

EMBED = "viva.embed.v1.EmbedService"
ASR = "viva.asr.v1.AsrService"
QUESTIONS = "viva.interview.v1.QuestionService"
REQUEST = embed_pb2.EmbedRequest(inputs=["hello"])


def speech(audio: bytes) -> asr_pb2.StreamingRecognizeRequest:
    return asr_pb2.StreamingRecognizeRequest(audio=serving_pb2.AudioChunk(audio=audio))


@dataclass
class Waiting(Backend):
    """Answers when it is told to."""

    began: asyncio.Event = field(default_factory=asyncio.Event)
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def Embed(
        self, request: embed_pb2.EmbedRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> embed_pb2.EmbedResponse:
        self.began.set()
        try:
            await self.free.wait()
        finally:
            self.ended.set()
        return await super().Embed(request, context)


async def answered_by(channel: grpc.aio.Channel) -> str:
    answer = await embed_pb2_grpc.EmbedServiceStub(channel).Embed(REQUEST, timeout=10)
    return answer.stats.model


async def test_calls_reach_their_server_with_their_identity(tmp_path: Path) -> None:
    backend = Backend()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = {"x-request-id": "mine", "x-viva-caller": "test", "traceparent": trace}
    async with through_envoy(backend, tmp_path, EMBED) as channel:
        stub = embed_pb2_grpc.EmbedServiceStub(channel)
        await stub.Embed(REQUEST, timeout=10, metadata=tuple(sent.items()))
    assert sent.items() <= backend.metadata[0].items()
    [remaining] = backend.remaining
    assert remaining is not None
    assert 0 < remaining <= 10


async def test_a_method_nobody_implements_says_so(tmp_path: Path) -> None:
    backend = Backend()
    async with through_envoy(backend, tmp_path, EMBED) as channel:
        unknown = channel.unary_unary("/viva.nowhere.v1.NoService/Call", None, None)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unknown(b"", timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_server_that_is_not_there_is_unavailable_at_once(tmp_path: Path) -> None:
    async with envoy(tmp_path, free_port()) as mesh, open_channel(mesh.address) as channel:
        stub = tts_pb2_grpc.TtsServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ListVoices(tts_pb2.ListVoicesRequest(), timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_bidirectional_stream_flows_both_ways_and_its_cancellation_arrives(
    tmp_path: Path,
) -> None:
    backend = Backend()
    async with through_envoy(backend, tmp_path, ASR) as channel:
        call = asr_pb2_grpc.AsrServiceStub(channel).StreamingRecognize()  # type: ignore[call-arg]
        for size in (1, 2, 3):
            await call.write(speech(b"x" * size))
            answer = await call.read()
            assert isinstance(answer, asr_pb2.StreamingRecognizeResponse)
            assert answer.turn == size
        call.cancel()
        async with asyncio.timeout(10):
            await backend.ended.wait()


@pytest.mark.slow
async def test_a_connection_survives_thousands_of_cancelled_streams(tmp_path: Path) -> None:
    backend = Backend()
    async with through_envoy(backend, tmp_path, ASR) as channel:
        stub = asr_pb2_grpc.AsrServiceStub(channel)
        survivor = stub.StreamingRecognize()  # type: ignore[call-arg]
        for _ in range(1500):
            call = stub.StreamingRecognize()  # type: ignore[call-arg]
            await call.write(speech(b"x"))
            call.cancel()
        await survivor.write(speech(b"xx"))
        answer = await survivor.read()
        assert isinstance(answer, asr_pb2.StreamingRecognizeResponse)
        assert answer.turn == 2
        survivor.cancel()


@pytest.mark.slow
async def test_a_recording_of_128_mebibytes_passes(tmp_path: Path) -> None:
    backend = Backend()
    audio = bytes(128 * 1024 * 1024 - 1024)
    async with through_envoy(backend, tmp_path, ASR) as channel:
        stub = asr_pb2_grpc.AsrServiceStub(channel)
        answer = await stub.Recognize(asr_pb2.RecognizeRequest(audio=audio), timeout=60)
    assert answer.text == str(len(audio))


async def test_an_idempotent_call_is_sent_again_when_the_server_was_unavailable(
    tmp_path: Path,
) -> None:
    backend = Backend(failures=2)
    async with through_envoy(backend, tmp_path, EMBED) as channel:
        assert await answered_by(channel) == "backend"
    assert backend.calls == 3


async def test_an_idempotent_call_that_a_stopping_server_cancels_is_sent_again(
    tmp_path: Path,
) -> None:
    # So grpc ends calls of a server that is stopped, and other programs do of one that drains.
    backend = Backend(failures=2, failure=grpc.StatusCode.CANCELLED)
    async with through_envoy(backend, tmp_path, EMBED) as channel:
        assert await answered_by(channel) == "backend"
    assert backend.calls == 3


async def test_a_call_that_its_client_cancels_is_not_sent_again(tmp_path: Path) -> None:
    backend = Waiting()
    async with through_envoy(backend, tmp_path, EMBED) as channel:
        call = embed_pb2_grpc.EmbedServiceStub(channel).Embed(REQUEST, timeout=10)
        async with asyncio.timeout(10):
            await backend.began.wait()
            call.cancel()
            await backend.ended.wait()
        backend.free.set()
        # Whatever was sent again would have been answered before this.
        assert await answered_by(channel) == "backend"
    assert backend.calls == 1


async def test_a_stream_is_never_sent_again(tmp_path: Path) -> None:
    backend = Backend(failures=1)
    async with through_envoy(backend, tmp_path, ASR) as channel:
        call = asr_pb2_grpc.AsrServiceStub(channel).StreamingRecognize()  # type: ignore[call-arg]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert backend.calls == 1


@pytest.mark.slow
async def test_calls_go_to_the_fallback_while_the_primary_is_gone_and_come_back(
    tmp_path: Path,
) -> None:
    primary, fallback, again = Backend("primary"), Backend("fallback"), Backend("primary")
    async with (
        fallback.serving(),
        primary.serving() as server,
        envoy(tmp_path, {"embed": [primary.port]}, {"embed": [fallback.port]}) as mesh,
        open_channel(mesh.address) as channel,
    ):
        await mesh.until_healthy(EMBED, primary.port, fallback.port)
        assert {await answered_by(channel) for _ in range(5)} == {"primary"}
        await server.stop(0)
        # What fails now is sent again where it does not; the caller sees none of it.
        await answered_by(channel)
        await mesh.until_healthy(EMBED, fallback.port)
        assert {await answered_by(channel) for _ in range(5)} == {"fallback"}
        async with again.serving(primary.port):
            await mesh.until_healthy(EMBED, primary.port, fallback.port)

            async def back() -> bool:
                return await answered_by(channel) == "primary"

            await until(back)
            assert {await answered_by(channel) for _ in range(5)} == {"primary"}


async def test_calls_are_spread_over_replicas_as_soon_as_they_are_healthy(tmp_path: Path) -> None:
    one, two = Backend("one"), Backend("two")
    async with (
        one.serving(),
        envoy(tmp_path, {"embed": [one.port, (late := free_port())]}) as mesh,
        open_channel(mesh.address) as channel,
    ):
        await mesh.until_healthy(EMBED, one.port)
        async with two.serving(late):
            await mesh.until_healthy(EMBED, one.port, late)
            assert {await answered_by(channel) for _ in range(30)} == {"one", "two"}


async def test_a_server_that_says_not_serving_gets_no_calls(tmp_path: Path) -> None:
    one, two = Backend("one"), Backend("two")
    async with (
        one.serving(),
        two.serving(),
        envoy(tmp_path, {"embed": [one.port, two.port]}) as mesh,
        open_channel(mesh.address) as channel,
    ):
        await mesh.until_healthy(EMBED, one.port, two.port)
        await one.health.set(EMBED, STATUS.NOT_SERVING)
        await mesh.until_healthy(EMBED, two.port)
        assert {await answered_by(channel) for _ in range(10)} == {"two"}


@pytest.mark.slow
async def test_a_server_that_keeps_failing_is_ejected(tmp_path: Path) -> None:
    failing, good = Backend("failing", failures=10_000), Backend("good")
    async with (
        failing.serving(),
        good.serving(),
        envoy(tmp_path, {"asr": [failing.port, good.port]}) as mesh,
        open_channel(mesh.address) as channel,
    ):
        await mesh.until_healthy(ASR, failing.port, good.port)
        stub = asr_pb2_grpc.AsrServiceStub(channel)

        async def ejected() -> bool:
            call = stub.StreamingRecognize()  # type: ignore[call-arg]
            try:
                await call.write(speech(b"x"))
                await call.read()
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                pass
            finally:
                call.cancel()
            return await mesh.healthy(ASR) == {good.port}

        async def spared() -> bool:
            await until(ejected)
            before = failing.calls
            for _ in range(5):
                await stub.Recognize(asr_pb2.RecognizeRequest(audio=b"x"), timeout=10)
            # It is let in again after some seconds, which may have been now.
            return await mesh.healthy(ASR) == {good.port} and failing.calls == before

        await until(spared)


async def test_the_only_server_is_never_ejected(tmp_path: Path) -> None:
    backend = Backend(failures=60)
    async with through_envoy(backend, tmp_path, EMBED) as channel:
        for _ in range(20):
            with pytest.raises(grpc.aio.AioRpcError):
                await answered_by(channel)
        assert backend.calls == 60
        assert await answered_by(channel) == "backend"


async def test_the_access_log_has_one_line_a_call_and_no_content(tmp_path: Path) -> None:
    backend = Backend()
    async with (
        backend.serving(),
        envoy(tmp_path, backend.port) as mesh,
        open_channel(mesh.address) as channel,
    ):
        await mesh.until_healthy(EMBED, backend.port)
        stub = embed_pb2_grpc.EmbedServiceStub(channel)
        await stub.Embed(embed_pb2.EmbedRequest(inputs=["a secret"]), timeout=10)
        async with httpx.AsyncClient() as client:
            await client.get(f"{mesh.edge}/v1/questions", params={"query": "another secret"})
    text = mesh.access_log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["path"] for line in lines] == [f"/{EMBED}/Embed", "/v1/questions"]
    assert lines[0]["grpc_status"] in {"OK", "0"}
    assert "secret" not in text


async def test_a_change_of_endpoints_cuts_no_stream_and_loses_no_call(tmp_path: Path) -> None:
    old, new, third = Backend("old"), Backend("new"), Backend("third")
    async with (
        old.serving(),
        new.serving(),
        third.serving(),
        envoy(tmp_path, old.port) as mesh,
        open_channel(mesh.address) as channel,
    ):
        await mesh.until_healthy(ASR, old.port)
        await mesh.until_healthy(EMBED, old.port)
        stream = asr_pb2_grpc.AsrServiceStub(channel).StreamingRecognize()  # type: ignore[call-arg]

        async def still_flows() -> None:
            await stream.write(speech(b"xx"))
            answer = await stream.read()
            assert isinstance(answer, asr_pb2.StreamingRecognizeResponse)
            assert answer.turn == 2

        await still_flows()
        stop = asyncio.Event()

        async def keep_calling() -> list[str]:
            answers = []
            while not stop.is_set():
                answers.append(await answered_by(channel))
            return answers

        async with asyncio.TaskGroup() as callers:
            calling = [callers.create_task(keep_calling()) for _ in range(4)]
            changes = ([old, new], [new], [new, third], [third])
            for change in changes:
                ports = [backend.port for backend in change]
                for server in ("asr", "embed"):
                    mesh.publish(server, *ports)
                for service in (ASR, EMBED):
                    await mesh.until_healthy(service, *ports)
                await still_flows()
            assert await answered_by(channel) == "third"
            stop.set()
        assert {"old", "new"} <= {answer for task in calling for answer in task.result()}
        await still_flows()
        stream.cancel()


async def test_a_server_without_replicas_is_unavailable_at_once_and_may_get_some(
    tmp_path: Path,
) -> None:
    backend = Backend()
    async with (
        backend.serving(),
        envoy(tmp_path, {"embed": []}) as mesh,
        open_channel(mesh.address) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await answered_by(channel)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        mesh.publish("embed", backend.port)
        await mesh.until_healthy(EMBED, backend.port)
        assert await answered_by(channel) == "backend"


async def test_half_of_the_primaries_gone_sends_nothing_to_the_fallback(tmp_path: Path) -> None:
    primary, fallback = Backend("primary"), Backend("fallback")
    absent = free_port()
    async with (
        primary.serving(),
        fallback.serving(),
        envoy(tmp_path, {"embed": [primary.port, absent]}, {"embed": [fallback.port]}) as mesh,
        open_channel(mesh.address) as channel,
    ):
        await mesh.until_healthy(EMBED, primary.port, fallback.port)
        assert {await answered_by(channel) for _ in range(40)} == {"primary"}


async def test_a_drained_envoy_finishes_its_streams_and_takes_no_connections(
    tmp_path: Path,
) -> None:
    backend = Backend()
    async with (
        backend.serving(),
        envoy(tmp_path, backend.port) as mesh,
        open_channel(mesh.address) as channel,
        mesh.whole_admin() as admin,
    ):
        assert (tmp_path / ADMIN_SOCKET).stat().st_mode & 0o777 == 0o600
        await mesh.until_healthy(ASR, backend.port)
        call = asr_pb2_grpc.AsrServiceStub(channel).StreamingRecognize()  # type: ignore[call-arg]
        await call.write(speech(b"x"))
        await call.read()
        (await admin.post("/drain_listeners")).raise_for_status()

        async def closed() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", mesh.settings.mesh_port)
            except ConnectionRefusedError:
                return True
            writer.close()
            return False

        await until(closed)
        await call.write(speech(b"xx"))
        answer = await call.read()
        assert isinstance(answer, asr_pb2.StreamingRecognizeResponse)
        call.cancel()


async def test_the_admin_port_changes_nothing(tmp_path: Path) -> None:
    async with envoy(tmp_path, free_port()) as mesh, httpx.AsyncClient() as client:
        for path in ("/quitquitquit", "/drain_listeners", "/healthcheck/fail", "/logging"):
            assert (await client.post(f"{mesh.admin}{path}")).status_code == 403
        statistics = await client.get(f"{mesh.admin}/stats/prometheus")
        assert "envoy_cluster" in statistics.text


async def test_a_malformed_deadline_is_refused_and_others_are_served(tmp_path: Path) -> None:
    backend = Backend()
    async with backend.serving(), envoy(tmp_path, backend.port) as mesh:
        for service in (EMBED, QUESTIONS):
            await mesh.until_healthy(service, backend.port)
        for address, method in (
            (mesh.address, f"/{EMBED}/Embed"),
            (mesh.edge.removeprefix("http://"), f"/{QUESTIONS}/SearchQuestions"),
        ):
            sent: list[Headers] = [{"grpc-timeout": "5x"}, {"grpc-timeout": "5S"}, {}]
            malformed, *others = await calls(address, method, frame(b""), sent)
            assert "malformed" in malformed["grpc-message"]
            assert [answer["grpc-status"] for answer in others] == ["0", "0"]
    assert backend.calls == 4


@pytest.mark.slow
async def test_calls_that_a_hung_replica_holds_are_answered_by_another(tmp_path: Path) -> None:
    port, backend = free_port(), Backend()
    async with (
        backend.serving(),
        demo(VIVA_DEMO_PORT=str(port)) as hung,
        open_channel(f"127.0.0.1:{port}") as direct,
        envoy(tmp_path, {"embed": [port, backend.port]}) as mesh,
        open_channel(mesh.address) as channel,
    ):
        await until_serving(direct)
        await mesh.until_healthy(EMBED, port, backend.port)

        async def both_connected() -> bool:
            return {await answered_by(channel) for _ in range(8)} > {"backend"}

        await until(both_connected)
        hung.send_signal(signal.SIGSTOP)
        # The limit is far below what TCP and health checks of idle replicas would leave them.
        answers = await asyncio.gather(*(answered_by(channel) for _ in range(20)))
    assert answers == ["backend"] * 20
