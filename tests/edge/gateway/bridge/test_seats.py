"""How many sockets a user may hold, and an address; and that those that ended are not counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest
from websockets.exceptions import InvalidStatus

from edge.gateway.bridge.call import SocketCall
from edge.gateway.bridge.closing import Close, Ended
from edge.gateway.bridge.seats import Full, Seats
from edge.gateway.bridge.settings import BridgeSettings
from edge.gateway.bridge.sockets import SUBPROTOCOL, Sockets
from edge.gateway.bridge.upstream import Upstream
from tests.edge.gateway.bridge.client import HALF_CLOSE, Caller, Heard, block, calling, data
from tests.edge.gateway.bridge.conftest import Bridge
from tests.edge.gateway.bridge.echo import Echo
from tests.edge.gateway.bridge.test_ends import jwt

CHAT, HANG = "/test.v1.Echo/Chat", "/test.v1.Echo/Hang"
STRANGER = block(x_grpc_web="1")


def of(user: str) -> bytes:
    """The headers of a user's."""
    return block(authorization=jwt(60, user))


def at(address: str) -> dict[str, str]:
    """What Envoy says of a client at the address."""
    return {"x-forwarded-for": address}


@asynccontextmanager
async def chats(
    port: int, hello: bytes, count: int, address: str = "192.0.2.1"
) -> AsyncIterator[list[Caller]]:
    """So many sockets that the server has answered on."""
    async with AsyncExitStack() as stack:
        callers = []
        for _ in range(count):
            socket = calling(port, CHAT, hello, data(b"a"), upgrade=at(address))
            callers.append(await stack.enter_async_context(socket))
            await callers[-1].until(1)
        yield callers


async def over(caller: Caller) -> None:
    """Ends a call as it should be ended."""
    await caller.send(HALF_CLOSE)
    assert (await caller.rest()).code == Close.OVER


async def one_more(port: int, hello: bytes, address: str, path: str = CHAT) -> Heard:
    """What comes of a call of one message."""
    async with calling(port, path, hello, data(b"a"), HALF_CLOSE, upgrade=at(address)) as caller:
        return await caller.rest()


async def status_of_one_more(port: int, hello: bytes, address: str) -> int:
    """HTTP's word about an upgrade that is refused."""
    with pytest.raises(InvalidStatus) as refused:
        await one_more(port, hello, address)
    response = refused.value.response
    assert response.headers["retry-after"] == "10"
    return int(response.status_code)


async def test_a_user_holds_so_many_wherever_they_are(bridge: Bridge, server: Echo) -> None:
    async with (
        bridge(max_sockets_of_user=2) as port,
        chats(port, of("ann"), 1, "192.0.2.1"),
        chats(port, of("ann"), 1, "192.0.2.2") as [second],
    ):
        server.entered.clear()
        heard = await one_more(port, of("ann"), "192.0.2.3")
        assert heard.code == Close.TOO_MANY
        assert heard.reason == "2 sockets of this user are open; close one"
        assert heard.trailers is not None
        assert heard.trailers["grpc-status"] == "8"
        # Nothing was begun at the server: that could have taken an interview over.
        assert not server.entered.is_set()
        assert (await one_more(port, of("bob"), "192.0.2.1")).code == Close.OVER
        await over(second)
        assert (await one_more(port, of("ann"), "192.0.2.3")).code == Close.OVER


async def test_of_many_opened_at_once_no_more_than_that_stay(bridge: Bridge) -> None:
    async with bridge(max_sockets_of_user=2) as port, AsyncExitStack() as stack:
        callers = [
            await stack.enter_async_context(calling(port, CHAT, of("ann"))) for _ in range(6)
        ]
        # Each was let in as far as the server; there they speak at the same moment.
        await asyncio.gather(*(caller.send(data(b"a")) for caller in callers))

        async def answered(caller: Caller) -> bool:
            while not caller.heard.messages:
                if not await caller.receive():
                    assert caller.heard.code == Close.TOO_MANY
                    return False
            return True

        assert sum(await asyncio.gather(*map(answered, callers))) == 2


async def test_of_many_upgrades_at_once_no_more_than_that_are_let_in(bridge: Bridge) -> None:
    async with bridge(max_sockets_without_user=2) as port, AsyncExitStack() as stack:
        sockets = [calling(port, CHAT) for _ in range(12)]
        came = await asyncio.gather(
            *map(stack.enter_async_context, sockets), return_exceptions=True
        )
        refused = [each for each in came if isinstance(each, InvalidStatus)]
        assert [each.response.status_code for each in refused] == [429] * 10


async def test_an_address_without_a_user_holds_so_many(bridge: Bridge) -> None:
    async with (
        bridge(max_sockets_without_user=2) as port,
        chats(port, STRANGER, 2, "192.0.2.1") as [first, _],
    ):
        assert await status_of_one_more(port, STRANGER, "192.0.2.1") == 429
        assert (await one_more(port, STRANGER, "192.0.2.2")).code == Close.OVER
        await over(first)
        assert (await one_more(port, STRANGER, "192.0.2.1")).code == Close.OVER


async def test_a_household_of_ipv6_is_one_address(bridge: Bridge) -> None:
    async with (
        bridge(max_sockets_without_user=1) as port,
        chats(port, STRANGER, 1, "2001:db8::1"),
    ):
        assert await status_of_one_more(port, STRANGER, "2001:db8::2") == 429
        assert (await one_more(port, STRANGER, "2001:db8:0:1::1")).code == Close.OVER


async def test_users_do_not_count_among_those_without_one(bridge: Bridge) -> None:
    async with (
        bridge(max_sockets_without_user=1) as port,
        chats(port, of("ann"), 1),
        chats(port, of("bob"), 1),
        chats(port, STRANGER, 1),
    ):
        assert await status_of_one_more(port, STRANGER, "192.0.2.1") == 429


async def test_nor_has_an_address_any_number_of_users(bridge: Bridge) -> None:
    async with (
        bridge(max_sockets_of_address=2) as port,
        chats(port, of("ann"), 1),
        chats(port, of("bob"), 1),
    ):
        assert await status_of_one_more(port, of("cyd"), "192.0.2.1") == 429
        assert (await one_more(port, of("cyd"), "192.0.2.2")).code == Close.OVER


async def test_tokens_that_nobody_has_found_good_use_up_no_users(bridge: Bridge) -> None:
    async with (
        bridge(max_sockets_of_user=1) as port,
        calling(port, HANG, of("ann"), data(b"a"), upgrade=at("192.0.2.1")),
    ):
        assert (await one_more(port, of("ann"), "192.0.2.2")).code == Close.OVER


@pytest.mark.parametrize(
    ("path", "last"),
    [
        (CHAT, b"\x07"),  # malformed
        ("/test.v1.Echo/Fail", HALF_CLOSE),
        (CHAT, b""),  # gone without a word
    ],
)
async def test_those_that_ended_count_no_more_however_they_did(
    bridge: Bridge, path: str, last: bytes
) -> None:
    limits = {"max_sockets_of_user": 1, "max_sockets_without_user": 1, "max_sockets_of_address": 1}
    async with bridge(**limits) as port:
        for _ in range(5):
            async with calling(port, path, of("ann"), data(b"a")) as caller:
                await caller.until(1)
                if last:
                    await caller.send(last)
                    await caller.rest()
                else:
                    caller.socket.transport.abort()
                    await caller.socket.wait_closed()
            await _room(port)


async def _room(port: int) -> None:
    """Waits until the bridge has seen that the socket is gone."""
    while True:
        try:
            async with calling(port, CHAT, STRANGER, HALF_CLOSE) as caller:
                assert (await caller.rest()).code == Close.OVER
                return
        except InvalidStatus:
            await asyncio.sleep(0)


async def test_a_call_that_breaks_leaves_nothing_counted(
    server: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = BridgeSettings(
        upstream=server.address, max_sockets=1, max_sockets_of_address=1, trusted_hops=0
    )
    upstream = Upstream(settings)
    sockets = Sockets(settings, upstream)
    scope = {
        "type": "websocket",
        "path": CHAT,
        "subprotocols": [SUBPROTOCOL],
        "headers": [],
        "client": ("192.0.2.1", 1),
    }

    async def breaks(*_: Any) -> None:
        raise RuntimeError("broken")

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def cannot_send(message: Any) -> None:
        raise OSError("gone before it was accepted")

    async def send(message: Any) -> None:
        assert message["type"] == "websocket.accept"

    monkeypatch.setattr(SocketCall, "run", breaks)
    for _ in range(3):
        with pytest.raises(OSError, match="gone before"):
            await sockets(scope, receive, cannot_send)
        with pytest.raises(RuntimeError, match="broken"):
            await sockets(scope, receive, send)
    await upstream.close()


def test_a_socket_is_given_to_its_user_once() -> None:
    seats = Seats(BridgeSettings(max_sockets_of_user=1, max_sockets_without_user=1))
    with seats.taken("192.0.2.1") as first:
        first.claim("ann")
        with pytest.raises(Full), seats.taken("192.0.2.1"):
            pass
        for _ in range(3):
            first.let_in()
        with seats.taken("192.0.2.1") as second:
            with pytest.raises(Ended) as ended:
                second.claim("ann")
            assert ended.value.status is grpc.StatusCode.RESOURCE_EXHAUSTED
    with seats.taken("192.0.2.1") as third:
        third.claim("ann")
        third.let_in()
