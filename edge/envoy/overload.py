"""What happens when there is too much of it: of memory, of connections, of cancelled streams.

Only the edge gives way to a shortage of memory. The mesh listener and the admin are exempt: a flood
at the edge must not silence those who would find out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.overload.v3 import overload_pb2
from envoy.extensions.resource_monitors.downstream_connections.v3 import (
    downstream_connections_pb2,
)
from envoy.extensions.resource_monitors.fixed_heap.v3 import fixed_heap_pb2
from google.protobuf import struct_pb2

from edge.envoy.extensions import packed, seconds
from edge.envoy.settings import EnvoySettings

# Envoy closes a connection of which more than half of 500 streams were reset within a second of
# their start, as protection against HTTP/2 rapid reset. A mesh cancels as a matter of course: a
# reply prepared too early is thrown away. The edge keeps its codec's own guard against it.
_RESETS_TOLERATED = 1_000_000

_MAX_CONNECTIONS = 4096

_HEAP = "envoy.resource_monitors.fixed_heap"
_CONNECTIONS = "envoy.resource_monitors.global_downstream_max_connections"

# In the order in which they hurt: give memory back, keep no idle connections, refuse.
_HEAP_ACTIONS: Mapping[str, float] = {
    "envoy.overload_actions.shrink_heap": 0.90,
    "envoy.overload_actions.disable_http_keepalive": 0.92,
    "envoy.overload_actions.stop_accepting_requests": 0.95,
    "envoy.overload_actions.stop_accepting_connections": 0.98,
}


def overload_manager(settings: EnvoySettings) -> Any:
    """Envoy's overload manager."""
    return overload_pb2.OverloadManager(
        refresh_interval=seconds(0.25),
        resource_monitors=[
            overload_pb2.ResourceMonitor(
                name=_CONNECTIONS,
                typed_config=packed(
                    downstream_connections_pb2.DownstreamConnectionsConfig(
                        max_active_downstream_connections=_MAX_CONNECTIONS
                    )
                ),
            ),
            overload_pb2.ResourceMonitor(
                name=_HEAP,
                typed_config=packed(
                    fixed_heap_pb2.FixedHeapConfig(max_heap_size_bytes=settings.edge_max_heap_bytes)
                ),
            ),
        ],
        actions=[
            overload_pb2.OverloadAction(
                name=name,
                triggers=[
                    overload_pb2.Trigger(
                        name=_HEAP, threshold=overload_pb2.ThresholdTrigger(value=pressure)
                    )
                ],
            )
            for name, pressure in _HEAP_ACTIONS.items()
        ],
    )


def runtime(settings: EnvoySettings) -> Any:
    """Limits that Envoy reads from its runtime."""
    values = struct_pb2.Struct()
    values.update(
        {
            "overload.premature_reset_total_stream_count": _RESETS_TOLERATED,
            "envoy.resource_limits.listener.edge.connection_limit": settings.edge_max_connections,
            # Exempt from the overload manager, it has what that would allow all listeners together.
            "envoy.resource_limits.listener.mesh.connection_limit": _MAX_CONNECTIONS,
        }
    )
    return bootstrap_pb2.LayeredRuntime(
        layers=[bootstrap_pb2.RuntimeLayer(name="static", static_layer=values)]
    )
