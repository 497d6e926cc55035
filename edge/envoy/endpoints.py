"""Where a server's replicas are, as Envoy reads it: in its configuration, or in a file it watches.

A file (envoy.service.discovery.v3.DiscoveryResponse with one ClusterLoadAssignment) is replaced as
a whole, by a rename in the folder that Envoy watches; Envoy never sees half of it. Streams that
run on a replica that is no longer named go on; it only gets no new calls.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envoy.config.core.v3 import address_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from edge.envoy import discovery
from edge.envoy.extensions import uint32
from edge.envoy.settings import Endpoint, Replicas

# Priority 0 counts as whole as long as a 1.4th of it is healthy, by default: with half of it gone,
# 29 % of the calls would go to the fallbacks. With this, one healthy primary is enough.
_OVERPROVISIONING_PERCENT = 10_000


def load_assignment(name: str, replicas: Replicas) -> Any:
    """The replicas as Envoy's `ClusterLoadAssignment`: primaries before fallbacks."""
    return endpoint_pb2.ClusterLoadAssignment(
        cluster_name=name,
        endpoints=[
            _locality(priority, group)
            for priority, group in enumerate((replicas.primary, replicas.fallback))
            if group
        ],
        policy=endpoint_pb2.ClusterLoadAssignment.Policy(
            overprovisioning_factor=uint32(_OVERPROVISIONING_PERCENT)
        ),
    )


def _locality(priority: int, group: tuple[Endpoint, ...]) -> Any:
    return endpoint_components_pb2.LocalityLbEndpoints(
        priority=priority,
        lb_endpoints=[
            endpoint_components_pb2.LbEndpoint(
                endpoint=endpoint_components_pb2.Endpoint(
                    address=socket_address(endpoint.host, endpoint.port)
                )
            )
            for endpoint in group
        ],
    )


def socket_address(host: str, port: int) -> Any:
    """A TCP address."""
    return address_pb2.Address(
        socket_address=address_pb2.SocketAddress(address=host, port_value=port)
    )


def file_of(server: str, folder: Path) -> Path:
    """The file of a server's replicas."""
    return folder / f"{server}.json"


def publish(server: str, replicas: Replicas, folder: Path) -> None:
    """Tells every Envoy that watches `folder` of the server's replicas.

    Raises:
        ValueError: A replica is named rather than addressed: files are for addresses.
        OSError: The file cannot be written; the one before stays.
    """
    if replicas.are_named:
        raise ValueError(f"{server}: a file of endpoints holds IP addresses only")
    folder.mkdir(parents=True, exist_ok=True)
    discovery.write(file_of(server, folder), load_assignment(server, replicas))


class MalformedEndpoints(ValueError):
    """A file of endpoints that says nothing."""


def read(file: Path) -> Replicas:
    """The replicas that a file names.

    Raises:
        MalformedEndpoints: It cannot be read.
    """
    assignment = endpoint_pb2.ClusterLoadAssignment()
    try:
        response = json_format.Parse(
            file.read_text(encoding="utf-8"), discovery_pb2.DiscoveryResponse()
        )
        [resource] = response.resources
        if not resource.Unpack(assignment):
            raise MalformedEndpoints(f"{file}: no ClusterLoadAssignment")
    except (OSError, ValueError, json_format.ParseError, DecodeError) as error:
        raise MalformedEndpoints(f"{file}: {error}") from None
    groups: dict[int, tuple[Endpoint, ...]] = {
        group.priority: tuple(
            Endpoint(address.address, address.port_value)
            for member in group.lb_endpoints
            for address in (member.endpoint.address.socket_address,)
        )
        for group in assignment.endpoints
    }
    return Replicas(groups.get(0, ()), groups.get(1, ()))
