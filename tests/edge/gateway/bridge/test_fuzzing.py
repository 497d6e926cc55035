"""Whatever a client sends, the bridge ends the socket with a reason and goes on serving.

`pytest --hypothesis-profile=explore tests/edge/gateway/bridge/test_fuzzing.py` draws new examples;
FUZZ_EXAMPLES says how many.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import struct

import grpc
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from edge.gateway.bridge.closing import Close, Ended
from edge.gateway.bridge.frames import FrameReader
from edge.gateway.bridge.headers import passed_on, read_block, timeout_of, trailers
from edge.gateway.bridge.server import serving
from edge.gateway.bridge.settings import BridgeSettings
from edge.gateway.bridge.tokens import Token
from tests.edge.gateway.bridge import echo
from tests.edge.gateway.bridge.client import Caller, block, calling, data, headers

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
LIMIT = 1000
REASONS = {*Close, 1000, 1002, 1007, 1009}

message = st.binary(max_size=LIMIT)
framed = st.builds(
    lambda flags, length, payload: struct.pack(">BI", flags, length) + payload,
    st.sampled_from([0, 0, 0, 1, 0x80, 0xFF]),
    st.integers(0, 2**32 - 1) | st.integers(0, 64),
    st.binary(max_size=64),
)
said = st.one_of(
    st.binary(max_size=200),
    st.builds(bytes.__add__, st.sampled_from([b"\x00", b"\x01", b"\x02", b"\x03"]), framed),
    st.builds(lambda messages: data(*messages), st.lists(st.binary(max_size=100), max_size=5)),
    st.builds(lambda value: b"\x02authorization: " + value + b"\r\n", st.binary(max_size=50)),
    st.text(max_size=20),
)


@pytest.mark.slow
@given(st.lists(said, max_size=6), st.booleans())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example([b"\x00"], True)
@example([b"\x01", b"\x01"], True)
def test_nothing_a_client_sends_breaks_the_bridge(
    messages: list[bytes | str],
    hello: bool,
) -> None:
    asyncio.run(_sent(messages, hello=hello))


async def _sent(messages: list[bytes | str], *, hello: bool) -> None:
    async with (
        asyncio.timeout(20),
        echo.serving() as server,
        serving(
            BridgeSettings(
                port=0,
                upstream=server.address,
                check_method=f"/{echo.SERVICE}/CheckToken",
                drain_seconds=0,
                hello_seconds=0.2,
                idle_seconds=0.2,
                max_message_bytes=2048,
            )
        ) as port,
    ):
        first = [block(authorization="Bearer x")] if hello else []
        async with calling(port, "/test.v1.Echo/Chat", *first) as caller:
            await _say(caller, messages)
            heard = await caller.rest()
        assert heard.code in REASONS, heard
        async with calling(port, "/test.v1.Echo/Chat", block(a="b"), data(b"a")) as other:
            await other.until(1)


async def _say(caller: Caller, messages: list[bytes | str]) -> None:
    try:
        await caller.send(*messages)
    except ConnectionClosed:
        return


@given(st.lists(message, max_size=8), st.lists(st.integers(0, 3000), max_size=10))
def test_frames_survive_any_cut(messages: list[bytes], cuts: list[int]) -> None:
    whole = data(*messages)[1:]
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    reader = FrameReader(LIMIT)
    found = []
    for start, end in itertools.pairwise(places):
        found += list(reader.feed(memoryview(whole[start:end])))
    assert found == messages
    assert not reader.unfinished


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_a_reader_of_frames_keeps_no_more_than_one(pieces: list[bytes]) -> None:
    reader = FrameReader(LIMIT)
    try:
        for piece in pieces:
            assert all(len(found) <= LIMIT for found in reader.feed(memoryview(piece)))
    except Ended as ended:
        assert ended.close in {Close.MALFORMED, Close.TOO_LARGE}  # noqa: PT017


@given(st.binary(max_size=400))
@example(b"grpc-timeout: 99999999H\r\n")
@example(b"a-bin: AA=A\r\n")
def test_a_block_is_read_or_refused(payload: bytes) -> None:
    try:
        found = read_block(payload, max_headers=8, max_bytes=300)
        passed_on(found)
        timeout_of(found)
    except Ended as ended:
        assert ended.close in {Close.MALFORMED, Close.TOO_LARGE}  # noqa: PT017
        assert len(ended.reason.encode()) <= 123  # noqa: PT017
    else:
        assert len(payload) <= 300
        assert len(found) <= 8


@given(st.integers(0, 16), st.text(max_size=100))
def test_trailers_are_one_block_whatever_the_message(code: int, text: str) -> None:
    found = headers(trailers(code, text))
    assert found["grpc-status"] == str(code)
    assert set(found) <= {"grpc-status", "grpc-message"}


@given(
    st.text(max_size=200)
    | st.builds(lambda b: f"Bearer a.{b}.c", st.text(max_size=80))
    | st.from_regex(r"Bearer [\w-]+\.[\w-]+\.[\w-]+", fullmatch=True)
)
@example("Bearer a.eyJleHAiOjFlOTk5fQ.c")
@example("Bearer a.eyJleHAiOnRydWV9.c")
@example("Bearer a.W10.c")
def test_any_text_is_a_token_or_refused(text: str) -> None:
    try:
        assert Token.read(text).authorization == text
    except Ended as ended:
        assert ended.close is Close.TOKEN  # noqa: PT017
        assert len(ended.reason.encode()) <= 123  # noqa: PT017


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer opaque",
        "bearer a.b.c",
        "Bearer  a.b.c",
        "Bearer a.b.c ",
        "Bearer a.b.c\n",
        "Bearer a.b.c.d",
        "Bearer !a.b.c",
        "Bearer a.b.c .x",
        "a.b.c Bearer a.b.c",
        "Bearer a.b.c,Bearer a.b.c",
        "Bearer \u00e4.b.c",
    ],
)
def test_what_envoy_might_read_otherwise_is_refused(text: str) -> None:
    with pytest.raises(Ended) as ended:
        Token.read(text)
    assert ended.value.status is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("exp", ["1" + "0" * 400, "-1e400"])
def test_a_moment_beyond_time_is_none(exp: str) -> None:
    import base64

    payload = base64.urlsafe_b64encode(b'{"exp": %s}' % exp.encode()).decode().rstrip("=")
    assert Token.read(f"Bearer a.{payload}.c").expires is None
