"""The embedding server's process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.embed.embedder import BatchLimits, embedding, reranking
from services.embed.engines import EngineInfo
from services.embed.engines.selection import (
    load_cross_encoder,
    load_encoder,
    model_files,
    model_version,
    tokenization,
)
from services.embed.servicer import EmbedServicer, ServedEncoder, ServedReranker
from services.embed.settings import EmbedSettings
from services.runtime import metrics
from services.runtime.server import Service, run
from services.runtime.settings import load

SERVICE = embed_pb2.DESCRIPTOR.services_by_name["EmbedService"].full_name


@asynccontextmanager
async def build(settings: EmbedSettings) -> AsyncIterator[Sequence[Service]]:
    """Loads the models, warms them up and yields the service.

    Raises:
        ResourceMissing: A package, the weights or a device is not there.
    """
    async with AsyncExitStack() as stack:
        encoder = await _encoder(settings, stack)
        reranker = await _reranker(settings, settings.rerank_model, stack)
        servicer = EmbedServicer(encoder, reranker)
        yield [
            Service(
                SERVICE,
                lambda server: embed_pb2_grpc.add_EmbedServiceServicer_to_server(servicer, server),
                [encoder.embedder.health, *([reranker.reranker.health] if reranker else [])],
            )
        ]


async def _encoder(settings: EmbedSettings, stack: AsyncExitStack) -> ServedEncoder:
    choice = settings.choice()
    files = await asyncio.to_thread(model_files, settings)
    encoder = await asyncio.to_thread(load_encoder, settings, files)
    stack.callback(encoder.close)
    embedder = await stack.enter_async_context(
        embedding(encoder, tokenization(files), _limits(settings, encoder.info))
    )
    card = _card(choice.name, encoder.info, is_default=True)
    card.version = model_version(settings)
    card.languages.extend(choice.languages)
    card.limits.add(name="input_tokens", value=files.max_tokens)
    card.limits.add(name="dimensions", value=encoder.dimensions)
    return ServedEncoder(card, encoder.dimensions, embedder)


async def _reranker(
    settings: EmbedSettings, model: str | None, stack: AsyncExitStack
) -> ServedReranker | None:
    if model is None:
        return None
    cross_encoder, files = await asyncio.to_thread(load_cross_encoder, settings, model)
    stack.callback(cross_encoder.close)
    reranker = await stack.enter_async_context(
        reranking(cross_encoder, tokenization(files), _limits(settings, cross_encoder.info))
    )
    name = model.rstrip("/").rpartition("/")[2]
    card = _card(name, cross_encoder.info, is_default=False)
    card.limits.add(name="pair_tokens", value=files.max_tokens)
    return ServedReranker(card, reranker)


def _limits(settings: EmbedSettings, info: EngineInfo) -> BatchLimits:
    return BatchLimits(
        size=settings.max_batch_size,
        tokens=settings.batch_tokens(),
        seconds=settings.max_batch_ms / 1000,
        wait=settings.max_wait_ms / 1000,
        queue=settings.max_queue,
        workers=info.parallel,
    )


def _card(name: str, info: EngineInfo, *, is_default: bool) -> serving_pb2.ModelInfo:
    if info.memory_bytes:
        metrics.MODEL_MEMORY.labels(name, info.device).set(info.memory_bytes)
    return serving_pb2.ModelInfo(
        name=name,
        engine=info.engine,
        device=info.device,
        memory_bytes=info.memory_bytes or None,
        is_default=is_default,
    )


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    # Tokenizing a request is done sooner by one thread than it is shared among cores that encode.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    settings = load(EmbedSettings)
    run(settings, "embed", lambda: build(settings))
