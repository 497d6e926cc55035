"""The listeners that callers from outside meet, and what connections there are allowed to cost.

edge      for browsers and foreign clients: gRPC-Web, JSON, gRPC, WebSockets, the page
bridge    for the WebSocket bridge alone, which calls on behalf of those whose sockets it holds: the
          same chain, but the client is whoever the bridge says

Whoever calls is believed nothing that the mesh would believe. Sizes are those that Envoy advises
at an edge (https://www.envoyproxy.io/docs/envoy/latest/configuration/best_practices/edge).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.config.core.v3 import extension_pb2, protocol_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2
from envoy.type.matcher.v3 import string_pb2

from edge.envoy.access_log import edge_access_log
from edge.envoy.clusters import http2_options
from edge.envoy.contracts import Contract
from edge.envoy.edge_filters import edge_filters
from edge.envoy.edge_limits import retry_seconds
from edge.envoy.edge_routes import bridge_routes, edge_routes
from edge.envoy.extensions import TRUE, packed, seconds, uint32
from edge.envoy.listener import http_listener
from edge.envoy.local_replies import local_replies
from edge.envoy.settings import EnvoySettings
from edge.envoy.tls import downstream_tls
from edge.envoy.tracing import request_ids, tracing

EDGE = "edge"
BRIDGE = "bridge"

# Only the mesh says these; from outside they would be forgeries.
INTERNAL_HEADER_PREFIXES = ("x-viva-", "x-envoy-", "x-forwarded-", "x-request-id")

_BUFFER_BYTES = 32 * 1024
_STREAM_WINDOW_BYTES = 64 * 1024
_CONNECTION_WINDOW_BYTES = 1024 * 1024
_STREAMS_PER_CONNECTION = 100
# The bridge has one connection for all of its sockets.
_BRIDGE_STREAMS = 4096
_MAX_HEADERS_KIB = 32
_MAX_HEADERS = 64
_BRIDGE_IDLE_SECONDS = 600
_FIRST_BYTES_SECONDS = 10


def edge_listener(settings: EnvoySettings, services: Sequence[Contract], descriptors: Path) -> Any:
    """The listener of browsers; `descriptors` is the file with the contracts' descriptor set."""
    public = [contract for contract in services if contract.public]
    manager = _manager(settings, EDGE, public, descriptors, hops=settings.edge_trusted_hops)
    manager.route_config.CopyFrom(edge_routes(settings, EDGE, public))
    return http_listener(
        EDGE,
        settings.edge_host,
        settings.edge_port,
        manager,
        buffer_bytes=_BUFFER_BYTES,
        tls=downstream_tls(settings, descriptors.parent),
        first_bytes_seconds=_FIRST_BYTES_SECONDS,
    )


def bridge_listener(
    settings: EnvoySettings, services: Sequence[Contract], descriptors: Path
) -> Any:
    """The listener of the bridge, whose word is taken for who the client is."""
    public = [contract for contract in services if contract.public]
    manager = _manager(settings, BRIDGE, public, descriptors, hops=1)
    manager.http2_protocol_options.max_concurrent_streams.value = _BRIDGE_STREAMS
    # Those are the bridge's, to be kept for the next socket.
    manager.common_http_protocol_options.idle_timeout.CopyFrom(seconds(_BRIDGE_IDLE_SECONDS))
    manager.route_config.CopyFrom(bridge_routes(settings, BRIDGE, public))
    return http_listener(
        BRIDGE, settings.bridge_host, settings.bridge_port, manager, buffer_bytes=_BUFFER_BYTES
    )


def _manager(
    settings: EnvoySettings,
    name: str,
    public: Sequence[Contract],
    descriptors: Path,
    *,
    hops: int,
) -> Any:
    http2 = http2_options(max_concurrent_streams=_STREAMS_PER_CONNECTION)
    http2.initial_stream_window_size.value = _STREAM_WINDOW_BYTES
    http2.initial_connection_window_size.value = _CONNECTION_WINDOW_BYTES
    return http_connection_manager_pb2.HttpConnectionManager(
        stat_prefix=name,
        http2_protocol_options=http2,
        common_http_protocol_options=protocol_pb2.HttpProtocolOptions(
            idle_timeout=seconds(settings.edge_idle_connection_seconds),
            max_connection_duration=seconds(settings.edge_connection_seconds),
            max_stream_duration=seconds(settings.edge_stream_seconds),
            max_headers_count=uint32(_MAX_HEADERS),
            headers_with_underscores_action=protocol_pb2.HttpProtocolOptions.REJECT_REQUEST,
        ),
        http_filters=edge_filters(settings, name, public, descriptors),
        local_reply_config=local_replies(retry_seconds(settings), accounts=settings.has_accounts),
        access_log=[edge_access_log(settings.access_log)],
        max_request_headers_kb=uint32(_MAX_HEADERS_KIB),
        stream_idle_timeout=seconds(settings.stream_idle_seconds),
        request_headers_timeout=seconds(10),
        # The peer is the client, whatever address it claims; behind trusted proxies the one that
        # the first of them saw.
        use_remote_address=TRUE,
        xff_num_trusted_hops=hops,
        # It would append this machine's own address for callers on this machine; routes say who
        # the client is.
        skip_xff_append=True,
        early_header_mutation_extensions=[_header_stripping(forwarded_for=hops == 0)],
        request_id_extension=request_ids(),
        always_set_request_id_in_response=True,
        normalize_path=TRUE,
        merge_slashes=True,
        path_with_escaped_slashes_action=(
            http_connection_manager_pb2.HttpConnectionManager.REJECT_REQUEST
        ),
        server_header_transformation=(
            http_connection_manager_pb2.HttpConnectionManager.PASS_THROUGH
        ),
        tracing=tracing(settings),
    )


def _header_stripping(*, forwarded_for: bool) -> Any:
    """Removes what nobody outside may say; the claimed client too, if no proxy is trusted."""
    mutation = mutation_rules_pb2.HeaderMutation
    matchers = []
    for prefix in INTERNAL_HEADER_PREFIXES:
        if prefix.startswith("x-forwarded-") and not forwarded_for:
            matchers += [
                string_pb2.StringMatcher(exact=name, ignore_case=True)
                for name in ("x-forwarded-host", "x-forwarded-port", "x-forwarded-client-cert")
            ]
        else:
            matchers.append(string_pb2.StringMatcher(prefix=prefix, ignore_case=True))
    return extension_pb2.TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=packed(
            header_mutation_pb2.HeaderMutation(
                mutations=[
                    mutation(remove_on_match=mutation.RemoveOnMatch(key_matcher=matcher))
                    for matcher in matchers
                ]
            )
        ),
    )
