"""The mesh listener: native gRPC to every service of the contracts, for programs on this side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)

from edge.envoy.access_log import access_log
from edge.envoy.callers import MESH_CALLERS, caller_headers
from edge.envoy.clusters import http2_options
from edge.envoy.contracts import REFLECTION_SERVICES, Contract
from edge.envoy.extensions import FALSE, TRUE, http_filter, seconds, uint64
from edge.envoy.listener import http_listener
from edge.envoy.routing import (
    RETRY_BUFFER_BYTES,
    grpc_routes,
    malformed_timeout_route,
    service_route,
)
from edge.envoy.settings import EnvoySettings
from edge.envoy.tracing import request_ids, tracing

MESH = "mesh"
REFLECTION_CLUSTER = "reflection"


def mesh_listener(settings: EnvoySettings, services: Iterable[Contract]) -> Any:
    """The listener."""
    manager = http_connection_manager_pb2.HttpConnectionManager(
        stat_prefix=MESH,
        codec_type=http_connection_manager_pb2.HttpConnectionManager.HTTP2,
        http2_protocol_options=http2_options(max_concurrent_streams=4096, trusted=True),
        route_config=_routes(services),
        http_filters=[http_filter("envoy.filters.http.router", router_pb2.Router())],
        access_log=[access_log(settings.access_log)],
        stream_idle_timeout=seconds(settings.stream_idle_seconds),
        # A long upload is no slow request.
        request_timeout=seconds(0),
        # Callers here are our own: their request ids and trace headers pass as they are.
        use_remote_address=FALSE,
        preserve_external_request_id=True,
        generate_request_id=TRUE,
        request_id_extension=request_ids(),
        tracing=tracing(settings),
    )
    listener = http_listener(MESH, settings.mesh_host, settings.mesh_port, manager)
    # A flood at the edge is the edge's affair.
    listener.bypass_overload_manager = True
    return listener


def _routes(services: Iterable[Contract]) -> Any:
    routes = [malformed_timeout_route()]
    routes += [route for contract in services for route in grpc_routes(contract)]
    routes += [service_route(name, cluster=REFLECTION_CLUSTER) for name in REFLECTION_SERVICES]
    return route_pb2.RouteConfiguration(
        name=MESH,
        request_headers_to_add=caller_headers(MESH_CALLERS),
        virtual_hosts=[
            route_components_pb2.VirtualHost(
                name=MESH,
                domains=["*"],
                routes=routes,
                request_body_buffer_limit=uint64(RETRY_BUFFER_BYTES),
            )
        ],
    )
