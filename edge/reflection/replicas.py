"""Where the replicas of every service are now: by settings, by files, by DNS."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Collection, Mapping
from pathlib import Path

from edge.envoy.contracts import Contract
from edge.envoy.endpoints import MalformedEndpoints, read
from edge.envoy.settings import Endpoint, EnvoySettings, Replicas
from services.runtime import logs

_logger = logging.getLogger(__name__)


class Whereabouts:
    """The replicas of services as settings and files say; a broken file changes nothing."""

    def __init__(self, services: Collection[Contract], mesh: EnvoySettings) -> None:
        """Takes whose replicas, and where Envoy finds them."""
        self._services = services
        self._mesh = mesh
        self._files: dict[Path, Replicas | None] = {}
        self._broken: set[Path] = set()

    @property
    def wanted(self) -> Collection[str]:
        """The services that are to be there: those that settings do not leave out."""
        return [each.name for each in self._services if self._mesh.replicas(each.server).all]

    async def now(self) -> Mapping[str, Collection[Endpoint]]:
        """The replicas of each service.

        A file of the mesh's folder of endpoints, if there is one for a server, counts for more
        than the settings; a name stands for all its addresses.
        """
        files = self._read_files()
        servers = {contract.server for contract in self._services}
        found = {
            server: await _resolved((files.get(server) or self._mesh.replicas(server)).all)
            for server in servers
        }
        return {contract.name: found[contract.server] for contract in self._services}

    def _read_files(self) -> Mapping[str, Replicas]:
        folder = self._mesh.endpoints_folder
        paths = list(folder.glob("*.json")) if folder else []
        self._files = {path: self._read(path) for path in paths}
        return {path.stem: replicas for path, replicas in self._files.items() if replicas}

    def _read(self, path: Path) -> Replicas | None:
        """What the file says; what it said last while it is broken, as Envoy has it."""
        try:
            replicas = read(path)
        except MalformedEndpoints:
            if path not in self._broken:
                logs.log(_logger, logging.ERROR, "file of endpoints is malformed", file=str(path))
            self._broken.add(path)
            return self._files.get(path)
        self._broken.discard(path)
        return replicas


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
