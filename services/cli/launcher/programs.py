"""The processes of a mesh: what each runs and where it listens."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.envoy.contracts import REFLECTION_SERVICES
from edge.envoy.settings import Endpoint
from services.cli.launcher.addresses import free
from services.cli.launcher.upstreams import Upstream

SERVICES: Mapping[str, str] = {
    "embed": "viva.embed.v1.EmbedService",
    "asr": "viva.asr.v1.AsrService",
    "tts": "viva.tts.v1.TtsService",
    "llm": "viva.llm.v1.LlmService",
    "interview": "viva.interview.v1.InterviewService",
    "gateway": "viva.account.v1.AccountService",
    # Not the whole mesh's: of that, servers elsewhere are a part.
    "reflection": REFLECTION_SERVICES[0],
}
"""The service whose health says that a server is ready."""

MOST_REPLICAS = 9
# A place a replica, and one for a replacement: 7102, 7112, 7122 … 7192.
_PLACES = MOST_REPLICAS + 1
_PLACE_STEP = 10


class NoPlan(ValueError):
    """Settings and options that make no mesh; the message says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process of the mesh.

    Attributes:
        name: "asr", "asr-2", …, "envoy".
        server: What it is a replica of: "asr", …, "envoy".
        command: The program and its arguments.
        environment: Variables beyond the launcher's own.
        endpoint: Where it takes calls from this machine; of a Unix socket the folder, and the
            number in its name.
        metrics_port: Where it shows metrics; None for none.
        health_service: What its gRPC health is asked for; None for Envoy.
        health_path: Where its health is asked for over HTTP; None for those that speak gRPC.
        admin_port: Where Envoy tells what it sees; None for the others.
        folder: Where it runs; None for the launcher's own.
        socket: Whether it listens at a Unix socket.
        stop_signal: What asks it to stop.
        shared_ports: What else it listens on, together with the server's other replicas.
        again: Arguments of each start after it was ready once.
        upstream: Where its model is, if not in itself: what it can be started without.
    """

    name: str
    server: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    endpoint: Endpoint
    metrics_port: int | None = None
    health_service: str | None = None
    health_path: str | None = None
    admin_port: int | None = None
    folder: Path | None = None
    socket: bool = False
    stop_signal: int = signal.SIGTERM
    shared_ports: tuple[int, ...] = ()
    again: tuple[str, ...] = ()
    upstream: Upstream | None = None

    @property
    def metrics(self) -> str | None:
        """Where it shows metrics: host and port."""
        if self.metrics_port is None:
            return None
        return str(Endpoint(self.endpoint.host, self.metrics_port))

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports it alone listens on."""
        if self.socket:
            return ()
        ports = (self.endpoint.port, self.metrics_port, self.admin_port)
        return tuple(port for port in ports if port is not None)


@dataclass(frozen=True, slots=True)
class Server:
    """What runs in one or several replicas.

    Attributes:
        name: "asr", …
        command: The program and its arguments.
        environment: Variables beyond the launcher's own, and the ports.
        first: Where its first replica takes calls.
        metrics_port: Where its first replica shows metrics; None for none.
        replicas: How many run here.
        shared_ports: What else its replicas listen on together, by the variable that says so.
        advertised: Where those of other machines reach its first replica; None: where it listens.
        upstream: Where its model is, if not in itself.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    first: Endpoint
    metrics_port: int | None
    replicas: int
    shared_ports: Mapping[str, int] = field(default_factory=dict)
    advertised: Endpoint | None = None
    upstream: Upstream | None = None

    def first_program(self) -> Program:
        """The first replica, at the server's own ports."""
        return self._at(self.name, 0)

    def program(self, name: str, others: Iterable[Program]) -> Program:
        """A replica at the first place that `others`, and all programs that run, leave free.

        Raises:
            NoPlan: There is none.
        """
        used = {port for program in others for port in program.ports}
        for place in range(_PLACES):
            program = self._at(name, place * _PLACE_STEP)
            host = program.endpoint.host
            if used.isdisjoint(program.ports) and all(free(host, port) for port in program.ports):
                return program
        raise NoPlan(
            f"{self.name}: no port is free for another replica, from {self.first.port} in steps of"
            f" {_PLACE_STEP}"
        )

    def _at(self, name: str, further: int) -> Program:
        prefix = f"VIVA_{self.name.upper()}"
        endpoint = Endpoint(self.first.host, self.first.port + further)
        ports = {f"{prefix}_PORT": str(endpoint.port)}
        metrics_port = None
        if self.metrics_port is not None:
            metrics_port = self.metrics_port + further
            ports[f"{prefix}_METRICS_PORT"] = str(metrics_port)
        ports |= {name: str(port) for name, port in self.shared_ports.items()}
        if self.advertised is not None:
            own = replace(self.advertised, port=self.advertised.port + further)
            ports[f"{prefix}_ADVERTISE"] = str(own)
        return Program(
            name,
            self.name,
            self.command,
            {**self.environment, **ports},
            endpoint,
            metrics_port,
            SERVICES[self.name],
            shared_ports=tuple(self.shared_ports.values()),
            upstream=self.upstream,
        )
