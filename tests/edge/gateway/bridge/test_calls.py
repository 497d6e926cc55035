"""Calls over a socket: what goes up, what comes down, how they end."""

from __future__ import annotations

import asyncio
import json

import pytest

from edge.gateway.bridge.closing import Close
from tests.edge.gateway.bridge.client import HALF_CLOSE, block, calling, data
from tests.edge.gateway.bridge.conftest import Bridge
from tests.edge.gateway.bridge.echo import Echo

HELLO = block(content_type="application/grpc-web+proto", x_grpc_web="1")


async def test_both_sides_speak_at_the_same_time(bridge: Bridge) -> None:
    async with bridge() as port, calling(port, "/test.v1.Echo/Chat", HELLO) as caller:
        for number in range(5):
            await caller.send(data(b"message %d" % number))
            await caller.until(number + 1)
        await caller.send(HALF_CLOSE)
        heard = await caller.rest()
    assert heard.messages == [b"message %d" % number for number in range(5)]
    assert heard.headers is not None
    assert heard.headers["x-first"] == "yes"
    assert heard.headers["x-raw-bin"] == "AP8="
    assert heard.trailers == {"grpc-status": "0", "x-count": "5"}
    assert heard.code == Close.OVER


async def test_frames_may_share_a_message_and_a_frame_may_span_messages(bridge: Bridge) -> None:
    async with bridge() as port, calling(port, "/test.v1.Echo/Chat", HELLO) as caller:
        whole = data(b"a", b"", b"ccc" * 1000)
        await caller.send(whole[:4], b"\x00" + whole[4:9], b"\x00", b"\x00" + whole[9:], HALF_CLOSE)
        heard = await caller.rest()
    assert heard.messages == [b"a", b"", b"ccc" * 1000]


async def test_large_messages_pass_and_larger_ones_are_refused(bridge: Bridge) -> None:
    large = bytes(range(256)) * 4096
    async with bridge(max_message_bytes=len(large)) as port:
        async with calling(port, "/test.v1.Echo/Chat", HELLO) as caller:
            await caller.send(data(large), HALF_CLOSE)
            heard = await caller.rest()
        assert heard.messages == [large]
        async with calling(port, "/test.v1.Echo/Chat", HELLO) as caller:
            # The prefix alone says so.
            await caller.send(data(large + b"x")[:10])
            heard = await caller.rest()
        assert heard.code == Close.TOO_LARGE
        assert heard.trailers is not None
        assert heard.trailers["grpc-status"] == "8"
        async with calling(port, "/test.v1.Echo/Chat", HELLO) as caller:
            # As one WebSocket message it is refused before anything reads it.
            await caller.send(data(large + b"x"))
            assert (await caller.rest()).code == 1009


async def test_an_error_comes_with_its_details(bridge: Bridge) -> None:
    async with bridge() as port, calling(port, "/test.v1.Echo/Fail", HELLO) as caller:
        await caller.send(data(b"so far"), HALF_CLOSE)
        heard = await caller.rest()
    assert heard.messages == [b"so far"]
    assert heard.trailers == {
        "grpc-status": "3",
        "grpc-message": "not that: %C3%BC 100%25%0A",
        "grpc-status-details-bin": "CANkZXRhaWw=",
    }
    assert heard.code == Close.OVER


async def test_a_method_that_is_not_there_is_unimplemented(bridge: Bridge) -> None:
    async with bridge() as port, calling(port, "/test.v1.Echo/Nothing", HELLO) as caller:
        heard = await caller.rest()
    assert heard.headers is not None
    assert heard.trailers is not None
    assert heard.trailers["grpc-status"] == "12"
    assert heard.code == Close.OVER


async def test_what_is_the_servers_gets_there_and_what_is_the_meshs_does_not(
    bridge: Bridge,
) -> None:
    hello = block(
        authorization="Bearer of.good.news",
        x_grpc_web="1",
        x_viva_user="somebody else",
        x_forwarded_for="6.6.6.6",
        X_Own="mine",
        x_raw_bin="AP8",
        grpc_timeout="90S",
        cookie="viva_refresh=1",
    )
    proxies = {"x-forwarded-for": "1.1.1.1, 203.0.113.7", "x-request-id": "the-request"}
    async with (
        bridge() as port,
        calling(port, "/test.v1.Echo/Headers", hello, upgrade=proxies) as caller,
    ):
        await caller.send(HALF_CLOSE)
        heard = await caller.rest()
    answer = json.loads(heard.messages[0])
    metadata = dict(answer["metadata"])
    assert metadata.pop("user-agent").startswith("grpc-python-asyncio")
    assert metadata == {
        "authorization": "Bearer of.good.news",
        "x-own": "mine",
        "x-raw-bin": "00ff",
        "x-forwarded-for": "203.0.113.7",
        "x-request-id": "the-request",
    }
    assert 80 < answer["left"] <= 90


async def test_the_peer_is_the_client_where_no_proxy_is_trusted(bridge: Bridge) -> None:
    async with (
        bridge(trusted_hops=0) as port,
        calling(port, "/test.v1.Echo/Headers", HELLO, upgrade={"x-forwarded-for": "6.6.6.6"}) as c,
    ):
        await c.send(HALF_CLOSE)
        answer = json.loads((await c.rest()).messages[0])
    assert dict(answer["metadata"])["x-forwarded-for"] == "127.0.0.1"


async def test_a_deadline_ends_the_call(bridge: Bridge, server: Echo) -> None:
    hello = block(grpc_timeout="50m")
    async with bridge() as port, calling(port, "/test.v1.Echo/Hang", hello) as caller:
        heard = await caller.rest()
        await server.cancelled.wait()
    assert heard.trailers is not None
    assert heard.trailers["grpc-status"] == "4"
    assert heard.code == Close.OVER


@pytest.mark.parametrize("method", ["Hang", "Flood"])
@pytest.mark.parametrize("abrupt", [False, True])
async def test_a_socket_that_goes_cancels_the_call(
    bridge: Bridge, server: Echo, method: str, *, abrupt: bool
) -> None:
    async with bridge() as port:
        async with calling(port, f"/test.v1.Echo/{method}", HELLO) as caller:
            if method == "Hang":
                await server.entered.wait()
            else:
                await caller.until(1)
            if abrupt:
                caller.socket.transport.abort()
        await server.cancelled.wait()


async def test_answers_of_one_moment_travel_together(bridge: Bridge) -> None:
    async with (
        bridge(coalesce_seconds=0.2) as port,
        calling(port, "/test.v1.Echo/Burst", HELLO, data(b"a")) as caller,
    ):
        await caller.send(HALF_CLOSE)
        heard = await caller.rest()
    assert heard.messages == [b"a" + bytes([number]) for number in range(50)]
    assert sum(heard.sizes) == 52
    assert len(heard.sizes) <= 4
    # Existing clients look at what follows the headers in one message too late.
    assert heard.sizes[0] == 1


async def test_calls_beyond_a_connection_open_another(bridge: Bridge, server: Echo) -> None:
    async with bridge(streams_per_connection=1) as port:  # noqa: SIM117 - the second comes later
        async with calling(port, "/test.v1.Echo/Chat", HELLO, data(b"1")) as first:
            await first.until(1)
            async with calling(port, "/test.v1.Echo/Chat", HELLO, data(b"2")) as second:
                await second.until(1)
                await asyncio.gather(first.send(HALF_CLOSE), second.send(HALF_CLOSE))
                ends = await asyncio.gather(first.rest(), second.rest())
    assert [heard.code for heard in ends] == [Close.OVER, Close.OVER]
