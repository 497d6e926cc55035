"""Where Envoy listens, where the servers are, and what the edge lets in."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.runtime.addresses import authority, parse
from services.runtime.collector import Collector
from services.runtime.listening import is_loopback
from services.runtime.settings import Settings

DEFAULT_PORTS: Mapping[str, int] = {
    "embed": 7101,
    "asr": 7102,
    "tts": 7103,
    "llm": 7104,
    "interview": 7105,
    "gateway": 7106,
    "reflection": 7110,
}
"""gRPC port of each server on one machine."""

HTTP_PORTS: Mapping[str, int] = {"gateway": 7306, "bridge": 7108}
"""HTTP port of the servers that have one: the gateway's keys, the bridge's sockets and pages."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a replica of a server listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `host:port`; raises ValueError on anything else."""
        return cls(*parse(text))

    @property
    def is_ip(self) -> bool:
        """Whether the host is an address rather than a name to be resolved."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        return authority(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Replicas:
    """The replicas of a server.

    Attributes:
        primary: Take the calls as long as enough of them are healthy.
        fallback: Take what the primaries cannot: a CPU server behind the GPU ones, say.

    """

    primary: tuple[Endpoint, ...]
    fallback: tuple[Endpoint, ...] = ()

    @property
    def all(self) -> tuple[Endpoint, ...]:
        """Primaries and fallbacks."""
        return self.primary + self.fallback

    @property
    def are_named(self) -> bool:
        """Whether any of them is a name that DNS resolves."""
        return not all(endpoint.is_ip for endpoint in self.all)


Listener = Literal["edge", "mesh"]


class EnvoySettings(Settings):
    """Settings from the environment, `VIVA_ENVOY_<NAME>`.

    Lists and maps are written as JSON, LISTENERS with commas.
    """

    model_config = SettingsConfigDict(env_prefix="VIVA_ENVOY_", frozen=True)

    listeners: Annotated[tuple[Listener, ...], NoDecode] = Field(
        default=("edge", "mesh"),
        min_length=1,
        description="Which listeners this Envoy has: edge, mesh or edge,mesh.",
    )
    concurrency: int = Field(default=2, ge=1, le=256, description="Envoy's worker threads.")
    node_id: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="What this Envoy calls itself, in its statistics and to a control plane.",
    )
    node_cluster: str = Field(
        default="viva", min_length=1, description="The group of Envoys that this one belongs to."
    )
    mesh_host: str = Field(default="127.0.0.1", description="Address of the mesh listener.")
    mesh_port: int = Field(default=7000, ge=1, le=65535, description="Port of the mesh listener.")
    edge_host: str = Field(default="127.0.0.1", description="Address of the edge listener.")
    edge_port: int = Field(default=8080, ge=1, le=65535, description="Port of the edge listener.")
    admin_host: str = Field(default="127.0.0.1", description="Address of Envoy's read-only admin.")
    admin_port: int = Field(
        default=7001, ge=1, le=65535, description="Port of Envoy's read-only admin."
    )
    admin_socket: Path | None = Field(
        default=None,
        description="Unix socket of Envoy's whole admin, which can drain it, for this user alone;"
        " absent: admin.sock beside its configuration.",
    )
    endpoints: dict[str, list[str]] = Field(
        default_factory=dict,
        description='Replicas by server, {"asr": ["10.0.0.7:7102"]}; a server that is not named has'
        " one on this machine at its usual port, one with an empty list has none.",
    )
    fallbacks: dict[str, list[str]] = Field(
        default_factory=dict,
        description="Replicas by server that take calls only when the others cannot.",
    )
    endpoints_folder: Path | None = Field(
        default=None,
        description="Folder of the files, one a server, from which Envoy learns of replicas with"
        " IP addresses while it runs; absent: endpoints beside its configuration.",
    )
    allowed_hosts: list[str] = Field(
        default=["localhost", "127.0.0.1"],
        min_length=1,
        description="Host names the edge answers to, without a port; all others are refused.",
    )
    allowed_origins: list[str] | None = Field(
        default=None,
        description="Web origins whose pages may call the edge; absent: the edge's own.",
    )
    edge_trusted_hops: int = Field(
        default=0,
        ge=0,
        le=8,
        description="Proxies before the edge whose x-forwarded-for is believed.",
    )
    bridge_address: str | None = Field(
        default=f"127.0.0.1:{HTTP_PORTS['bridge']}",
        description="Where the bridge answers WebSockets and serves the page; empty: nowhere.",
    )
    bridge_host: str = Field(
        default="127.0.0.1", description="Address of the listener that the bridge calls."
    )
    bridge_port: int = Field(
        default=7003, ge=1, le=65535, description="Port of the listener that the bridge calls."
    )
    keys_address: str = Field(
        default=f"127.0.0.1:{HTTP_PORTS['gateway']}",
        description="Where the gateway publishes the keys that tokens are signed with.",
    )
    tls_certificate: Path | None = Field(
        default=None, description="Certificate chain (PEM) of the edge; absent: no TLS."
    )
    tls_key: Path | None = Field(default=None, description="Private key (PEM) of the edge.")
    tls_self_signed: bool = Field(
        default=False,
        description="1 makes a certificate that signs itself, beside Envoy's configuration.",
    )
    edge_requests_per_second: int = Field(
        default=200, ge=1, description="Requests the edge takes a second, from everybody together."
    )
    edge_request_burst: int = Field(
        default=400, ge=1, description="Requests the edge takes at once after a quiet time."
    )
    edge_requests_per_minute: int = Field(
        default=100,
        ge=1,
        description="Requests a minute of one user, and of one address without a token.",
    )
    edge_shared_requests_per_minute: int = Field(
        default=1000,
        ge=1,
        description="Requests a minute with a token from one address, which many may share.",
    )
    edge_page_requests_per_minute: int = Field(
        default=600, ge=1, description="Files of the page a minute, to one address."
    )
    edge_live_requests_per_minute: int = Field(
        default=1200,
        ge=1,
        description="Speak calls a minute of one user: an interview's own audio and"
        " acknowledgements where WebSockets are blocked.",
    )
    edge_shared_live_requests_per_minute: int = Field(
        default=6000,
        ge=1,
        description="Speak calls a minute with a token from one address, which many may share.",
    )
    edge_max_connections: int = Field(
        default=1024,
        ge=1,
        description="Connections the edge keeps open; the other listeners have their own.",
    )
    edge_max_heap_bytes: int = Field(
        default=1024 * 1024 * 1024,
        ge=64 * 1024 * 1024,
        description="Memory at which Envoy takes no more requests at the edge.",
    )
    edge_request_seconds: float = Field(
        default=60, gt=0, description="Longest time of a unary call at the edge, its body included."
    )
    edge_stream_seconds: float = Field(
        default=4 * 3600, gt=0, description="Longest time of a stream or WebSocket at the edge."
    )
    edge_connection_seconds: float = Field(
        default=6 * 3600, gt=0, description="Longest time of a connection to the edge."
    )
    edge_idle_connection_seconds: float = Field(
        default=60,
        gt=0,
        description="A connection to the edge on which nothing is under way is closed so soon.",
    )
    edge_max_request_bytes: int = Field(
        default=8 * 1024 * 1024, ge=1024, description="Largest request body on the edge."
    )
    stream_idle_seconds: float = Field(
        default=300, gt=0, description="A stream on which nothing moves for this long is closed."
    )
    access_log: str = Field(
        default="/dev/stdout", description="Where one JSON line a request goes; never bodies."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias="VIVA_OTLP_ENDPOINT",
        description="OTLP/gRPC collector for Envoy's spans, for example http://localhost:4317;"
        " https speaks TLS.",
    )
    allow_insecure: bool = Field(
        default=False,
        validation_alias="VIVA_ALLOW_INSECURE",
        description="1 allows to listen, without authentication, where other machines can call.",
    )
    otlp_certificate: Path = Field(
        default=Path("/etc/ssl/certs/ca-certificates.crt"),
        validation_alias="OTEL_EXPORTER_OTLP_CERTIFICATE",
        description="Certificates of the authorities that a collector over TLS may be signed by.",
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _collector(cls, value: str | None) -> str | None:
        return str(Collector.parse(value)) if value else None

    @field_validator("listeners", mode="before")
    @classmethod
    def _separated_by_commas(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(name.strip() for name in value.split(",") if name.strip())

    @property
    def exposed(self) -> dict[str, str]:
        """The host of each listener that other machines can reach."""
        hosts = {"admin": self.admin_host}
        if "mesh" in self.listeners:
            hosts["mesh"] = self.mesh_host
        # What is asked for a token over TLS, except for what anybody may read, is no open door.
        if "edge" in self.listeners and not self.tls:
            hosts["edge"] = self.edge_host
        if self.has_bridge:
            hosts["bridge"] = self.bridge_host
        return {name: host for name, host in hosts.items() if not is_loopback(host)}

    @property
    def tls(self) -> bool:
        """Whether the edge speaks TLS."""
        return self.tls_self_signed or self.tls_certificate is not None

    @property
    def has_bridge(self) -> bool:
        """Whether WebSockets and the page are served, and the bridge has its listener."""
        return "edge" in self.listeners and self.bridge_address is not None

    @property
    def has_accounts(self) -> bool:
        """Whether there is a gateway; without one, only what is public is served."""
        return bool(self.replicas("gateway").all)

    @model_validator(mode="after")
    def _whole_pair(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError(
                "VIVA_ENVOY_TLS_CERTIFICATE and VIVA_ENVOY_TLS_KEY belong together: give both"
            )
        if self.tls_self_signed and self.tls_certificate is not None:
            raise ValueError(
                "VIVA_ENVOY_TLS_SELF_SIGNED: a certificate is given already; leave one of them out"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _empty_is_nowhere(cls, values: dict[str, object]) -> dict[str, object]:
        # Unlike other variables that are empty, this one is told.
        told = os.environ.get("VIVA_ENVOY_BRIDGE_ADDRESS") == ""
        return {"bridge_address": None, **values} if told else values

    @field_validator("bridge_address", "keys_address")
    @classmethod
    def _one_address(cls, value: str | None) -> str | None:
        if value is not None:
            Endpoint.parse(value)
        return value

    @model_validator(mode="after")
    def _exposed_on_purpose(self) -> Self:
        for name, host in self.exposed.items():
            if not self.allow_insecure:
                raise ValueError(
                    f"VIVA_ENVOY_{name.upper()}_HOST: other machines could reach {host} without"
                    " authentication; listen on 127.0.0.1, or set VIVA_ALLOW_INSECURE=1 where that"
                    " is meant"
                )
        return self

    @field_validator("endpoints", "fallbacks")
    @classmethod
    def _addresses(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        for addresses in value.values():
            for address in addresses:
                Endpoint.parse(address)
        return value

    @field_validator("admin_socket", "endpoints_folder", "tls_certificate", "tls_key")
    @classmethod
    def _expanded(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()

    @property
    def origins(self) -> tuple[str, ...]:
        """The web origins whose pages may call the edge."""
        if self.allowed_origins is not None:
            return tuple(self.allowed_origins)
        scheme = "https" if self.tls else "http"
        return tuple(f"{scheme}://{host}:{self.edge_port}" for host in self.allowed_hosts)

    def replicas(self, server: str) -> Replicas:
        """The replicas of `server`.

        Raises LookupError for a server that has neither a usual port nor a configured address.
        """
        addresses = self.endpoints.get(server)
        if addresses is None:
            if server not in DEFAULT_PORTS:
                raise LookupError(
                    f"no address for the server {server!r}: give it a port in DEFAULT_PORTS"
                    " or an entry in VIVA_ENVOY_ENDPOINTS"
                )
            addresses = [f"127.0.0.1:{DEFAULT_PORTS[server]}"]
        return Replicas(
            primary=tuple(Endpoint.parse(address) for address in addresses),
            fallback=tuple(Endpoint.parse(a) for a in self.fallbacks.get(server, ())),
        )
