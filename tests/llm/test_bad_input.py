"""What Chat and CountTokens make of bad input, with the real model."""

from __future__ import annotations

from typing import TypeAlias

import grpc
import pytest
from viva.llm.v1 import llm_pb2, llm_pb2_grpc

from services.runtime.settings import DEFAULT_MAX_MESSAGE_BYTES
from tests.llm.test_llm_server import FRANCE, answer, refused, user
from tests.refusals import fields

pytestmark = pytest.mark.asyncio(loop_scope="session")

Stub: TypeAlias = "llm_pb2_grpc.LlmServiceAsyncStub"


async def count(llm: Stub, request: llm_pb2.CountTokensRequest, seconds: float = 60) -> int:
    return (await llm.CountTokens(request, timeout=seconds)).tokens


async def uncounted(
    llm: Stub, request: llm_pb2.CountTokensRequest, seconds: float = 60
) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await count(llm, request, seconds)
    return error.value


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (llm_pb2.CountTokensRequest(), "messages"),
        (llm_pb2.CountTokensRequest(messages=[user("")]), "messages[0].content"),
        (llm_pb2.CountTokensRequest(messages=[user("x" * 200_001)]), "messages[0].content"),
        (llm_pb2.CountTokensRequest(messages=[llm_pb2.Message(content="x")]), "messages[0].role"),
        (llm_pb2.CountTokensRequest(messages=[user("x")] * 1001), "messages"),
        (llm_pb2.CountTokensRequest(messages=FRANCE, model=""), "model"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_cannot_be_counted_is_refused_by_name(
    llm: Stub, request_: llm_pb2.CountTokensRequest, field: str
) -> None:
    error = await uncounted(llm, request_)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == [field]


@pytest.mark.parametrize(
    ("content", "least"),
    [("\x00\x01\x02\x1b[31m", 4), ("🙂👩‍👩‍👧‍👦" * 20, 100), ("你好 mixed with English, 对吗?", 8)],
    ids=["control", "emoji", "mixed"],
)
async def test_any_text_is_counted(llm: Stub, content: str, least: int) -> None:
    none = await count(llm, llm_pb2.CountTokensRequest(messages=[user("x")])) - 1
    request = llm_pb2.CountTokensRequest(messages=[user(content)])
    assert await count(llm, request) - none >= least


@pytest.mark.parametrize(
    "schema",
    [
        '{"not": {"type": "string"}}',
        '{"type": "array", "uniqueItems": true}',
        '{"if": {"type": "string"}, "then": {"maxLength": 3}}',
        '{"$ref": "https://example.com/schema"}',
        '{"type": "integer", "minimum": 5, "maximum": 1}',
        '{"items": ' * 500 + "{}" + "}" * 500,
    ],
    ids=["not", "uniqueItems", "if", "remote", "unsatisfiable", "deep"],
)
async def test_a_schema_out_of_the_subset_is_refused_by_name(llm: Stub, schema: str) -> None:
    error = await refused(llm, llm_pb2.ChatRequest(messages=FRANCE, json_schema=schema))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == ["json_schema"]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ([""], "choice.options[0]"),
        (["a", "a"], "choice.options"),
        (["x" * 1001], "choice.options[0]"),
        ([str(n) for n in range(257)], "choice.options"),
    ],
)
async def test_a_choice_that_is_none_is_refused_by_name(
    llm: Stub, options: list[str], field: str
) -> None:
    choice = llm_pb2.Choice(options=options)
    error = await refused(llm, llm_pb2.ChatRequest(messages=FRANCE, choice=choice))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == [field]


async def test_a_regex_that_would_cost_too_much_is_refused_by_name(llm: Stub) -> None:
    error = await refused(llm, llm_pb2.ChatRequest(messages=FRANCE, regex="a{10001}"))
    assert fields(error) == ["regex"]


async def test_a_message_over_the_limit_is_refused_and_others_are_served(llm: Stub) -> None:
    huge = [user("x" * 190_000)] * (DEFAULT_MAX_MESSAGE_BYTES // 190_000 + 1)
    error = await refused(llm, llm_pb2.ChatRequest(messages=huge))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    error = await uncounted(llm, llm_pb2.CountTokensRequest(messages=huge))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await answer(llm, llm_pb2.ChatRequest(messages=FRANCE, max_tokens=1))


async def test_a_count_with_its_deadline_in_the_past_is_told_at_once(llm: Stub) -> None:
    error = await uncounted(llm, llm_pb2.CountTokensRequest(messages=FRANCE), seconds=-1)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
