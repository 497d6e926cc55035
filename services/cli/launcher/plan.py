"""What runs on one machine, in which order it stops, and where it listens."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.envoy import binary, bootstrap
from edge.envoy.settings import DEFAULT_PORTS, EnvoySettings
from services.runtime.settings import default_data_dir, load

METRICS_OFFSET = 100
"""A server's metrics port is its gRPC port and this."""

SERVICES: Mapping[str, str] = {
    "embed": "viva.embed.v1.EmbedService",
    "asr": "viva.asr.v1.AsrService",
    "tts": "viva.tts.v1.TtsService",
    "llm": "viva.llm.v1.LlmService",
    "interview": "viva.interview.v1.InterviewService",
    "reflection": "",
}
"""The service whose health says that a server is ready."""

STOP_ORDER = (("interview",), ("envoy",), ("asr", "tts", "llm", "embed", "reflection"))
"""Who calls stops before who is called."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process of the mesh.

    Attributes:
        name: "asr", "envoy", …
        command: The program and its arguments.
        environment: Variables beyond the launcher's own.
        port: Where it takes calls.
        metrics_port: Where it shows metrics; None for none.
        health_service: What its gRPC health is asked for; None for Envoy.
        admin_port: Where Envoy tells what it sees; None for the others.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int
    metrics_port: int | None = None
    health_service: str | None = None
    admin_port: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything `viva up` starts.

    Attributes:
        programs: The processes.
        data_dir: Models, logs and the run file.
        mesh: The mesh listener's address.
        edge: The edge listener's address.
        envoy: What its configuration is made of.
    """

    programs: tuple[Program, ...]
    data_dir: Path
    mesh: str
    edge: str
    envoy: EnvoySettings

    def write_configuration(self) -> None:
        """Writes what Envoy reads at its start. Only whoever holds the data folder may."""
        bootstrap.write(self.envoy, _envoy_folder(self.data_dir))

    @property
    def ports(self) -> Mapping[int, str]:
        """Every port that has to be free, and whose it is."""
        taken = {program.port: program.name for program in self.programs}
        for program in self.programs:
            if program.metrics_port is not None:
                taken[program.metrics_port] = f"{program.name} metrics"
            if program.admin_port is not None:
                taken[program.admin_port] = f"{program.name} admin"
        taken[int(self.edge.rpartition(":")[2])] = "edge listener"
        return taken


def data_dir() -> Path:
    """Where everything is kept: VIVA_DATA_DIR or the default."""
    return Path(os.environ.get("VIVA_DATA_DIR") or default_data_dir()).expanduser().resolve()


def _envoy_folder(folder: Path) -> Path:
    return folder / "run" / "envoy"


class NoPort(ValueError):
    """A setting, with the offset, names no port; the message says which."""


def _port(variable: str, default: int, offset: int) -> int:
    told = os.environ.get(variable, str(default))
    if told.isascii() and told.isdigit() and 0 < int(told) + offset < 65536:
        return int(told) + offset
    more = f" and an offset of {offset}" if offset else ""
    raise NoPort(f"{variable}: {told!r}{more} is no port; 1 to 65535 is")


def make_plan(offset: int = 0) -> Plan:
    """The plan for this machine from the environment.

    Args:
        offset: Added to every port, so that a second mesh can run beside the first.

    Raises:
        NoPort: A variable holds no port.
        SystemExit: A variable of Envoy's makes no sense; it is named on standard error.
    """
    folder = data_dir()
    ports = {
        name: _port(f"VIVA_{name.upper()}_PORT", default, offset)
        for name, default in DEFAULT_PORTS.items()
    }
    envoy = _envoy_settings(ports, offset)
    mesh = f"localhost:{envoy.mesh_port}"
    shared = {"VIVA_DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"}
    endpoints = json.dumps(envoy.endpoints)
    programs = []
    for name, service in SERVICES.items():
        prefix = f"VIVA_{name.upper()}"
        environment = {
            **shared,
            f"{prefix}_PORT": str(ports[name]),
            # All of the mesh stops together: there is nobody left to notice a drain.
            f"{prefix}_LAME_DUCK_SECONDS": os.environ.get(f"{prefix}_LAME_DUCK_SECONDS", "0"),
        }
        metrics_port = None
        module = f"services.{name}"
        if name == "reflection":
            module = "edge.reflection"
            environment["VIVA_ENVOY_ENDPOINTS"] = endpoints
        else:
            usual = ports[name] - offset + METRICS_OFFSET
            metrics_port = _port(f"{prefix}_METRICS_PORT", usual, offset)
            environment[f"{prefix}_METRICS_PORT"] = str(metrics_port)
        if name == "interview":
            for server in ("ASR", "TTS", "LLM", "EMBED"):
                environment[f"{prefix}_{server}_ADDRESS"] = mesh
        programs.append(
            Program(
                name,
                (sys.executable, "-m", module),
                environment,
                ports[name],
                metrics_port,
                service,
            )
        )
    programs.append(
        Program(
            "envoy",
            tuple(binary.arguments(_envoy_folder(folder) / bootstrap.CONFIGURATION)),
            {},
            envoy.mesh_port,
            admin_port=envoy.admin_port,
        )
    )
    return Plan(tuple(programs), folder, mesh, f"localhost:{envoy.edge_port}", envoy)


def _envoy_settings(ports: Mapping[str, int], offset: int) -> EnvoySettings:
    base = load(EnvoySettings)
    local = {name: [f"127.0.0.1:{port}"] for name, port in ports.items()}
    return base.model_copy(
        update={
            "endpoints": {**local, **base.endpoints},
            "mesh_port": _port("VIVA_ENVOY_MESH_PORT", base.mesh_port, offset),
            "edge_port": _port("VIVA_ENVOY_EDGE_PORT", base.edge_port, offset),
            "admin_port": _port("VIVA_ENVOY_ADMIN_PORT", base.admin_port, offset),
            # Into envoy.log, which does not grow for ever.
            "access_log": "/dev/stdout",
        }
    )
