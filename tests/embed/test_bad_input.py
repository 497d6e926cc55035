"""What every unary call of the embedding server makes of bad input, with the real model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import grpc
import pytest
from google.protobuf.message import Message
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.runtime.channel import outgoing
from services.runtime.settings import DEFAULT_MAX_MESSAGE_BYTES
from tests.embed.test_server import embed, violations

pytestmark = pytest.mark.asyncio(loop_scope="session")

Stub: TypeAlias = "embed_pb2_grpc.EmbedServiceAsyncStub"
Place: TypeAlias = Callable[[str], Message]

UNKNOWN: Any = 9
"""A number no enumeration has a name for."""

# Every field of every call that takes a text: a request with a text in that place.
PLACES: dict[str, tuple[str, Place]] = {
    "Embed.inputs[1]": ("Embed", lambda text: embed_pb2.EmbedRequest(inputs=["fine", text])),
    "Similarity.text": (
        "Similarity",
        lambda text: embed_pb2.SimilarityRequest(text=text, others=["fine"]),
    ),
    "Similarity.others[1]": (
        "Similarity",
        lambda text: embed_pb2.SimilarityRequest(text="fine", others=["fine", text]),
    ),
    "Rerank.query": ("Rerank", lambda text: embed_pb2.RerankRequest(query=text, documents=["f"])),
    "Rerank.documents[1]": (
        "Rerank",
        lambda text: embed_pb2.RerankRequest(query="fine", documents=["fine", text]),
    ),
}


async def call(stub: Stub, method: str, request: Message, seconds: float = 60) -> Message:
    answer: Message = await getattr(stub, method)(request, **outgoing(seconds))
    return answer


async def failure(
    stub: Stub, method: str, request: Message, seconds: float = 60
) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call(stub, method, request, seconds)
    return raised.value


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "text",
    ["", "x" * 100_000, "面" * 100_000, "word " * 400, " \n\t", "\0\x1b\x07", "\u200b"],
    ids=[
        "none",
        "100,000",
        "100,000 Chinese",
        "too many tokens",
        "space",
        "controls",
        "zero width",
    ],
)
async def test_a_text_that_cannot_be_read_is_refused_by_name(
    stub: Stub, place: str, text: str
) -> None:
    method, request = PLACES[place]
    error = await failure(stub, method, request(text))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert list(violations(error)) == [place.partition(".")[2]]
    assert text not in (error.details() or "") or not text.strip()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "text",
    [
        "🎉🚀👩‍💻",
        "你好，介绍一下 Kafka offset。",
        "dead\0lock\x1b[31m",
        "a" * 2000,
        "e\u0301 \u202etxet",
    ],
    ids=["emoji", "mixed", "controls", "one long word", "marks"],
)
async def test_any_text_that_can_be_read_is_answered(stub: Stub, place: str, text: str) -> None:
    method, request = PLACES[place]
    await call(stub, method, request(text))


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("Similarity", embed_pb2.SimilarityRequest(text="a", others=["b"] * 513), "others"),
        ("Rerank", embed_pb2.RerankRequest(query="a"), "documents"),
        ("Rerank", embed_pb2.RerankRequest(query="a", documents=["b"] * 513), "documents"),
        ("Rerank", embed_pb2.RerankRequest(query="a", documents=["b"], top_n=0), "top_n"),
        ("Embed", embed_pb2.EmbedRequest(inputs=["a"], dimensions=0), "dimensions"),
        ("Embed", embed_pb2.EmbedRequest(inputs=["a"], dimensions=9000), "dimensions"),
        ("Embed", embed_pb2.EmbedRequest(inputs=["a"], overflow=UNKNOWN), "overflow"),
        ("Embed", embed_pb2.EmbedRequest(inputs=["a"], priority=UNKNOWN), "priority"),
        ("Embed", embed_pb2.EmbedRequest(inputs=["a"], model=""), "model"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_field_out_of_range_is_refused_by_name(
    stub: Stub, method: str, request_: Message, field: str
) -> None:
    error = await failure(stub, method, request_)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert list(violations(error)) == [field]


@pytest.mark.parametrize("method", ["Embed", "Similarity", "Rerank"])
async def test_a_message_over_the_limit_is_refused_and_others_are_served(
    stub: Stub, method: str
) -> None:
    huge = ["x" * 60_000] * (DEFAULT_MAX_MESSAGE_BYTES // 60_000 + 1)
    requests = {
        "Embed": embed_pb2.EmbedRequest(inputs=huge),
        "Similarity": embed_pb2.SimilarityRequest(text="a", others=huge),
        "Rerank": embed_pb2.RerankRequest(query="a", documents=huge),
    }
    error = await failure(stub, method, requests[method])
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len((await embed(stub, "fine")).embeddings) == 1


@pytest.mark.parametrize("place", PLACES)
async def test_a_deadline_in_the_past_is_told_at_once(stub: Stub, place: str) -> None:
    method, request = PLACES[place]
    error = await failure(stub, method, request("fine"), seconds=-1)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
