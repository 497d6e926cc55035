"""The whole configuration as one typed message, and as the file Envoy reads."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.core.v3 import base_pb2
from envoy.config.overload.v3 import overload_pb2
from envoy.extensions.resource_monitors.downstream_connections.v3 import (
    downstream_connections_pb2,
)
from envoy.type.matcher.v3 import string_pb2
from google.protobuf import json_format, struct_pb2

from edge.envoy.clusters import collector_cluster, service_cluster, socket_address
from edge.envoy.contracts import Contract, contracts, descriptor_set
from edge.envoy.edge_listener import edge_listener
from edge.envoy.extensions import packed
from edge.envoy.mesh_listener import REFLECTION_CLUSTER, mesh_listener
from edge.envoy.settings import EnvoySettings
from edge.envoy.tracing import COLLECTOR_CLUSTER, collector
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

CONFIGURATION = "envoy.json"
DESCRIPTORS = "contracts.binpb"

# What anybody on this machine, and any page a browser here shows, may ask of the admin port:
# nothing that changes Envoy.
_ADMIN_PATHS = ("/clusters", "/ready", "/server_info", "/stats")

# Envoy closes a connection of which more than half of 500 streams were reset within a second of
# their start, as protection against HTTP/2 rapid reset. A mesh cancels as a matter of course: a
# reply prepared too early is thrown away. The edge keeps its codec's own guard against it.
_RESETS_TOLERATED = 1_000_000

_MAX_CONNECTIONS = 4096


@dataclass(frozen=True, slots=True)
class WrittenConfiguration:
    """Where the configuration lies.

    Attributes:
        bootstrap: The file to give to Envoy.
        descriptors: The contracts, to which it refers.

    """

    bootstrap: Path
    descriptors: Path


def bootstrap(
    settings: EnvoySettings, descriptors: Path, services: Sequence[Contract] | None = None
) -> Any:
    """The configuration (`envoy.config.bootstrap.v3.Bootstrap`) for the contracts' services.

    `descriptors` is the file their descriptor set is read from. Raises LookupError when a service
    belongs to a server without an address.
    """
    if services is None:
        services = contracts()
    clusters = [
        service_cluster(
            contract.name,
            settings.replicas(contract.server),
            health_service=contract.name,
        )
        for contract in services
    ]
    clusters.append(
        service_cluster(
            REFLECTION_CLUSTER,
            settings.replicas("reflection"),
            health_service="grpc.reflection.v1.ServerReflection",
        )
    )
    spans_to = collector(settings)
    if spans_to is not None:
        clusters.append(collector_cluster(COLLECTOR_CLUSTER, spans_to, settings.otlp_certificate))
    return bootstrap_pb2.Bootstrap(
        node=base_pb2.Node(id="envoy", cluster="viva"),
        static_resources=bootstrap_pb2.Bootstrap.StaticResources(
            listeners=[
                mesh_listener(settings, services),
                edge_listener(settings, services, descriptors),
            ],
            clusters=clusters,
        ),
        admin=bootstrap_pb2.Admin(
            address=socket_address(settings.admin_host, settings.admin_port),
            allow_paths=[string_pb2.StringMatcher(prefix=path) for path in _ADMIN_PATHS],
        ),
        layered_runtime=_runtime(),
        overload_manager=_overload_manager(),
    )


def _runtime() -> Any:
    values = struct_pb2.Struct()
    values.update({"overload.premature_reset_total_stream_count": _RESETS_TOLERATED})
    return bootstrap_pb2.LayeredRuntime(
        layers=[bootstrap_pb2.RuntimeLayer(name="static", static_layer=values)]
    )


def _overload_manager() -> Any:
    limit = downstream_connections_pb2.DownstreamConnectionsConfig(
        max_active_downstream_connections=_MAX_CONNECTIONS
    )
    return overload_pb2.OverloadManager(
        resource_monitors=[
            overload_pb2.ResourceMonitor(
                name="envoy.resource_monitors.global_downstream_max_connections",
                typed_config=packed(limit),
            )
        ]
    )


def parse(text: str) -> Any:
    """Reads a configuration; raises `json_format.ParseError` naming what is not of Envoy's API."""
    return json_format.Parse(text, bootstrap_pb2.Bootstrap(), ignore_unknown_fields=False)


def write(settings: EnvoySettings, directory: Path) -> WrittenConfiguration:
    """Writes the configuration and the descriptors it refers to into `directory`."""
    for name, host in settings.exposed.items():
        log(_logger, logging.WARNING, "open without authentication", what=name, host=host)
    directory.mkdir(parents=True, exist_ok=True)
    written = WrittenConfiguration(
        bootstrap=directory / CONFIGURATION, descriptors=(directory / DESCRIPTORS).resolve()
    )
    written.descriptors.write_bytes(descriptor_set().SerializeToString(deterministic=True))
    message = bootstrap(settings, written.descriptors)
    content = json_format.MessageToDict(message, preserving_proto_field_name=True)
    written.bootstrap.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return written
