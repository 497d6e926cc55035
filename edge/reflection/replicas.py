"""Where the replicas of every service are now: by settings, by files, by DNS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Mapping

from edge.envoy.contracts import Contract
from edge.envoy.endpoints import published
from edge.envoy.settings import Endpoint, EnvoySettings


async def replicas(
    services: Collection[Contract], mesh: EnvoySettings
) -> Mapping[str, Collection[Endpoint]]:
    """The replicas of each service.

    A file of the mesh's folder of endpoints, if there is one for a server, counts for more than
    the settings; a name stands for all its addresses.
    """
    files = published(mesh.endpoints_folder) if mesh.endpoints_folder else {}
    servers = {contract.server for contract in services}
    found = {
        server: await _resolved((files.get(server) or mesh.replicas(server)).all)
        for server in servers
    }
    return {contract.name: found[contract.server] for contract in services}


async def _resolved(endpoints: Collection[Endpoint]) -> frozenset[Endpoint]:
    return frozenset().union(*[await _addresses(endpoint) for endpoint in endpoints])


async def _addresses(endpoint: Endpoint) -> frozenset[Endpoint]:
    """Every address of the endpoint; the name itself, which fails like it, while it has none."""
    if endpoint.is_ip:
        return frozenset({endpoint})
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(
            endpoint.host, endpoint.port, type=socket.SOCK_STREAM
        )
    except OSError:
        return frozenset({endpoint})
    return frozenset(Endpoint(str(address[0]), endpoint.port) for *_, address in answers)
