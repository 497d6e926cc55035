"""Why sockets are refused and closed."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time

import grpc
import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from edge.gateway.bridge.closing import Close
from tests.edge.gateway.bridge.client import HALF_CLOSE, Heard, block, calling, data
from tests.edge.gateway.bridge.conftest import Bridge
from tests.edge.gateway.bridge.echo import Echo

HELLO = block(x_grpc_web="1")
CHAT = "/test.v1.Echo/Chat"


def jwt(seconds: float, subject: str = "u1", name: str = "a") -> str:
    """What looks like a token that expires so soon; nobody here verifies it."""
    claims = {"sub": subject, "exp": time.time() + seconds, "jti": name}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"Bearer e30.{payload}.c2ln"


def status_of(heard: Heard) -> str | None:
    return None if heard.trailers is None else heard.trailers["grpc-status"]


@pytest.mark.parametrize(
    ("messages", "close", "reason"),
    [
        ([b"no header\r\n"], Close.MALFORMED, "header 1 is not"),
        ([b"a: b\r\nx: \x01\r\n"], Close.MALFORMED, "header 2 is not"),
        ([block(grpc_timeout="soon")], Close.MALFORMED, "grpc-timeout"),
        ([block(x_bin="?")], Close.MALFORMED, "x-bin is not base64"),
        ([b"a: b\r\n" * 65], Close.TOO_LARGE, "65 headers; 64 are allowed"),
        ([b"a: " + b"b" * 20000], Close.TOO_LARGE, "headers of 20003 bytes"),
        ([HELLO, b""], Close.MALFORMED, "an empty message"),
        ([HELLO, b"\x03"], Close.MALFORMED, "a message of kind 3"),
        ([HELLO, b"\x00\x01\x00\x00\x00\x00"], Close.MALFORMED, "a frame with flags 0x01"),
        ([HELLO, b"\x00\x00\xff\xff\xff\xff"], Close.TOO_LARGE, "a message of 4294967295 bytes"),
        ([HELLO, data(b"abc")[:7], HALF_CLOSE], Close.MALFORMED, "half-closed within a frame"),
        ([HELLO, b"\x02x: y\r\n"], Close.MALFORMED, "a renewal without authorization"),
        (
            [HELLO, b"\x02" + block(authorization="x")],
            Close.MALFORMED,
            "a renewal where no token was",
        ),
        (["text"], Close.NOT_BINARY, "a text message"),
        ([HELLO, "text"], Close.NOT_BINARY, "a text message"),
    ],
)
async def test_what_makes_no_sense_is_told_twice(
    bridge: Bridge, messages: list[bytes | str], close: Close, reason: str
) -> None:
    async with bridge() as port, calling(port, "/test.v1.Echo/Hang", *messages) as caller:
        heard = await caller.rest()
    assert (heard.code, heard.reason[: len(reason)]) == (close, reason)
    assert heard.trailers is not None
    assert heard.trailers["grpc-status"] in {"3", "8"}
    assert heard.trailers["grpc-message"] == heard.reason


async def test_after_the_half_close_nothing_more_is_said(bridge: Bridge, server: Echo) -> None:
    async with (
        bridge() as port,
        calling(port, "/test.v1.Echo/Hang", HELLO, HALF_CLOSE, data(b"more")) as caller,
    ):
        assert (await caller.rest()).reason == "a message after the half-close"
        await server.cancelled.wait()


@pytest.mark.parametrize(
    ("settings", "close", "status"),
    [
        ({"hello_seconds": 0.05}, Close.NO_HELLO, "4"),
        ({"begin_seconds": 0.05}, Close.NO_HELLO, "4"),
        ({"idle_seconds": 0.05}, Close.IDLE, "4"),
        ({"nobodys_seconds": 0.05}, Close.NO_HELLO, "4"),
    ],
)
async def test_silence_has_an_end(
    bridge: Bridge, settings: dict[str, float], close: Close, status: str
) -> None:
    first = [] if "hello_seconds" in settings else [HELLO]
    async with bridge(**settings) as port, calling(port, CHAT, *first) as caller:
        heard = await caller.rest()
    assert (heard.code, status_of(heard)) == (close, status)


@pytest.mark.parametrize(
    ("path", "subprotocol", "status"),
    [
        ("/", "grpc-websockets", 404),
        ("/v1/interviews", "grpc-websockets", 404),
        ("/test.v1.Echo/Chat/more", "grpc-websockets", 404),
        ("/test.v1.Echo/Ch%2fat", "grpc-websockets", 404),
        (CHAT, "chat", 400),
    ],
)
async def test_upgrades_that_are_no_call_are_refused(
    bridge: Bridge, path: str, subprotocol: str, status: int
) -> None:
    async with bridge() as port:
        with pytest.raises(InvalidStatus) as refused:
            await connect(
                f"ws://127.0.0.1:{port}{path}", subprotocols=[Subprotocol(subprotocol)], proxy=None
            )
    assert refused.value.response.status_code == status


async def test_sockets_beyond_the_most_are_refused(bridge: Bridge) -> None:
    async with bridge(max_sockets=1) as port, calling(port, CHAT, HELLO, data(b"a")) as caller:
        await caller.until(1)
        with pytest.raises(InvalidStatus) as refused:
            async with calling(port, CHAT, HELLO):
                pass
        assert refused.value.response.status_code == 503
        await caller.send(HALF_CLOSE)
        assert (await caller.rest()).code == Close.OVER


@pytest.mark.parametrize("half", [b"\x00", b"\x00\x00", data(b"unfinished")[:-1]])
async def test_half_a_message_is_no_beginning(bridge: Bridge, half: bytes) -> None:
    async with bridge(begin_seconds=0.05) as port, calling(port, CHAT, HELLO, half) as caller:
        heard = await caller.rest()
    assert (heard.code, status_of(heard)) == (Close.NO_HELLO, "4")


async def test_a_call_that_goes_on_as_nobodys_has_an_end(bridge: Bridge) -> None:
    hello = block(authorization=jwt(60))
    async with (
        bridge(nobodys_seconds=0.5) as port,
        calling(port, CHAT, hello, data(b"a")) as mine,
        calling(port, CHAT, HELLO, data(b"a")) as strangers,
        calling(port, "/test.v1.Echo/Hang", hello, data(b"a")) as unanswered,
    ):
        await mine.until(1)
        for caller in (strangers, unanswered):
            heard = await caller.rest()
            assert (heard.code, heard.reason) == (Close.NO_HELLO, "no user's for 0.5 s")
        await mine.send(HALF_CLOSE)
        assert (await mine.rest()).code == Close.OVER


@pytest.mark.parametrize("authorization", ["a.b.c Bearer a.b.c", "Bearer a.b.c .x", "a.b.c"])
async def test_what_is_not_just_a_token_goes_nowhere(
    bridge: Bridge, server: Echo, authorization: str
) -> None:
    async with bridge() as port:
        hello = block(authorization=authorization)
        async with calling(port, CHAT, hello, data(b"a")) as caller:
            heard = await caller.rest()
        assert (heard.code, status_of(heard)) == (Close.TOKEN, "16")
        assert not server.entered.is_set()
        hello, renewal = block(authorization=jwt(60)), b"\x02" + block(authorization=authorization)
        async with calling(port, CHAT, hello, renewal) as caller:
            assert (await caller.rest()).code == Close.TOKEN


@pytest.mark.parametrize("spoken", [data(b"a"), HALF_CLOSE])
async def test_who_has_begun_may_be_silent_for_longer(
    bridge: Bridge, server: Echo, spoken: bytes
) -> None:
    hello = block(authorization=jwt(60))
    times = {"begin_seconds": 0.05, "recheck_seconds": 0.2}
    path = "/test.v1.Echo/Hang"
    async with bridge(**times) as port, calling(port, path, hello, spoken) as caller:
        # Its token was checked long after that.
        await server.checks.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await caller.receive()


async def test_a_server_that_takes_nothing_ends_the_call(bridge: Bridge, server: Echo) -> None:
    async with (
        bridge(stall_seconds=0.2) as port,
        calling(port, "/test.v1.Echo/Stuck", HELLO) as caller,
    ):
        await caller.send(*[data(bytes(65536))] * 100)
        heard = await caller.rest()
        await server.cancelled.wait()
    assert (heard.code, status_of(heard)) == (Close.STALLED, "8")
    assert heard.reason.startswith("the server took nothing")


async def test_without_a_server_the_call_is_unavailable(bridge: Bridge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with (
        bridge(upstream=f"127.0.0.1:{port}") as port,
        calling(port, CHAT, HELLO, data(b"a")) as caller,
    ):
        heard = await caller.rest()
    assert (heard.code, status_of(heard)) == (Close.OVER, "14")


async def test_a_bridge_that_stops_says_so_and_takes_no_more(bridge: Bridge, server: Echo) -> None:
    async with (
        bridge(drain_seconds=0.3) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):
        assert (await http.get("/healthz")).text == "SERVING\n"
        context = calling(port, "/test.v1.Echo/Hang", HELLO)
        caller = await context.__aenter__()
        await server.entered.wait()
    heard = await caller.rest()
    await context.__aexit__(None, None, None)
    assert (heard.code, status_of(heard)) == (Close.RESTARTING, "14")


async def test_a_call_that_ends_by_itself_is_not_cut_by_a_bridge_that_stops(
    bridge: Bridge, server: Echo
) -> None:
    async with bridge(drain_seconds=30) as port:
        context = calling(port, CHAT, HELLO, data(b"a"))
        caller = await context.__aenter__()
        await caller.until(1)

        async def refused_then_over() -> Heard:
            async with httpx.AsyncClient(trust_env=False) as http:
                # No event comes from there.
                while (await http.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            with pytest.raises(InvalidStatus):
                async with calling(port, CHAT):
                    pass
            await caller.send(data(b"b"), HALF_CLOSE)
            return await caller.rest()

        last = asyncio.create_task(refused_then_over())
    heard = await last
    await context.__aexit__(None, None, None)
    assert (heard.code, heard.messages) == (Close.OVER, [b"a", b"b"])


class TestTokens:
    """What happens to a running call's token."""

    async def test_it_expires(self, bridge: Bridge, server: Echo) -> None:
        hello = block(authorization=jwt(0.2))
        async with bridge() as port, calling(port, "/test.v1.Echo/Hang", hello) as caller:
            heard = await caller.rest()
            await server.cancelled.wait()
        assert (heard.code, heard.reason) == (Close.TOKEN, "the token has expired")
        assert status_of(heard) == "16"

    async def test_it_is_renewed(self, bridge: Bridge, server: Echo) -> None:
        old, new = jwt(60), jwt(60, name="b")
        async with bridge() as port, calling(port, CHAT, block(authorization=old)) as caller:
            await caller.send(b"\x02" + block(authorization=new))
            await server.checks.wait()
            assert server.checked == [new]
            await caller.send(data(b"still here"), HALF_CLOSE)
            heard = await caller.rest()
        assert (heard.code, heard.messages) == (Close.OVER, [b"still here"])

    @pytest.mark.parametrize(
        ("new", "reason"),
        [
            (jwt(60, name="bad"), "the token is refused"),
            (jwt(60, subject="u2"), "the new token is another user's"),
        ],
    )
    async def test_only_by_one_that_is_let_in_and_the_same_users(
        self, bridge: Bridge, server: Echo, new: str, reason: str
    ) -> None:
        server.tokens = {new} if "another" in reason else set()
        hello = block(authorization=jwt(60))
        async with bridge() as port, calling(port, CHAT, hello) as caller:
            await caller.send(b"\x02" + block(authorization=new))
            heard = await caller.rest()
        assert (heard.code, heard.reason) == (Close.TOKEN, reason)

    async def test_one_that_was_revoked_is_noticed(self, bridge: Bridge, server: Echo) -> None:
        token = jwt(60)
        server.tokens = {token}
        hello = block(authorization=token)
        async with bridge(recheck_seconds=0.05) as port, calling(port, CHAT, hello) as caller:
            await server.checks.wait()
            server.tokens = set()
            heard = await caller.rest()
        assert (heard.code, heard.reason) == (Close.TOKEN, "the token is refused")

    async def test_nobody_to_ask_is_no_reason_to_close(self, bridge: Bridge, server: Echo) -> None:
        server.check_failure = grpc.StatusCode.UNAVAILABLE
        hello = block(authorization=jwt(0.3))
        async with bridge(recheck_seconds=0.05) as port, calling(port, CHAT, hello) as caller:
            await caller.send(data(b"a"))
            await caller.until(1)
            heard = await caller.rest()
        assert heard.reason == "the token has expired"

    async def test_an_opaque_one_does_not_expire_here(self, bridge: Bridge) -> None:
        hello = block(authorization="Bearer o.pa.que")
        async with bridge() as port, calling(port, CHAT, hello, data(b"a"), HALF_CLOSE) as caller:
            assert (await caller.rest()).code == Close.OVER
