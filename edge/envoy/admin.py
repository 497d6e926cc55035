"""Envoy's admin: all of it on a Unix socket for its owner, what only reads on a port.

Draining needs POST, and whoever may POST may also end Envoy, so that belongs to nobody who can
merely reach a port: any page that a browser on this machine shows could.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import address_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from envoy.type.matcher.v3 import string_pb2

from edge.envoy.extensions import http_filter, seconds
from edge.envoy.listener import http_listener
from edge.envoy.settings import EnvoySettings

ADMIN = "admin"

# What anybody who reaches the port may read.
_READABLE = ("/clusters", "/ready", "/server_info", "/stats")

_OWNER_ONLY = 0o600
# What fits a Unix socket's address (unix(7)), without the byte that ends it.
_LONGEST_SOCKET_PATH = 107


def admin(socket: Path) -> Any:
    """The whole admin, for the owner of `socket`.

    Raises:
        ValueError: The path is longer than a Unix socket's may be.
    """
    return bootstrap_pb2.Admin(address=_pipe(socket))


def admin_cluster(socket: Path) -> Any:
    """The admin as something that a listener can forward to."""
    endpoint = endpoint_components_pb2.Endpoint(address=_pipe(socket))
    return cluster_pb2.Cluster(
        name=ADMIN,
        type=cluster_pb2.Cluster.STATIC,
        connect_timeout=seconds(1),
        load_assignment=endpoint_pb2.ClusterLoadAssignment(
            cluster_name=ADMIN,
            endpoints=[
                endpoint_components_pb2.LocalityLbEndpoints(
                    lb_endpoints=[endpoint_components_pb2.LbEndpoint(endpoint=endpoint)]
                )
            ],
        ),
    )


def admin_listener(settings: EnvoySettings) -> Any:
    """What of the admin changes nothing, on a port: GET of a few paths."""
    get = route_components_pb2.HeaderMatcher(
        name=":method", string_match=string_pb2.StringMatcher(exact="GET")
    )
    readable = [
        route_components_pb2.Route(
            match=route_components_pb2.RouteMatch(prefix=path, headers=[get]),
            route=route_components_pb2.RouteAction(cluster=ADMIN),
        )
        for path in _READABLE
    ]
    refused = route_components_pb2.Route(
        match=route_components_pb2.RouteMatch(prefix="/"),
        direct_response=route_components_pb2.DirectResponseAction(status=403),
    )
    manager = http_connection_manager_pb2.HttpConnectionManager(
        stat_prefix=ADMIN,
        route_config=route_pb2.RouteConfiguration(
            name=ADMIN,
            virtual_hosts=[
                route_components_pb2.VirtualHost(
                    name=ADMIN, domains=["*"], routes=[*readable, refused]
                )
            ],
        ),
        http_filters=[http_filter("envoy.filters.http.router", router_pb2.Router())],
    )
    listener = http_listener(ADMIN, settings.admin_host, settings.admin_port, manager)
    # Who looks after an overload has to be let in.
    listener.bypass_overload_manager = True
    return listener


def _pipe(socket: Path) -> Any:
    if len(str(socket).encode()) > _LONGEST_SOCKET_PATH:
        raise ValueError(
            f"{socket} is too long for a Unix socket; set VIVA_ENVOY_ADMIN_SOCKET to a shorter path"
        )
    return address_pb2.Address(pipe=address_pb2.Pipe(path=str(socket), mode=_OWNER_ONLY))
