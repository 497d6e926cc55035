"""A server whose model runs elsewhere is in service while that one works."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from urllib.parse import urlsplit

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from viva.llm.v1 import llm_pb2, llm_pb2_grpc

from services.llm.chat import ChatPrompt, Message, Role
from services.llm.engines.openai import Remote, open_engine
from services.llm.server import SERVICE, build
from services.llm.settings import LlmSettings
from services.runtime.channel import open_channel
from services.runtime.server import serving
from tests.llm.model_server import Reply, answer, model_server

HELLO = Reply(answer("Hello!"))
REQUEST = llm_pb2.ChatRequest(messages=[llm_pb2.Message(role=llm_pb2.ROLE_USER, content="Hello")])
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@asynccontextmanager
async def served(url: str) -> AsyncIterator[grpc.aio.Channel]:
    settings = LlmSettings(
        engine="openai",
        model="small",
        port=0,
        lame_duck_seconds=0,
        openai_base_url=url,
        openai_attempts=1,
    )
    async with (
        serving(settings, "llm", lambda: build(settings)) as server,
        open_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield channel


async def until(channel: grpc.aio.Channel, status: int) -> None:
    request = health_pb2.HealthCheckRequest(service=SERVICE)
    watch = health_pb2_grpc.HealthStub(channel).Watch(request)
    async with asyncio.timeout(20):
        async for state in watch:
            if state.status == status:
                break
    watch.cancel()


async def chat(channel: grpc.aio.Channel) -> str:
    stub: llm_pb2_grpc.LlmServiceAsyncStub = llm_pb2_grpc.LlmServiceStub(channel)
    responses = [response async for response in stub.Chat(REQUEST, timeout=10)]
    return "".join(response.delta.text for response in responses)


async def test_a_dead_server_takes_ours_out_of_service_and_its_return_brings_it_back() -> None:
    async with model_server(HELLO) as upstream:
        port = urlsplit(upstream.url).port or 0
        channel_scope = served(upstream.url)
        channel = await channel_scope.__aenter__()
        assert await chat(channel) == "Hello!"
        await until(channel, SERVING)
    try:
        for _ in range(3):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await chat(channel)
            assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
        await until(channel, NOT_SERVING)
        async with model_server(HELLO, port=port):
            await until(channel, SERVING)
            assert await chat(channel) == "Hello!"
    finally:
        await channel_scope.__aexit__(None, None, None)


async def test_a_refused_key_takes_ours_out_of_service_too() -> None:
    async with model_server(Reply(status=401)) as upstream, served(upstream.url) as channel:
        for _ in range(3):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await chat(channel)
            assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        await until(channel, NOT_SERVING)
        upstream.replies[:] = [HELLO]
        await until(channel, SERVING)


async def test_a_server_that_is_only_busy_or_refuses_a_request_stays_in_service() -> None:
    async with model_server(Reply(status=429)) as upstream, served(upstream.url) as channel:
        for status in (429, 400):
            upstream.replies[:] = [Reply(status=status)]
            for _ in range(4):
                with pytest.raises(grpc.aio.AioRpcError):
                    await chat(channel)
        await until(channel, SERVING)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


LISTED = Reply(['{"data": [{"id": "small", "max_model_len": 32768}]}'])


async def context_tokens(channel: grpc.aio.Channel) -> float:
    stub: llm_pb2_grpc.LlmServiceAsyncStub = llm_pb2_grpc.LlmServiceStub(channel)
    (model,) = (await stub.ListModels(llm_pb2.ListModelsRequest(), timeout=10)).models
    return {limit.name: limit.value for limit in model.limits}["context_tokens"]


async def test_a_server_that_is_started_before_its_model_says_so_until_that_is_there(
    free_port: int,
) -> None:
    async with served(f"http://127.0.0.1:{free_port}/v1") as channel:
        await until(channel, NOT_SERVING)
        async with model_server(HELLO, port=free_port) as upstream:
            upstream.models = LISTED
            await until(channel, SERVING)
            assert await context_tokens(channel) == 32768


async def test_a_proxy_before_a_model_that_still_loads_is_not_taken_for_the_model() -> None:
    async with model_server(HELLO) as upstream:
        upstream.models = Reply(status=502)
        async with served(upstream.url) as channel:
            await until(channel, NOT_SERVING)
            upstream.models = LISTED
            await until(channel, SERVING)
            assert await context_tokens(channel) == 32768


async def test_a_server_that_lists_no_models_serves_all_the_same() -> None:
    async with model_server(HELLO) as upstream:
        upstream.models = Reply(status=404)
        async with served(upstream.url) as channel:
            await until(channel, SERVING)


async def test_an_answer_that_comes_before_a_probe_is_followed_by_the_greeting() -> None:
    async with model_server(HELLO) as upstream:
        upstream.models = Reply(status=502)
        async with open_engine(Remote(upstream.url, "small")) as engine:
            before = engine.health.healthy
            upstream.models = LISTED
            prompt = ChatPrompt((Message(Role.USER, "Hello"),))
            async with aclosing(engine.chat(prompt)) as events:
                assert [event async for event in events]
            assert (before, engine.health.healthy) == (False, True)
            assert engine.describe().context_tokens == 32768
