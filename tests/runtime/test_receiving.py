"""Requests that are late, cut or no messages: every call is answered, in words of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import grpc
import pytest

from services.runtime.channel import open_channel
from services.runtime.errors import DeadlineExpired
from services.runtime.receiving import Context, messages
from tests.runtime.demo import NAMES_OF_SHAPES, demo, until_serving
from tests.runtime.demo_server import SHAPES
from tests.runtime.raw_client import call, frame
from tests.runtime.virtual_time import run
from tests.server_process import free_port

CHECK = "/grpc.health.v1.Health/Check"
ONE_REQUEST = [f"/{SHAPES}/OneOne", f"/{SHAPES}/OneMany", CHECK]
STREAMS = [f"/{SHAPES}/ManyOne", f"/{SHAPES}/ManyMany"]
ALL = [f"/{name}" for name in sorted(NAMES_OF_SHAPES)] + [CHECK]
NO_MESSAGE = b"\x0a\xff"  # a string that claims more bytes than there are


def code(headers: dict[str, str]) -> grpc.StatusCode:
    """The status of an answer; a stream's reset is none."""
    number = int(headers["grpc-status"])
    return next(each for each in grpc.StatusCode if each.value[0] == number)


@asynccontextmanager
async def address(**settings: str) -> AsyncIterator[str]:
    """Where a demo server serves."""
    port = free_port()
    async with (
        demo(VIVA_DEMO_PORT=str(port), **settings),
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await until_serving(channel)
        yield f"127.0.0.1:{port}"


async def test_a_call_that_ends_before_its_request_is_answered() -> None:
    half = frame(b"\x0a\x03he", length=100)
    async with address() as server:
        for method in ONE_REQUEST:
            for body in (b"", b"\0\0", half):
                headers = await call(server, method, body)
                assert code(headers) == grpc.StatusCode.INVALID_ARGUMENT
                assert headers["grpc-message"] == "the call ended before its request had arrived"


async def test_a_call_whose_request_does_not_come_is_given_up() -> None:
    half = frame(b"\x0a\x03he", length=100)
    async with address(VIVA_DEMO_RECEIVE_SECONDS="0.2") as server:
        for method in ONE_REQUEST:
            headers = await call(server, method, half, ended=False)
            assert code(headers) == grpc.StatusCode.DEADLINE_EXCEEDED
            assert headers["grpc-message"] == "the request did not arrive within 0.2 s"


async def test_a_stream_whose_first_message_does_not_come_is_given_up() -> None:
    half = frame(b"\x0a\x03he", length=100)
    async with address(VIVA_DEMO_FIRST_MESSAGE_SECONDS="0.2") as server:
        for method in STREAMS:
            for body in (b"", b"\0\0", half):
                headers = await call(server, method, body, ended=False)
                assert code(headers) == grpc.StatusCode.DEADLINE_EXCEEDED
                assert headers["grpc-message"] == "the first message did not arrive within 0.2 s"


class Dripping:
    """A call whose message comes byte by byte, and never whole."""

    async def read(self) -> bytes:
        for _ in range(3600):
            await asyncio.sleep(1.0)  # A byte, which makes no message.
        return b""


def test_a_byte_now_and_then_is_no_first_message() -> None:
    async def main() -> None:
        began = asyncio.get_running_loop().time()
        with pytest.raises(DeadlineExpired):
            await anext(messages(cast("Context", Dripping()), bytes, 20.0))
        assert asyncio.get_running_loop().time() - began == pytest.approx(20.0, abs=0.1)

    run(main())


class Talking:
    """A call that says something at once, and then nothing for an hour."""

    def __init__(self) -> None:
        self._left = iter([b"one", b"two"])
        self._pauses = iter([0.0, 3600.0, 0.0])

    async def read(self) -> bytes | None:
        await asyncio.sleep(next(self._pauses))
        return next(self._left, None)


def test_whoever_has_begun_may_be_silent() -> None:
    async def main() -> None:
        read = messages(cast("Context", Talking()), bytes, 20.0)
        assert [each async for each in read] == [b"one", b"two"]

    run(main())


async def test_a_message_that_cannot_be_decoded_is_refused_in_clean_words() -> None:
    async with address() as server:
        for method in ALL:
            headers = await call(server, method, frame(NO_MESSAGE))
            assert code(headers) == grpc.StatusCode.INVALID_ARGUMENT
            assert headers["grpc-message"] == "the message cannot be decoded"
