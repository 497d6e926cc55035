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
from services.runtime.settings import default_data_dir

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
    """

    programs: tuple[Program, ...]
    data_dir: Path
    mesh: str
    edge: str

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


def make_plan(offset: int = 0) -> Plan:
    """The plan for this machine from the environment.

    Args:
        offset: Added to every port, so that a second mesh can run beside the first.
    """
    folder = data_dir()
    ports = {
        name: int(os.environ.get(f"VIVA_{name.upper()}_PORT", default)) + offset
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
            f"{prefix}_DRAIN_SECONDS": os.environ.get(f"{prefix}_DRAIN_SECONDS", "0"),
        }
        metrics_port = None
        module = f"services.{name}"
        if name == "reflection":
            module = "edge.reflection"
            environment["VIVA_ENVOY_ENDPOINTS"] = endpoints
        else:
            metrics_port = (
                int(os.environ.get(f"{prefix}_METRICS_PORT", ports[name] - offset + METRICS_OFFSET))
                + offset
            )
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
    written = bootstrap.write(envoy, folder / "run" / "envoy")
    programs.append(
        Program(
            "envoy",
            tuple(binary.arguments(written.bootstrap)),
            {},
            envoy.mesh_port,
            admin_port=envoy.admin_port,
        )
    )
    return Plan(tuple(programs), folder, mesh, f"localhost:{envoy.edge_port}")


def _envoy_settings(ports: Mapping[str, int], offset: int) -> EnvoySettings:
    base = EnvoySettings()
    local = {name: [f"127.0.0.1:{port}"] for name, port in ports.items()}
    return base.model_copy(
        update={
            "endpoints": {**local, **base.endpoints},
            "mesh_port": base.mesh_port + offset,
            "edge_port": base.edge_port + offset,
            "admin_port": base.admin_port + offset,
            # Into envoy.log, which does not grow for ever.
            "access_log": "/dev/stdout",
        }
    )
