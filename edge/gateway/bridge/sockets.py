"""All open sockets: who may open one, and how they are told that the bridge stops."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edge.gateway.bridge import metrics
from edge.gateway.bridge.call import Client, Message, Receive, Send, SocketCall
from edge.gateway.bridge.paths import METHOD
from edge.gateway.bridge.seats import Full, Seat, Seats
from edge.gateway.bridge.settings import BridgeSettings
from edge.gateway.bridge.upstream import Upstream
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

SUBPROTOCOL = "grpc-websockets"

# What Envoy's edge listener says of a request, and the server should know.
_FROM_PROXIES = ("x-request-id", "traceparent", "tracestate")

# When it is worth trying again: another bridge may be up, another socket closed.
_RETRY_SECONDS = {503: b"1", 429: b"10"}


class _Refused(Exception):
    """A socket is not opened: HTTP's status, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Sockets:
    """An ASGI application for `websocket` scopes."""

    def __init__(self, settings: BridgeSettings, upstream: Upstream) -> None:
        """Takes limits, and where calls go."""
        self._settings = settings
        self._upstream = upstream
        self._seats = Seats(settings)
        self._open = 0
        self._none_open = asyncio.Event()
        self._none_open.set()
        self._told = asyncio.Event()
        self.draining = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serves one socket, from its upgrade to its end."""
        client = self._client(scope)
        try:
            with self._counted(scope, client) as seat:
                await receive()  # websocket.connect
                await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
                await self._serve(client, seat, receive, send)
        except _Refused as refused:
            await receive()
            await _refuse(send, refused.status, str(refused))

    @contextmanager
    def _counted(self, scope: Message, client: Client) -> Iterator[Seat]:
        """Counts a socket as open until the scope ends, however it does.

        Before anything is awaited: many that come at once are counted one by one.

        Raises:
            _Refused: It is none that can be opened.
        """
        self._require_welcome(scope)
        try:
            with self._seats.taken(client.address) as seat:
                self._open += 1
                self._none_open.clear()
                metrics.SOCKETS.set(self._open)
                try:
                    yield seat
                finally:
                    self._open -= 1
                    metrics.SOCKETS.set(self._open)
                    if not self._open:
                        self._none_open.set()
        except Full as full:
            raise _Refused(429, str(full)) from None

    async def _serve(self, client: Client, seat: Seat, receive: Receive, send: Send) -> None:
        call = SocketCall(client, seat, receive, send, self._upstream, self._settings)
        began = time.monotonic()
        try:
            await call.run(self._stop)
        finally:
            outcome = call.outcome
            metrics.CLOSED.labels(
                "gone" if outcome.close is None else str(int(outcome.close))
            ).inc()
            log(
                _logger,
                logging.INFO,
                "socket ended",
                method=client.path,
                seconds=round(time.monotonic() - began, 3),
                close=None if outcome.close is None else int(outcome.close),
                status=outcome.status and outcome.status.name,
                messages_up=outcome.up,
                messages_down=outcome.down,
                request_id=dict(client.passed).get("x-request-id"),
            )

    def _require_welcome(self, scope: Message) -> None:
        if not METHOD.fullmatch(scope["path"]):
            raise _Refused(404, "the path of a WebSocket is /package.Service/Method")
        if SUBPROTOCOL not in scope["subprotocols"]:
            raise _Refused(400, f"ask for the subprotocol {SUBPROTOCOL}")
        if self.draining:
            raise _Refused(503, "the bridge stops")
        if self._open >= self._settings.max_sockets:
            raise _Refused(503, "too many sockets are open")

    def _client(self, scope: Message) -> Client:
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        passed = tuple((name, headers[name][0]) for name in _FROM_PROXIES if name in headers)
        peer = scope["client"]
        address = peer[0] if peer else "unknown"
        if hops := self._settings.trusted_hops:
            line = ",".join(headers.get("x-forwarded-for", ()))
            told = [each.strip() for each in line.split(",") if each.strip()]
            if told:
                # The last that a trusted proxy has added; what is before it anybody may have said.
                address = told[-min(hops, len(told))]
        return Client(scope["path"], address, passed)

    async def _stop(self) -> None:
        await self._told.wait()

    async def drain(self, seconds: float) -> None:
        """Opens no more sockets, waits for those there are, closes the rest after `seconds`."""
        self.draining = True
        try:
            async with asyncio.timeout(seconds):
                await self._none_open.wait()
        except TimeoutError:
            log(_logger, logging.INFO, "sockets told to go", count=self._open)
            self._told.set()
            await self._none_open.wait()


async def _refuse(send: Send, status: int, reason: str) -> None:
    metrics.REFUSED.labels(str(status)).inc()
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if (seconds := _RETRY_SECONDS.get(status)) is not None:
        headers.append((b"retry-after", seconds))
    start: dict[str, Any] = {"type": "websocket.http.response.start", "status": status}
    await send({**start, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": f"{reason}\n".encode()})
