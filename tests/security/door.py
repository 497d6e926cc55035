"""The whole door: Envoy, a gateway, a bridge, and a server behind them that answers everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from edge.envoy.contracts import Access, Contract, Method, contracts
from tests.edge.backend import Mesh, envoy
from tests.edge.every_method import Call, EveryMethod
from tests.edge.identity import Gateway, gateway
from tests.edge.stand_in_bridge import Bridge, bridge

INTERVIEWS = "viva.interview.v1.InterviewService"
ALLOWED = "http://localhost:8080"
PUBLIC_CONTRACTS = tuple(contract for contract in contracts() if contract.public)
METHODS = tuple(method for contract in PUBLIC_CONTRACTS for method in contract.methods)
OPEN = tuple(method for method in METHODS if method.access is Access.PUBLIC)
GUARDED = tuple(method for method in METHODS if method.access is not Access.PUBLIC)


def ids(methods: tuple[Method, ...]) -> list[str]:
    return [method.path.rsplit(".", 1)[1] for method in methods]


@dataclass
class Door:
    mesh: Mesh
    gateway: Gateway
    bridge: Bridge
    servers: EveryMethod
    client: httpx.AsyncClient

    @property
    def arrived(self) -> list[Call]:
        """The calls that got through."""
        return [*self.servers.calls, *self.gateway.methods.calls]

    def forget(self) -> None:
        self.servers.calls.clear()
        self.gateway.methods.calls.clear()
        self.gateway.ended.clear()
        self.gateway.broken = False
        self.gateway.asked = 0
        self.bridge.requests.clear()


@dataclass
class Behind:
    """The servers behind the door."""

    port: int = 0
    methods: EveryMethod = field(default_factory=EveryMethod)


@asynccontextmanager
async def behind() -> AsyncIterator[Behind]:
    found = Behind()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    everything: tuple[Contract, ...] = contracts()
    found.methods.add_to(server, everything)
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    for contract in everything:
        await health.set(contract.name, health_pb2.HealthCheckResponse.SERVING)
    found.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield found
    finally:
        await server.stop(0)


@asynccontextmanager
async def door(folder: Path, **settings: Any) -> AsyncIterator[Door]:
    """Opens it; the limits are wide unless settings say otherwise."""
    wide = {
        "edge_requests_per_second": 10_000,
        "edge_request_burst": 10_000,
        "edge_requests_per_minute": 100_000,
        "edge_shared_requests_per_minute": 100_000,
        "edge_page_requests_per_minute": 100_000,
        "allowed_origins": [ALLOWED],
    }
    async with (
        behind() as servers,
        gateway() as tokens,
        bridge() as sockets,
        envoy(folder, servers.port, gateway=tokens, bridge=sockets, **{**wide, **settings}) as mesh,
        httpx.AsyncClient(base_url=mesh.edge, timeout=20) as client,
    ):
        for contract in PUBLIC_CONTRACTS:
            port = tokens.port if contract.server == "gateway" else servers.port
            await mesh.until_healthy(contract.name, port)
        yield Door(mesh, tokens, sockets, servers.methods, client)
