"""The server as its callers see it, on the packaged model."""

from __future__ import annotations

from typing import TypeAlias

from viva.llm.v1 import llm_pb2, llm_pb2_grpc

from services.llm.settings import PACKAGED_MODEL

Stub: TypeAlias = "llm_pb2_grpc.LlmServiceAsyncStub"


def user(content: str) -> llm_pb2.Message:
    return llm_pb2.Message(role=llm_pb2.ROLE_USER, content=content)


async def answer(llm: Stub, request: llm_pb2.ChatRequest) -> tuple[list[str], llm_pb2.Finish]:
    pieces: list[str] = []
    finish: llm_pb2.Finish | None = None
    async for response in llm.Chat(request, timeout=60):
        assert finish is None
        if response.HasField("delta"):
            pieces.append(response.delta.text)
        else:
            finish = response.finish
    assert finish is not None
    return pieces, finish


async def test_an_answer_streams_and_ends_with_its_usage(llm: Stub) -> None:
    request = llm_pb2.ChatRequest(messages=[user("What is the capital of France?")], max_tokens=24)
    pieces, finish = await answer(llm, request)
    assert "Paris" in "".join(pieces)
    assert len(pieces) > 3
    assert finish.reason == llm_pb2.FINISH_REASON_STOP
    counted = await llm.CountTokens(llm_pb2.CountTokensRequest(messages=request.messages))
    assert finish.usage.prompt_tokens == counted.tokens
    assert 0 < finish.usage.completion_tokens <= 24
    assert finish.stats.model == counted.model == PACKAGED_MODEL
    assert finish.stats.batch_size == 1
    assert finish.time_to_first_token.ToMicroseconds() > 0
