"""`viva.llm.v1.LlmService` over an engine: wire to domain and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc
from viva.llm.v1 import llm_pb2, llm_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.llm.chat import (
    ChatPrompt,
    Choice,
    Constraint,
    Delta,
    Finish,
    FinishReason,
    JsonSchema,
    Message,
    Regex,
    Role,
    Sampling,
    Thought,
)
from services.llm.engines import ChatEngine
from services.runtime import metrics
from services.runtime.errors import NotFound
from services.runtime.request import current_request
from services.runtime.stats import duration, priority, stats

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_ROLES = {
    llm_pb2.ROLE_SYSTEM: Role.SYSTEM,
    llm_pb2.ROLE_USER: Role.USER,
    llm_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
}
_REASONS = {
    FinishReason.STOP: llm_pb2.FINISH_REASON_STOP,
    FinishReason.LENGTH: llm_pb2.FINISH_REASON_LENGTH,
    FinishReason.CONTENT_FILTER: llm_pb2.FINISH_REASON_CONTENT_FILTER,
}


class LlmServicer(llm_pb2_grpc.LlmServiceServicer):
    """Serves one engine."""

    def __init__(self, engine: ChatEngine) -> None:
        self._engine = engine
        described = engine.describe()
        self._model = described.name
        metrics.MODEL_MEMORY.labels(described.name, described.device).set(described.memory_bytes)

    async def Chat(
        self, request: llm_pb2.ChatRequest, context: Context
    ) -> AsyncGenerator[llm_pb2.ChatResponse, None]:
        """Answers a conversation."""
        clock = asyncio.get_running_loop().time
        arrived, first = clock(), 0.0
        self._check_model(request)
        async with aclosing(self._engine.chat(_prompt(request))) as events:
            async for event in events:
                if not first:
                    first = clock() - arrived
                    metrics.FIRST_TOKEN_SECONDS.labels(self._model).observe(first)
                match event:
                    case Delta(text=text):
                        yield llm_pb2.ChatResponse(delta=llm_pb2.Delta(text=text))
                    case Thought(text=text):
                        yield llm_pb2.ChatResponse(delta=llm_pb2.Delta(thinking=text))
                    case Finish():
                        yield llm_pb2.ChatResponse(finish=self._finish(event, first))

    async def CountTokens(
        self, request: llm_pb2.CountTokensRequest, context: Context
    ) -> llm_pb2.CountTokensResponse:
        """Counts a conversation's tokens."""
        self._check_model(request)
        clock = asyncio.get_running_loop().time
        started = clock()
        tokens = await self._engine.count_tokens(_messages(request))
        return llm_pb2.CountTokensResponse(
            tokens=tokens,
            context_tokens=self._engine.describe().context_tokens,
            model=self._model,
            stats=stats(self._model, compute_time=clock() - started),
        )

    async def ListModels(
        self, request: llm_pb2.ListModelsRequest, context: Context
    ) -> llm_pb2.ListModelsResponse:
        """Lists the one model."""
        model = self._engine.describe()
        limits = {"context_tokens": model.context_tokens, "batch_size": model.max_batch_size}
        return llm_pb2.ListModelsResponse(
            models=[
                serving_pb2.ModelInfo(
                    name=model.name,
                    version=model.version,
                    engine=model.engine,
                    device=model.device,
                    languages=model.languages,
                    limits=[
                        serving_pb2.ModelLimit(name=name, value=value)
                        for name, value in limits.items()
                        if value
                    ],
                    memory_bytes=model.memory_bytes or None,
                    ready=self._engine.health.healthy,
                    is_default=True,
                )
            ]
        )

    def _check_model(self, request: llm_pb2.ChatRequest | llm_pb2.CountTokensRequest) -> None:
        if request.HasField("model") and request.model != self._model:
            raise NotFound("model", request.model, "model")

    def _finish(self, event: Finish, first: float) -> llm_pb2.Finish:
        tokens = metrics.TOKEN_USAGE
        tokens.labels(self._model, "input").observe(event.usage.prompt_tokens)
        tokens.labels(self._model, "output").observe(event.usage.completion_tokens)
        return llm_pb2.Finish(
            reason=_REASONS[event.reason],
            usage=llm_pb2.Usage(
                prompt_tokens=event.usage.prompt_tokens,
                cached_tokens=event.usage.cached_tokens,
                completion_tokens=event.usage.completion_tokens,
            ),
            stats=stats(
                self._model,
                queue_time=event.queue_time,
                compute_time=event.compute_time,
                batch_size=event.batch_size,
            ),
            time_to_first_token=duration(first),
        )


def _messages(
    request: llm_pb2.ChatRequest | llm_pb2.CountTokensRequest,
) -> tuple[Message, ...]:
    return tuple(Message(_ROLES[m.role], m.content) for m in request.messages)


def _prompt(request: llm_pb2.ChatRequest) -> ChatPrompt:
    call = current_request()
    return ChatPrompt(
        messages=_messages(request),
        sampling=_sampling(request.sampling),
        max_tokens=request.max_tokens if request.HasField("max_tokens") else None,
        stop=tuple(request.stop),
        constraint=_constraint(request),
        caller=call.caller,
        priority=priority(request.priority),
        deadline=call.deadline,
        include_thinking=request.include_thinking,
    )


def _sampling(sampling: llm_pb2.Sampling) -> Sampling:
    return Sampling(
        temperature=sampling.temperature if sampling.HasField("temperature") else None,
        top_p=sampling.top_p if sampling.HasField("top_p") else None,
        top_k=sampling.top_k if sampling.HasField("top_k") else None,
        repetition_penalty=(
            sampling.repetition_penalty if sampling.HasField("repetition_penalty") else None
        ),
        seed=sampling.seed if sampling.HasField("seed") else None,
    )


def _constraint(request: llm_pb2.ChatRequest) -> Constraint | None:
    match request.WhichOneof("constraint"):
        case "json_schema":
            return JsonSchema(request.json_schema)
        case "regex":
            return Regex(request.regex)
        case "choice":
            return Choice(tuple(request.choice.options))
        case _:
            return None
