"""A small server for tests of a whole process: it embeds a text as its length.

Beside that it has a method of each of gRPC's four shapes, a batch of the model for every message.
They stand under the name of a service of the contracts, so that Envoy has a route to them.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import grpc
from google.protobuf.wrappers_pb2 import StringValue
from pydantic_settings import SettingsConfigDict
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.runtime.batching import BatchScheduler
from services.runtime.channel import open_channel, outgoing
from services.runtime.engine_health import EngineHealth
from services.runtime.errors import Draining, ResourceMissing
from services.runtime.logs import configure, log
from services.runtime.request import current_request
from services.runtime.server import Service, run
from services.runtime.settings import ServerSettings, load
from services.runtime.stats import stats

SHAPES = "viva.tts.v1.TtsService"
DEVICE_LOST = "lose the device"
HANG = "hang"

_logger = logging.getLogger(__name__)


class DemoSettings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="VIVA_DEMO_")

    missing: bool = False
    loading: Literal["none", "in_thread", "on_loop", "in_log"] = "none"


class SignalledInWrite(io.RawIOBase):
    """Standard error that is sent SIGTERM while it writes, and refuses a line within a line."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return os.write(2, data)


class Demo(embed_pb2_grpc.EmbedServiceServicer):
    def __init__(self, scheduler: BatchScheduler[str, float]) -> None:
        self._scheduler = scheduler

    async def Embed(
        self, request: embed_pb2.EmbedRequest, context: object
    ) -> embed_pb2.EmbedResponse:
        log(_logger, logging.INFO, "embedding")
        done = await self._scheduler.submit(request.inputs[0])
        return embed_pb2.EmbedResponse(
            embeddings=[embed_pb2.Embedding(values=[done.value])],
            stats=stats("demo", batch_size=done.batch_size),
        )


class Shapes:
    """A method of each shape; `Onward` calls the embedding server at the address it is sent."""

    def __init__(self, scheduler: BatchScheduler[str, float]) -> None:
        self._scheduler = scheduler

    async def OneOne(self, request: StringValue, context: object) -> StringValue:
        return await self._measured(request)

    async def OneMany(self, request: StringValue, context: object) -> AsyncIterator[StringValue]:
        for _ in range(2):
            yield await self._measured(request)

    async def ManyOne(self, requests: AsyncIterator[StringValue], context: object) -> StringValue:
        answers = [await self._measured(request) async for request in requests]
        return answers[-1]

    async def ManyMany(
        self, requests: AsyncIterator[StringValue], context: object
    ) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield await self._measured(request)

    async def UntilDraining(
        self, request: StringValue, context: object
    ) -> AsyncIterator[StringValue]:
        yield await self._measured(request)
        await current_request().draining.wait()
        yield await self._measured(request)
        raise Draining

    async def Onward(self, request: StringValue, context: object) -> StringValue:
        async with open_channel(request.value) as channel:
            answer = await embed_pb2_grpc.EmbedServiceStub(channel).Embed(
                embed_pb2.EmbedRequest(inputs=["hello"]), **outgoing(10)
            )
        return StringValue(value=str(answer.embeddings[0].values[0]))

    async def _measured(self, request: StringValue) -> StringValue:
        return StringValue(value=str((await self._scheduler.submit(request.value)).value))

    def register(self, server: grpc.aio.Server) -> None:
        codecs: dict[str, Callable[..., Any]] = {
            "request_deserializer": StringValue.FromString,
            "response_serializer": StringValue.SerializeToString,
        }
        handlers = {
            "OneOne": grpc.unary_unary_rpc_method_handler(self.OneOne, **codecs),
            "OneMany": grpc.unary_stream_rpc_method_handler(self.OneMany, **codecs),
            "ManyOne": grpc.stream_unary_rpc_method_handler(self.ManyOne, **codecs),
            "ManyMany": grpc.stream_stream_rpc_method_handler(self.ManyMany, **codecs),
            "UntilDraining": grpc.unary_stream_rpc_method_handler(self.UntilDraining, **codecs),
            "Onward": grpc.unary_unary_rpc_method_handler(self.Onward, **codecs),
        }
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SHAPES, handlers)])


def lengths(texts: Sequence[str]) -> Sequence[float | Exception]:
    if DEVICE_LOST in texts:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if HANG in texts:
        log(_logger, logging.INFO, "hanging")
        time.sleep(600)
    return [float(len(text)) for text in texts]


@asynccontextmanager
async def build(settings: DemoSettings) -> AsyncIterator[Sequence[Service]]:
    if settings.missing:
        raise ResourceMissing("no weights here", "run `make setup`")
    if settings.loading == "in_log":
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(SignalledInWrite()), line_buffering=True)
        configure("demo", "INFO")
    log(_logger, logging.INFO, "loading")
    if settings.loading == "in_log":
        time.sleep(600)  # noqa: ASYNC251 - reached only if the signal was lost
    if settings.loading == "in_thread":
        await asyncio.to_thread(time.sleep, 600)
    if settings.loading == "on_loop":
        time.sleep(600)  # noqa: ASYNC251 - what is tested

    async def probe() -> None:
        await scheduler.submit("hello")

    health = EngineHealth("demo", probe=probe)
    async with BatchScheduler(
        health.watched(lengths), name="demo", max_batch_size=8, watch=health.report
    ) as scheduler:

        def register(server: grpc.aio.Server) -> None:
            embed_pb2_grpc.add_EmbedServiceServicer_to_server(Demo(scheduler), server)

        yield [
            Service("viva.embed.v1.EmbedService", register, health),
            Service(SHAPES, Shapes(scheduler).register, health),
        ]


if __name__ == "__main__":
    chosen = load(DemoSettings)
    run(chosen, "demo", lambda: build(chosen))
