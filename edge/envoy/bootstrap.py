"""The whole configuration as one typed message, and as the file Envoy reads."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.core.v3 import base_pb2
from google.protobuf import json_format

from edge.envoy.admin import admin, admin_cluster, admin_listener
from edge.envoy.certificate import self_signed
from edge.envoy.claims import AUTHORIZATION_SERVICE
from edge.envoy.clusters import collector_cluster, http_cluster, service_cluster
from edge.envoy.contracts import (
    GATEWAY,
    REFLECTION_SERVICES,
    Contract,
    contracts,
    descriptor_set,
)
from edge.envoy.edge_listener import bridge_listener, edge_listener
from edge.envoy.edge_routes import BRIDGE_CLUSTER
from edge.envoy.endpoints import file_of, publish
from edge.envoy.identity import AUTHORIZATION_CLUSTER, KEYS_CLUSTER
from edge.envoy.mesh_listener import REFLECTION_CLUSTER, mesh_listener
from edge.envoy.overload import overload_manager, runtime
from edge.envoy.settings import EnvoySettings
from edge.envoy.tls import certificate
from edge.envoy.tls import publish as publish_certificate
from edge.envoy.tracing import COLLECTOR_CLUSTER, collector
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

CONFIGURATION = "envoy.json"
DESCRIPTORS = "contracts.binpb"
ENDPOINTS = "endpoints"
ADMIN_SOCKET = "admin.sock"


def bootstrap(
    settings: EnvoySettings, directory: Path, services: Sequence[Contract] | None = None
) -> Any:
    """The configuration (`envoy.config.bootstrap.v3.Bootstrap`) for the contracts' services.

    Args:
        settings: What is listened on, and who answers.
        directory: Where the files lie to which the configuration refers.
        services: The contracts' services; all of them by default.

    Raises:
        LookupError: A service belongs to a server without an address.
        ValueError: The admin's socket cannot have its path.
    """
    offered = _offered(settings, contracts() if services is None else services)
    clusters = [
        _cluster(settings, directory, contract.name, contract.server, contract.name)
        for contract in offered
    ]
    listeners = []
    if "mesh" in settings.listeners:
        listeners.append(mesh_listener(settings, offered))
        clusters.append(
            _cluster(settings, directory, REFLECTION_CLUSTER, "reflection", REFLECTION_SERVICES[0])
        )
    if "edge" in settings.listeners:
        listeners.append(edge_listener(settings, offered, directory / DESCRIPTORS))
        if settings.has_accounts:
            clusters += [
                _cluster(
                    settings, directory, AUTHORIZATION_CLUSTER, GATEWAY, AUTHORIZATION_SERVICE
                ),
                http_cluster(KEYS_CLUSTER, settings.keys_address),
            ]
    if settings.has_bridge and settings.bridge_address is not None:
        listeners.append(bridge_listener(settings, offered, directory / DESCRIPTORS))
        clusters.append(http_cluster(BRIDGE_CLUSTER, settings.bridge_address))
    spans_to = collector(settings)
    if spans_to is not None:
        clusters.append(collector_cluster(COLLECTOR_CLUSTER, spans_to, settings.otlp_certificate))
    socket = settings.admin_socket or directory / ADMIN_SOCKET
    return bootstrap_pb2.Bootstrap(
        node=base_pb2.Node(id=settings.node_id, cluster=settings.node_cluster),
        static_resources=bootstrap_pb2.Bootstrap.StaticResources(
            listeners=[*listeners, admin_listener(settings)],
            clusters=[*clusters, admin_cluster(socket)],
        ),
        admin=admin(socket),
        layered_runtime=runtime(settings),
        overload_manager=overload_manager(settings),
    )


def checked_clusters(settings: EnvoySettings) -> Mapping[str, str]:
    """The clusters that health checks watch, with the server that answers each."""
    found = {contract.name: contract.server for contract in _offered(settings, contracts())}
    if "mesh" in settings.listeners:
        found[REFLECTION_CLUSTER] = "reflection"
    if "edge" in settings.listeners and settings.has_accounts:
        found[AUTHORIZATION_CLUSTER] = GATEWAY
    return found


def _offered(settings: EnvoySettings, services: Sequence[Contract]) -> Sequence[Contract]:
    """The services that the listeners lead to: an edge alone has the public ones."""
    if "mesh" in settings.listeners:
        return services
    return [contract for contract in services if contract.public]


def _cluster(
    settings: EnvoySettings, directory: Path, name: str, server: str, health_service: str
) -> Any:
    return service_cluster(
        name,
        settings.replicas(server),
        health_service=health_service,
        endpoints=file_of(server, endpoints_folder(settings, directory)),
    )


def endpoints_folder(settings: EnvoySettings, directory: Path) -> Path:
    """Where the files of endpoints lie that Envoy watches."""
    return (settings.endpoints_folder or directory / ENDPOINTS).resolve()


def parse(text: str) -> Any:
    """Reads a configuration; raises `json_format.ParseError` naming what is not of Envoy's API."""
    return json_format.Parse(text, bootstrap_pb2.Bootstrap(), ignore_unknown_fields=False)


def write(settings: EnvoySettings, directory: Path) -> Path:
    """Writes the configuration and everything it refers to into `directory`.

    Returns:
        The file to give to Envoy.

    Raises:
        BadCertificate: The edge's certificate cannot be used.
    """
    directory = directory.resolve()
    for name, host in settings.exposed.items():
        log(_logger, logging.WARNING, "open without authentication", what=name, host=host)
    directory.mkdir(parents=True, exist_ok=True)
    descriptors = descriptor_set().SerializeToString(deterministic=True)
    (directory / DESCRIPTORS).write_bytes(descriptors)
    if "edge" in settings.listeners:
        if settings.tls_self_signed:
            self_signed(directory, settings.allowed_hosts)
        pair = certificate(settings, directory)
        if pair is not None:
            publish_certificate(pair, directory)
    for server in set(checked_clusters(settings).values()):
        replicas = settings.replicas(server)
        if replicas.are_named:
            # One of an earlier configuration would be believed.
            file_of(server, endpoints_folder(settings, directory)).unlink(missing_ok=True)
        else:
            publish(server, replicas, endpoints_folder(settings, directory))
    content = json_format.MessageToDict(
        bootstrap(settings, directory), preserving_proto_field_name=True
    )
    file = directory / CONFIGURATION
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return file
