"""`viva.embed.v1.EmbedService` between wire and domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.embed.embedder import Embedder, Reranker, Usage
from services.embed.tokenization import NamedText, Overflow, Purpose
from services.embed.vectors import cosines, shortened
from services.runtime.errors import InvalidField, NotFound
from services.runtime.stats import priority, stats

_OVERFLOWS = {embed_pb2.OVERFLOW_TRUNCATE: Overflow.TRUNCATE}
_PURPOSES = {embed_pb2.PURPOSE_QUERY: Purpose.QUERY}


@dataclass(frozen=True, slots=True)
class ServedEncoder:
    """The model that embeds.

    Attributes:
        card: What ListModels says about it.
        dimensions: Length of its vectors.
        embedder: It.
    """

    card: serving_pb2.ModelInfo
    dimensions: int
    embedder: Embedder


@dataclass(frozen=True, slots=True)
class ServedReranker:
    """The model that reranks.

    Attributes:
        card: What ListModels says about it.
        reranker: It.
    """

    card: serving_pb2.ModelInfo
    reranker: Reranker


class EmbedServicer(embed_pb2_grpc.EmbedServiceServicer):
    """Serves one encoder and, beside it, a reranker if there is one."""

    def __init__(self, encoder: ServedEncoder, reranker: ServedReranker | None) -> None:
        self._encoder = encoder
        self._reranker = reranker

    async def Embed(
        self, request: embed_pb2.EmbedRequest, context: object
    ) -> embed_pb2.EmbedResponse:
        """Embeds texts."""
        model = self._named(request.model)
        dimensions = request.dimensions if request.HasField("dimensions") else model.dimensions
        if dimensions > model.dimensions:
            raise InvalidField(
                "dimensions", f"{dimensions}; the model's vectors have {model.dimensions}"
            )
        embedded = await model.embedder.embed(
            _named_texts("inputs", request.inputs),
            purpose=_PURPOSES.get(request.purpose, Purpose.PASSAGE),
            overflow=_overflow(request.overflow),
            priority=priority(request.priority),
        )
        normalize = request.normalize if request.HasField("normalize") else True
        vectors = shortened(embedded.vectors, dimensions, normalize=normalize)
        return embed_pb2.EmbedResponse(
            embeddings=[
                embed_pb2.Embedding(
                    values=vector.tolist(), tokens=len(text.ids), truncated=text.truncated
                )
                for vector, text in zip(vectors, embedded.texts, strict=True)
            ],
            dimensions=dimensions,
            stats=_stats(model.card, embedded.usage),
        )

    async def Similarity(
        self, request: embed_pb2.SimilarityRequest, context: object
    ) -> embed_pb2.SimilarityResponse:
        """Compares a text with others. Both sides are embedded as queries: neither is an answer."""
        model = self._named(request.model)
        embedded = await model.embedder.embed(
            [NamedText("text", request.text), *_named_texts("others", request.others)],
            purpose=Purpose.QUERY,
            overflow=_overflow(request.overflow),
            priority=priority(request.priority),
        )
        scores = cosines(embedded.vectors[0], embedded.vectors[1:])
        return embed_pb2.SimilarityResponse(
            scores=scores.tolist(), stats=_stats(model.card, embedded.usage)
        )

    async def Rerank(
        self, request: embed_pb2.RerankRequest, context: object
    ) -> embed_pb2.RerankResponse:
        """Orders documents: by the reranker if there is one, else by the encoder's cosine."""
        served = self._reranker
        if served and request.model in {"", served.card.name}:
            scored = await served.reranker.score(
                NamedText("query", request.query),
                _named_texts("documents", request.documents),
                overflow=_overflow(request.overflow),
                priority=priority(request.priority),
            )
            return _ranked(request, scored.scores, _stats(served.card, scored.usage))
        return await self._rerank_by_cosine(request)

    async def ListModels(
        self, request: embed_pb2.ListModelsRequest, context: object
    ) -> embed_pb2.ListModelsResponse:
        """Lists the encoder, then the reranker."""
        self._encoder.card.ready = self._encoder.embedder.health.healthy
        cards = [self._encoder.card]
        if self._reranker:
            self._reranker.card.ready = self._reranker.reranker.health.healthy
            cards.append(self._reranker.card)
        return embed_pb2.ListModelsResponse(models=cards)

    async def _rerank_by_cosine(self, request: embed_pb2.RerankRequest) -> embed_pb2.RerankResponse:
        model = self._named(request.model)
        embedder, overflow = model.embedder, _overflow(request.overflow)
        urgency = priority(request.priority)
        query = await embedder.tokenize(
            [NamedText("query", request.query)], Purpose.QUERY, overflow, priority=urgency
        )
        documents = await embedder.tokenize(
            _named_texts("documents", request.documents),
            Purpose.PASSAGE,
            overflow,
            priority=urgency,
        )
        embedded = await embedder.embed_tokenized([*query, *documents], priority=urgency)
        scores = cosines(embedded.vectors[0], embedded.vectors[1:])
        return _ranked(request, scores, _stats(model.card, embedded.usage))

    def _named(self, name: str) -> ServedEncoder:
        if name in {"", self._encoder.card.name}:
            return self._encoder
        raise NotFound("model", name, "model")


def _named_texts(field: str, texts: Sequence[str]) -> list[NamedText]:
    return [NamedText(f"{field}[{index}]", text) for index, text in enumerate(texts)]


def _overflow(value: embed_pb2.Overflow.ValueType) -> Overflow:
    return _OVERFLOWS.get(value, Overflow.REFUSE)


def _stats(card: serving_pb2.ModelInfo, usage: Usage) -> serving_pb2.Stats:
    return stats(
        card.name,
        queue_time=usage.queue_time,
        compute_time=usage.compute_time,
        batch_size=usage.batch_size,
    )


def _ranked(
    request: embed_pb2.RerankRequest, scores: np.ndarray, cost: serving_pb2.Stats
) -> embed_pb2.RerankResponse:
    order = np.argsort(-scores, kind="stable")
    best = order[: request.top_n] if request.HasField("top_n") else order
    return embed_pb2.RerankResponse(
        results=[
            embed_pb2.RankedDocument(index=int(index), score=float(scores[index])) for index in best
        ],
        stats=cost,
    )
