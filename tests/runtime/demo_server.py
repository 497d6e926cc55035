"""A small server for tests of a whole process: it embeds a text as its length."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
from pydantic_settings import SettingsConfigDict
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.runtime.batching import BatchScheduler
from services.runtime.errors import ResourceMissing
from services.runtime.server import Service, run
from services.runtime.settings import ServerSettings, load
from services.runtime.stats import stats


class DemoSettings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="VIVA_DEMO_")

    missing: bool = False


class Demo(embed_pb2_grpc.EmbedServiceServicer):
    def __init__(self, scheduler: BatchScheduler[str, float]) -> None:
        self._scheduler = scheduler

    async def Embed(
        self, request: embed_pb2.EmbedRequest, context: object
    ) -> embed_pb2.EmbedResponse:
        done = await self._scheduler.submit(request.inputs[0])
        return embed_pb2.EmbedResponse(
            embeddings=[embed_pb2.Embedding(values=[done.value])],
            stats=stats("demo", batch_size=done.batch_size),
        )


def lengths(texts: Sequence[str]) -> Sequence[float | Exception]:
    return [float(len(text)) for text in texts]


@asynccontextmanager
async def build() -> AsyncIterator[Sequence[Service]]:
    if DemoSettings().missing:
        raise ResourceMissing("no weights here", "run `make setup`")
    async with BatchScheduler(lengths, name="demo", max_batch_size=8) as scheduler:

        def register(server: grpc.aio.Server) -> None:
            servicer = Demo(scheduler)  # type: ignore[abstract]
            embed_pb2_grpc.add_EmbedServiceServicer_to_server(servicer, server)

        yield [Service("viva.embed.v1.EmbedService", register)]


if __name__ == "__main__":
    run(load(DemoSettings), "demo", build)
