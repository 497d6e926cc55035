"""Calls to Envoy's bridge listener, as bytes: nothing here knows a message type."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import grpc

from edge.gateway.bridge.headers import Metadata
from edge.gateway.bridge.settings import BridgeSettings
from services.runtime.logs import log
from services.runtime.stream_status import keep_status

_logger = logging.getLogger(__name__)

Call = grpc.aio.StreamStreamCall[bytes, bytes]

# How far the transport reads ahead of a reader that is slow: a second of raw speech at 16 kHz.
_WINDOW_BYTES = 32 * 1024
_CHECK_SECONDS = 5.0
_REFUSALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


class Verdict(Enum):
    """What became of asking whether a token is good."""

    GOOD = auto()
    REFUSED = auto()
    UNKNOWN = auto()
    """Nobody could say; ask again later."""


@dataclass(slots=True, eq=False)
class _Connection:
    channel: grpc.aio.Channel
    calls: int = 0


class Upstream:
    """HTTP/2 connections to Envoy, shared by calls, as many as the calls need."""

    def __init__(self, settings: BridgeSettings) -> None:
        """Takes where and how. Nothing is opened before the first call."""
        self._settings = settings
        self._connections: list[_Connection] = []
        keep_status()

    async def close(self) -> None:
        """Closes all connections; calls that run are cancelled."""
        for connection in self._connections:
            await connection.channel.close(None)

    @contextmanager
    def call(self, path: str, metadata: Metadata, seconds: float) -> Iterator[Call]:
        """A call of any kind; one that is not over when the scope ends is cancelled.

        Args:
            path: `/package.Service/Method`.
            metadata: What goes with it.
            seconds: Until its deadline.
        """
        connection = self._connection()
        connection.calls += 1
        # The published types ask for an iterator of requests; without one, requests are written.
        method: Any = connection.channel.stream_stream(path, None, None)
        call: Call = method(metadata=tuple(metadata), timeout=seconds)
        try:
            yield call
        finally:
            call.cancel()
            connection.calls -= 1

    async def check(self, authorization: str, address: str) -> Verdict:
        """Whether a token would still be let in, as whoever decides about every call says.

        Args:
            authorization: The header's value.
            address: The client's.
        """
        method = self._connection().channel.unary_unary(self._settings.check_method, None, None)
        metadata = (("authorization", authorization), ("x-forwarded-for", address))
        try:
            await method(b"", metadata=metadata, timeout=_CHECK_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() in _REFUSALS:
                return Verdict.REFUSED
            log(_logger, logging.WARNING, "token not checked", code=error.code().name)
            return Verdict.UNKNOWN
        return Verdict.GOOD

    def _connection(self) -> _Connection:
        for connection in self._connections:
            if connection.calls < self._settings.streams_per_connection:
                return connection
        limit = self._settings.max_message_bytes
        channel = grpc.aio.insecure_channel(
            self._settings.upstream,
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
                # Otherwise channels to one address share one connection.
                ("grpc.use_local_subchannel_pool", 1),
                # The window stays as it is, however fast the connection proves to be: what a slow
                # client has not read waits in the server.
                ("grpc.http2.bdp_probe", 0),
                ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                ("grpc.initial_reconnect_backoff_ms", 200),
                ("grpc.max_reconnect_backoff_ms", 1_000),
                ("grpc.enable_retries", 0),
            ],
        )
        self._connections.append(_Connection(channel))
        return self._connections[-1]
