"""Embeddings through `viva.embed.v1.EmbedService`."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import numpy as np
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.interview.clients.failures import failures
from services.interview.clients.seams import Vectors
from services.runtime.channel import outgoing

MAX_TEXTS = 64
"""Texts a call: a background call must not hold the model from an interactive one for long."""
QUERY_SECONDS = 2.0
BACKGROUND_SECONDS = 8.0


class EmbedClient:
    """An embedding model behind a channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: embed_pb2_grpc.EmbedServiceAsyncStub = embed_pb2_grpc.EmbedServiceStub(channel)

    async def embed(self, texts: Sequence[str], *, query: bool, background: bool) -> Vectors:
        """One vector of length 1 a text."""
        rows: list[Sequence[float]] = []
        model = ""
        batch = serving_pb2.PRIORITY_BATCH
        for start in range(0, len(texts), MAX_TEXTS):
            request = embed_pb2.EmbedRequest(
                inputs=texts[start : start + MAX_TEXTS],
                purpose=embed_pb2.PURPOSE_QUERY if query else embed_pb2.PURPOSE_PASSAGE,
                overflow=embed_pb2.OVERFLOW_TRUNCATE,
                priority=batch if background else serving_pb2.PRIORITY_INTERACTIVE,
            )
            timeout = BACKGROUND_SECONDS if background else QUERY_SECONDS
            with failures("embed"):
                response = await self._stub.Embed(request, **outgoing(timeout))
            rows += [embedding.values for embedding in response.embeddings]
            model = response.stats.model
        return Vectors(model, np.asarray(rows, dtype=np.float32))
