"""The language model server as a process: killed, stopped, and left by its callers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest
import pytest_asyncio
from viva.llm.v1 import llm_pb2, llm_pb2_grpc

from services.runtime.channel import open_channel
from tests.edge.backend import envoy
from tests.server_process import ServerProcess, client_process, server_process

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

SERVICE = "viva.llm.v1.LlmService"
Call: TypeAlias = "grpc.aio.UnaryStreamCall[llm_pb2.ChatRequest, llm_pb2.ChatResponse]"


def question(text: str, max_tokens: int) -> llm_pb2.ChatRequest:
    message = llm_pb2.Message(role=llm_pb2.ROLE_USER, content=text)
    return llm_pb2.ChatRequest(messages=[message], max_tokens=max_tokens)


STORY = question("Write a very long story about a river.", 3500)


async def begun(channel: grpc.aio.Channel, request: llm_pb2.ChatRequest) -> Call:
    """A chat whose first piece has come."""
    call: Call = llm_pb2_grpc.LlmServiceStub(channel).Chat(request, timeout=120)
    first = await call.read()
    assert isinstance(first, llm_pb2.ChatResponse)
    assert first.HasField("delta")
    return call


async def rest(call: Call) -> tuple[list[llm_pb2.ChatResponse], grpc.StatusCode]:
    """What still comes of a call, and how it ends; neither may take long."""
    messages: list[llm_pb2.ChatResponse] = []
    async with asyncio.timeout(30):
        try:
            while isinstance(message := await call.read(), llm_pb2.ChatResponse):
                messages.append(message)
        except grpc.aio.AioRpcError as error:
            return messages, error.code()
        return messages, await call.code()


async def test_a_server_killed_in_mid_stream_ends_the_stream_at_once(
    packaged: Path, data_dir: Path, tmp_path: Path
) -> None:
    async with (
        server_process("llm", SERVICE, DATA_DIR=str(data_dir)) as server,
        envoy(tmp_path, {"llm": [server.port]}) as mesh,
        server.channel() as direct,
        open_channel(mesh.address) as through_envoy,
    ):
        await mesh.until_healthy(SERVICE, server.port)
        calls = [await begun(channel, STORY) for channel in (direct, through_envoy)]
        server.process.kill()
        codes = [(await rest(call))[1] for call in calls]
        # Once headers have passed, Envoy can only reset the stream, which gRPC calls INTERNAL.
        assert codes == [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL]
        assert "RST_STREAM" in (await calls[1].details() or "")
        # A new call finds nobody, through the proxy too.
        for channel in (direct, through_envoy):
            _, code = await rest(llm_pb2_grpc.LlmServiceStub(channel).Chat(STORY, timeout=20))
            assert code is grpc.StatusCode.UNAVAILABLE


async def test_a_server_that_stops_finishes_short_answers_and_tells_long_ones(
    packaged: Path, data_dir: Path
) -> None:
    async with (
        server_process(
            "llm", SERVICE, DATA_DIR=str(data_dir), LAME_DUCK_SECONDS="0.2", VIVA_DRAIN_SECONDS="3"
        ) as server,
        server.channel() as channel,
    ):
        short = await begun(channel, question("Name a colour.", 4))
        long = await begun(channel, STORY)
        server.process.send_signal(signal.SIGTERM)
        messages, code = await rest(short)
        assert code is grpc.StatusCode.OK
        assert messages[-1].HasField("finish")
        messages, code = await rest(long)
        assert code is grpc.StatusCode.UNAVAILABLE
        assert not any(message.HasField("finish") for message in messages)
        assert await server.stopped() == 0


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def server(packaged: Path, data_dir: Path) -> AsyncIterator[ServerProcess]:
    async with server_process("llm", SERVICE, DATA_DIR=str(data_dir), PARALLEL="1") as running:
        yield running


async def kill_a_client(server: ServerProcess) -> None:
    request = STORY.SerializeToString().hex()
    program = Path(__file__).with_name("vanishing_client.py")
    async with client_process(program, server.address, request) as client:
        assert client.stdout is not None
        assert await client.stdout.readline() == b"begun\n"
        client.kill()


async def tear_a_channel_down(server: ServerProcess) -> None:
    channel = open_channel(server.address)
    call = await begun(channel, STORY)
    await channel.close(None)
    with pytest.raises(asyncio.CancelledError):
        await call.read()


@pytest.mark.parametrize("vanish", [kill_a_client, tear_a_channel_down])
async def test_a_client_that_vanishes_in_mid_stream_leaves_nothing_behind(
    server: ServerProcess, vanish: Callable[[ServerProcess], Awaitable[None]]
) -> None:
    async with server.channel() as channel:
        await rest(await begun(channel, question("Name a colour.", 4)))
        _, before = await server.load()
        other = await begun(channel, question("Write a story about a hill.", 150))
        await vanish(server)
        messages, code = await rest(other)
        assert code is grpc.StatusCode.OK
        assert messages[-1].finish.usage.completion_tokens > 100

        await server.until_load(lambda calls, tasks: calls == 0 and tasks <= before)
        # Whatever is generated from now on belongs to the one answer that is asked for.
        generated = await server.metric("viva_llm_generated_tokens_total")
        messages, _ = await rest(await begun(channel, question("Name a colour.", 4)))
        more = await server.metric("viva_llm_generated_tokens_total") - generated
        assert more == messages[-1].finish.usage.completion_tokens
