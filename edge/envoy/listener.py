"""A listener that speaks HTTP: what is alike for mesh, edge and admin."""

from __future__ import annotations

from typing import Any

from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from envoy.extensions.filters.listener.http_inspector.v3 import http_inspector_pb2
from google.protobuf.message import Message

from edge.envoy.clusters import CONNECTION_BUFFER_BYTES
from edge.envoy.endpoints import socket_address
from edge.envoy.extensions import packed, seconds, uint32


def http_listener(
    name: str,
    host: str,
    port: int,
    manager: Message,
    *,
    buffer_bytes: int = CONNECTION_BUFFER_BYTES,
    tls: Message | None = None,
    first_bytes_seconds: float | None = None,
) -> Any:
    """The listener at an address.

    Args:
        name: What it is called, in statistics and logs too.
        host: Where it listens.
        port: Where it listens.
        manager: Its HttpConnectionManager.
        buffer_bytes: How much of a connection may wait in memory.
        tls: The transport socket of one that speaks TLS.
        first_bytes_seconds: Who has said nothing for so long is let go; None: is waited for.
    """
    return listener_pb2.Listener(
        name=name,
        address=socket_address(host, port),
        per_connection_buffer_limit_bytes=uint32(buffer_bytes),
        # It waits for the first bytes before a connection is anybody's; else nothing would.
        listener_filters=[]
        if first_bytes_seconds is None
        else [
            listener_components_pb2.ListenerFilter(
                name="envoy.filters.listener.http_inspector",
                typed_config=packed(http_inspector_pb2.HttpInspector()),
            )
        ],
        listener_filters_timeout=None
        if first_bytes_seconds is None
        else seconds(first_bytes_seconds),
        filter_chains=[
            listener_components_pb2.FilterChain(
                name=name,
                transport_socket=tls,
                transport_socket_connect_timeout=None if tls is None else seconds(10),
                filters=[
                    listener_components_pb2.Filter(
                        name="envoy.filters.network.http_connection_manager",
                        typed_config=packed(manager),
                    )
                ],
            )
        ],
    )
