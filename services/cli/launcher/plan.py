"""What to start on one machine: servers, ports, and the order in which they stop."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.envoy.binary import arguments as envoy_arguments
from edge.envoy.bootstrap import CONFIGURATION
from edge.envoy.contracts import contracts
from edge.envoy.settings import DEFAULT_PORTS, EnvoySettings
from services.runtime.settings import ServerSettings, load

ENVOY = "envoy"
REFLECTION = "reflection"
INTERVIEW = "interview"

# A server's metrics are a hundred ports above its calls.
_METRICS_OFFSET = 100


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """A process to start.

    Attributes:
        name: What it is called, in tables and logs.
        command: Program and arguments.
        environment: What it sees besides this process's own environment.
        ports: The ports it listens on, by what they are for.
        services: The gRPC services it must say SERVING for; empty for Envoy.
        stage: Processes of a lower stage stop before those of a higher one.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ports: Mapping[str, int]
    services: Sequence[str]
    stage: int

    @property
    def address(self) -> str:
        """Where its calls go."""
        return f"127.0.0.1:{self.ports['grpc']}"


@dataclass(frozen=True, slots=True)
class MeshPlan:
    """Everything to start.

    Attributes:
        servers: The processes.
        envoy: Envoy's settings, every endpoint filled in.
        data_dir: Where configuration, logs and models go.
    """

    servers: Sequence[ServerPlan]
    envoy: EnvoySettings
    data_dir: Path

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.data_dir / "logs"

    @property
    def run(self) -> Path:
        """The folder of what exists only while the mesh runs."""
        return self.data_dir / "run"

    @property
    def mesh_address(self) -> str:
        """Where programs call the mesh."""
        return f"localhost:{self.envoy.mesh_port}"

    @property
    def edge_address(self) -> str:
        """Where browsers find it."""
        return f"http://localhost:{self.envoy.edge_port}"


def data_dir() -> Path:
    """The data folder, from VIVA_DATA_DIR or its default."""
    return load(ServerSettings).data_dir.expanduser().resolve()


def make_plan(environment: Mapping[str, str] | None = None) -> MeshPlan:
    """The plan for this machine.

    Ports are those the servers' own variables name (`VIVA_ASR_PORT`, `VIVA_ASR_METRICS_PORT`). A
    server for which `VIVA_ENVOY_ENDPOINTS` names an address runs there and is not started here.

    Args:
        environment: Where variables are looked up; None means this process's environment.
    """
    variables = os.environ if environment is None else environment
    configured = load(EnvoySettings)
    elsewhere = configured.endpoints
    services: dict[str, list[str]] = {}
    for contract in contracts():
        services.setdefault(contract.server, []).append(contract.name)
    folder = data_dir()
    here = [name for name in sorted(services) if name not in elsewhere]
    ports = {name: _port(variables, name) for name in (*here, REFLECTION)}
    envoy = configured.model_copy(
        update={
            "endpoints": {
                **elsewhere,
                **{name: [f"127.0.0.1:{port}"] for name, port in ports.items()},
            }
        }
    )
    shared = {"VIVA_DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"}
    servers = [
        _server(name, ports[name], services[name], variables, shared, envoy) for name in here
    ]
    servers.append(_reflection(ports[REFLECTION], shared, envoy))
    servers.append(_envoy(envoy, folder))
    return MeshPlan(servers, envoy, folder)


def _port(variables: Mapping[str, str], server: str) -> int:
    return int(variables.get(f"VIVA_{server.upper()}_PORT") or DEFAULT_PORTS[server])


def _server(
    name: str,
    port: int,
    services: Sequence[str],
    variables: Mapping[str, str],
    shared: Mapping[str, str],
    envoy: EnvoySettings,
) -> ServerPlan:
    prefix = f"VIVA_{name.upper()}"
    metrics = int(variables.get(f"{prefix}_METRICS_PORT") or port + _METRICS_OFFSET)
    return ServerPlan(
        name=name,
        command=[sys.executable, "-m", f"services.{name}"],
        environment={
            **shared,
            f"{prefix}_PORT": str(port),
            f"{prefix}_METRICS_PORT": str(metrics),
            f"{prefix}_MESH_ADDRESS": f"127.0.0.1:{envoy.mesh_port}",
        },
        ports={"grpc": port, "metrics": metrics},
        services=services,
        # The interview calls the models: it finishes what it does while they are still there.
        stage=0 if name == INTERVIEW else 1,
    )


def _reflection(port: int, shared: Mapping[str, str], envoy: EnvoySettings) -> ServerPlan:
    return ServerPlan(
        name=REFLECTION,
        command=[sys.executable, "-m", "edge.reflection"],
        environment={
            **shared,
            "VIVA_REFLECTION_PORT": str(port),
            "VIVA_ENVOY_ENDPOINTS": json.dumps(envoy.endpoints),
        },
        ports={"grpc": port},
        services=["grpc.reflection.v1.ServerReflection"],
        stage=2,
    )


def _envoy(envoy: EnvoySettings, folder: Path) -> ServerPlan:
    return ServerPlan(
        name=ENVOY,
        command=envoy_arguments(folder / "run" / CONFIGURATION),
        environment={},
        ports={"mesh": envoy.mesh_port, "edge": envoy.edge_port, "admin": envoy.admin_port},
        services=(),
        stage=2,
    )
