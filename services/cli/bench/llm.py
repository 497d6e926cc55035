"""The language model: time to first token, speed, batches, and what a cancelled answer costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families
from viva.llm.v1 import llm_pb2, llm_pb2_grpc

from services.cli.bench.frame import BenchResult, Figure, percentile
from services.cli.bench.running import running_servers
from services.runtime.channel import open_channel

_TIMEOUT = 300.0
_ANSWER_TOKENS = 64
_STORIES = 8
_STORY = "Write a long story about a lighthouse keeper."
_SENTENCE = "The candidate described how the team moved a service from one region to another. "


@dataclass(frozen=True, slots=True)
class _Answer:
    first: float
    total: float
    tokens: int
    prompt_tokens: int
    cached_tokens: int

    @property
    def speed(self) -> float:
        """Tokens a second after the first."""
        return (self.tokens - 1) / max(1e-9, self.total - self.first)


async def run(
    address: str,
    metrics: str | None = None,
    repeats: int = 5,
    batch: int = 8,
) -> BenchResult:
    """Measures a language model server.

    Args:
        address: The mesh listener, or the server itself.
        metrics: The server's own metrics, which count the tokens it generates; None takes those
            of the mesh that runs here.
        repeats: Runs of each measurement; medians are reported.
        batch: Callers at the same time.

    Raises:
        LookupError: No mesh runs here, and `metrics` is not given; or it counts no tokens.
    """
    metrics = metrics or running_servers()["llm"].metrics
    async with open_channel(address) as channel:
        llm = llm_pb2_grpc.LlmServiceStub(channel)
        (model, *_) = (await llm.ListModels(llm_pb2.ListModelsRequest(), timeout=10)).models
        await _ask(llm, [_user("Hello")], tokens=4)
        short = [await _ask(llm, [_user(f"{n}. Why is the sky blue?")]) for n in range(repeats)]
        long = [
            await _ask(llm, [_user(f"{n}{time.time_ns()} {_SENTENCE * 40}")], tokens=4)
            for n in range(repeats)
        ]
        cached = [
            await _ask(
                llm,
                [
                    llm_pb2.Message(role=llm_pb2.ROLE_SYSTEM, content=_SENTENCE * 40),
                    _user(f"{n}. What did the candidate describe?"),
                ],
                tokens=4,
            )
            for n in range(repeats + 2)
        ][2:]
        together, seconds = await _together(llm, batch)
        after_cancel = [await _after_cancel(llm, metrics) for _ in range(repeats)]
    total = sum(answer.tokens for answer in together)
    return BenchResult(
        what="llm",
        figures=[
            Figure("time to first token, short prompt", _first(short), "ms"),
            Figure(
                f"time to first token, {long[0].prompt_tokens}-token prompt", _first(long), "ms"
            ),
            Figure(
                f"time to first token, {cached[-1].cached_tokens} of"
                f" {cached[-1].prompt_tokens} prompt tokens cached",
                _first(cached),
                "ms",
            ),
            Figure("tokens/s, one caller", percentile([a.speed for a in short], 50), "1/s"),
            Figure(f"tokens/s, {batch} callers", total / seconds, "1/s"),
            Figure(
                f"tokens after {_STORIES} cancelled answers", percentile(after_cancel, 50), "tokens"
            ),
        ],
        models={"llm": f"{model.name} ({model.engine}, {model.device})"},
        notes=["medians; greedy; through the network, the first token as the caller sees it"],
    )


def _user(content: str) -> llm_pb2.Message:
    return llm_pb2.Message(role=llm_pb2.ROLE_USER, content=content)


def _first(answers: Sequence[_Answer]) -> float:
    return percentile([answer.first * 1000 for answer in answers], 50)


async def _ask(
    llm: llm_pb2_grpc.LlmServiceAsyncStub,
    messages: Sequence[llm_pb2.Message],
    tokens: int = _ANSWER_TOKENS,
) -> _Answer:
    request = llm_pb2.ChatRequest(messages=messages, max_tokens=tokens)
    started = time.perf_counter()
    first = 0.0
    usage = llm_pb2.Usage()
    async for response in llm.Chat(request, timeout=_TIMEOUT):
        first = first or time.perf_counter() - started
        if response.HasField("finish"):
            usage = response.finish.usage
    return _Answer(
        first=first,
        total=time.perf_counter() - started,
        tokens=usage.completion_tokens,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
    )


async def _together(
    llm: llm_pb2_grpc.LlmServiceAsyncStub, callers: int
) -> tuple[list[_Answer], float]:
    started = time.perf_counter()
    answers = await asyncio.gather(*(_ask(llm, [_user(_STORY)]) for _ in range(callers)))
    return list(answers), time.perf_counter() - started


async def _after_cancel(llm: llm_pb2_grpc.LlmServiceAsyncStub, metrics: str) -> float:
    """Tokens the server generates once long answers were cancelled, in the second after."""
    request = llm_pb2.ChatRequest(messages=[_user(_STORY)], max_tokens=1000)
    calls = [llm.Chat(request, timeout=_TIMEOUT) for _ in range(_STORIES)]
    try:
        await calls[0].read()
        async with httpx.AsyncClient() as client:
            before = await _generated(client, metrics)
            for call in calls:
                call.cancel()
            await asyncio.sleep(1)
            return await _generated(client, metrics) - before
    finally:
        for call in calls:
            call.cancel()


async def _generated(client: httpx.AsyncClient, metrics: str) -> float:
    page = await client.get(metrics)
    for family in text_string_to_metric_families(page.text):
        if family.name == "viva_llm_generated_tokens":
            return sum(s.value for s in family.samples if s.name.endswith("_total"))
    raise LookupError(f"{metrics} counts no tokens: is it the language model server's?")
