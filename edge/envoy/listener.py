"""A listener that speaks HTTP: what is alike for mesh, edge and admin."""

from __future__ import annotations

from typing import Any

from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from google.protobuf.message import Message

from edge.envoy.clusters import CONNECTION_BUFFER_BYTES
from edge.envoy.endpoints import socket_address
from edge.envoy.extensions import packed, uint32


def http_listener(name: str, host: str, port: int, manager: Message) -> Any:
    """The listener at an address; `manager` is its HttpConnectionManager."""
    return listener_pb2.Listener(
        name=name,
        address=socket_address(host, port),
        per_connection_buffer_limit_bytes=uint32(CONNECTION_BUFFER_BYTES),
        filter_chains=[
            listener_components_pb2.FilterChain(
                name=name,
                filters=[
                    listener_components_pb2.Filter(
                        name="envoy.filters.network.http_connection_manager",
                        typed_config=packed(manager),
                    )
                ],
            )
        ],
    )
