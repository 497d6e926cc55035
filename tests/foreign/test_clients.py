"""What gRPC-Web clients of others get from the edge."""

from __future__ import annotations

import asyncio

import pytest

from tests.foreign.conftest import GUARD_SECONDS, Client
from tests.foreign.edge import Edge

pytestmark = pytest.mark.slow

LARGE = 300_000 + len("about ?")
BAD_FIELD = ["interview_id"]

# How each names gRPC's codes.
_CODES = {
    "connect": ("InvalidArgument", "Unauthenticated", "DeadlineExceeded"),
    "official": (3, 16, 4),
    "protobuf_ts": ("INVALID_ARGUMENT", "UNAUTHENTICATED", "DEADLINE_EXCEEDED"),
}


@pytest.mark.parametrize(
    ("script", "form"),
    [
        ("connect", "binary"),
        ("official", "binary"),
        ("official", "text"),
        ("protobuf_ts", "binary"),
        ("protobuf_ts", "text"),
    ],
)
async def test_grpc_web(client: Client, edge: Edge, script: str, form: str) -> None:
    # The official client calls its streaming format, which is text, "text".
    outcomes = await client(f"{script}.js", FORMAT=form)
    invalid, unauthenticated, late = _CODES[script]
    assert outcomes["unary"] == "one"
    assert outcomes["public"] == "about a?"
    assert outcomes["large"] == LARGE
    assert outcomes["stream"] == [1, 2, 3]
    assert outcomes["error"]["code"] == invalid
    assert outcomes["error"]["fields"] == BAD_FIELD
    assert outcomes["unauthenticated"]["code"] == unauthenticated
    assert outcomes["deadline"]["code"] == late
    assert set(outcomes["cancel"]) <= {"code", "found"}
    async with asyncio.timeout(GUARD_SECONDS):
        await edge.backend.left.wait()


async def test_websocket(client: Client, edge: Edge) -> None:
    outcomes = await client("improbable.js")
    assert outcomes["unary"] == {"code": 0, "id": "one", "type": "application/grpc-web+proto"}
    assert outcomes["stream"] == {"code": 0, "seen": [1, 2, 3]}
    assert outcomes["bidi"] == {"code": 0, "seen": [1, 2, 3, 4, 5]}
    assert outcomes["large"] == {"code": 0, "seen": 2}
    assert outcomes["error"]["code"] == 3
    assert outcomes["error"]["fields"] == BAD_FIELD
    assert outcomes["unauthenticated"] == {"code": 16}
    assert outcomes["deadline"] == {"code": 4}
    assert outcomes["cancel"] == {"found": 2}
    async with asyncio.timeout(GUARD_SECONDS):
        await edge.backend.left.wait()
