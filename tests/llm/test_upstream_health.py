"""A server whose model runs elsewhere is in service while that one works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from viva.llm.v1 import llm_pb2, llm_pb2_grpc

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
