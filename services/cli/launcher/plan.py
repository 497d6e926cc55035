"""What runs on one machine, in which order it stops, and where it listens."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from edge.envoy import binary, bootstrap
from edge.envoy.contracts import contracts
from edge.envoy.settings import DEFAULT_PORTS, HTTP_PORTS, Endpoint, EnvoySettings
from edge.envoy.tls import BadCertificate
from services.cli.launcher.addresses import is_local, leads_here, own_names, reachable
from services.cli.launcher.data_folder import data_dir
from services.cli.launcher.database import named as named_databases
from services.cli.launcher.lock import run_folder
from services.cli.launcher.programs import MOST_REPLICAS, SERVICES, NoPlan, Program, Server
from services.cli.launcher.settings import LauncherSettings
from services.cli.launcher.upstreams import upstream
from services.runtime.addresses import authority
from services.runtime.listening import is_loopback
from services.runtime.settings import load

METRICS_OFFSET = 100
"""A server's metrics port is its gRPC port and this."""

ENVOY = "envoy"
POSTGRES = "postgres"
BRIDGE = "bridge"
_SOCKET_NUMBER = 5432
"""In the name of PostgreSQL's socket."""

STOP_ORDER = (
    ("interview", BRIDGE),
    (ENVOY,),
    ("asr", "tts", "llm", "embed", "reflection", "gateway"),
    (POSTGRES,),
)
"""Who calls stops before who is called."""

_ALONE: Mapping[str, str] = {
    "reflection": "it only describes the others",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything `viva up` starts.

    Attributes:
        servers: What runs here, by name; servers elsewhere and servers left out are missing.
        programs: The processes to begin with.
        data_dir: Models, logs and what belongs to the running mesh.
        mesh: The mesh listener's address.
        edge: The edge listener's address; None without one.
        links: Where other machines' browsers find the page, without a path, the best first.
        envoy: What its configuration is made of.
        elsewhere: Endpoints by server that calls go to beside those here.
        patience: How long things may take.
        databases: The URLs of databases elsewhere.
    """

    servers: Mapping[str, Server]
    programs: tuple[Program, ...]
    data_dir: Path
    mesh: str
    edge: str | None
    links: Sequence[str]
    envoy: EnvoySettings
    elsewhere: Mapping[str, tuple[Endpoint, ...]]
    patience: LauncherSettings
    databases: tuple[SecretStr, ...] = ()

    def write_configuration(self) -> None:
        """Writes what Envoy reads at its start. Only whoever holds the data folder may.

        Raises:
            NoPlan: The edge's certificate cannot be used.
        """
        try:
            bootstrap.write(self.envoy, self.envoy_folder)
        except BadCertificate as error:
            raise NoPlan(str(error)) from None

    @property
    def envoy_folder(self) -> Path:
        """Where Envoy's configuration, its files of endpoints and its admin's socket are."""
        return run_folder(self.data_dir) / ENVOY

    @property
    def ports(self) -> Mapping[int, str]:
        """Every port that has to be free, and whose it is."""
        taken = {
            program.endpoint.port: program.name for program in self.programs if not program.socket
        }
        for program in self.programs:
            if program.metrics_port is not None:
                taken[program.metrics_port] = f"{program.name} metrics"
            if program.admin_port is not None:
                taken[program.admin_port] = f"{program.name} admin"
            for port in program.shared_ports:
                taken[port] = f"{program.name} keys"
        if self.edge is not None:
            taken[self.envoy.edge_port] = "edge listener"
            if self.envoy.has_bridge:
                taken[self.envoy.bridge_port] = "bridge listener"
        return taken

    def wanted_clusters(self, without: Collection[str] = ()) -> Collection[str]:
        """The clusters that Envoy must find healthy before the mesh is ready: of servers here."""
        clusters = bootstrap.checked_clusters(self.envoy)
        wanted = self.servers.keys() - without
        return [name for name, server in clusters.items() if server in wanted]


def make_plan(
    offset: int = 0,
    replicas: Mapping[str, int] | None = None,
    without: Collection[str] = (),
    *,
    tls: bool = False,
) -> Plan:
    """The plan for this machine from the environment.

    Args:
        offset: Added to every port, so that a second mesh can run beside the first.
        replicas: How many of a server run here, where it is not one.
        without: Servers of which none runs here.
        tls: Whether the edge speaks TLS, with a certificate of its own where none is given.

    Raises:
        NoPlan: They make no mesh.
        SystemExit: A variable of Envoy's, the launcher's or of a server here makes no sense; it is
            named on standard error.
    """
    folder = data_dir()
    base = _envoy_settings(tls=tls)
    if "mesh" not in base.listeners:
        raise NoPlan("VIVA_ENVOY_LISTENERS: `viva up` needs the mesh listener; its servers call it")
    patience = load(LauncherSettings)
    counts = _counts(base, replicas or {}, without)
    listener = _port("VIVA_ENVOY_MESH_PORT", base.mesh_port, offset)
    edge_port = _port("VIVA_ENVOY_EDGE_PORT", base.edge_port, offset)
    links = _links(base, edge_port)
    mesh = _shown(base.mesh_host, listener)
    # Its health is about the servers that are somewhere.
    nowhere: dict[str, list[str]] = {name: [] for name, count in counts.items() if not count}
    told = {name: addresses for name, addresses in base.endpoints.items() if addresses}
    named = json.dumps({**nowhere, **told})
    servers = {
        name: _server(
            name,
            count,
            folder,
            mesh,
            offset,
            patience,
            named,
            accounts=bool(counts["gateway"] or base.endpoints.get("gateway")),
            # What a message leads to is opened on a phone as well.
            public_url=next(iter(links), f"{_scheme(base)}://localhost:{edge_port}"),
        )
        for name, count in counts.items()
        if count
    }
    programs = [server.first_program() for server in servers.values()]
    for server in servers.values():
        for number in range(2, server.replicas + 1):
            programs.append(server.program(f"{server.name}-{number}", programs))
    if _keeps_here(servers):
        programs.append(_postgres(folder))
    elsewhere = {
        name: tuple(Endpoint.parse(address) for address in addresses)
        for name, addresses in base.endpoints.items()
        if addresses
    }
    here: dict[str, list[str]] = {name: [] for name in DEFAULT_PORTS}
    for program in programs:
        if program.server == POSTGRES:
            continue
        here[program.server].append(str(program.endpoint))
    envoy_folder = run_folder(folder) / ENVOY
    envoy = base.model_copy(
        update={
            "endpoints": {
                name: [*base.endpoints.get(name, ()), *here.get(name, ())]
                for name in here.keys() | base.endpoints.keys()
            },
            "endpoints_folder": envoy_folder / bootstrap.ENDPOINTS,
            # Envoy runs in its folder: the path of a Unix socket has little room.
            "admin_socket": Path(bootstrap.ADMIN_SOCKET),
            "mesh_port": listener,
            "edge_port": edge_port,
            "keys_address": _keys_address(base, servers),
            "bridge_port": _port("VIVA_ENVOY_BRIDGE_PORT", base.bridge_port, offset),
            "admin_port": _port("VIVA_ENVOY_ADMIN_PORT", base.admin_port, offset),
        }
    )
    for name in servers:
        if envoy.replicas(name).are_named:
            raise NoPlan(
                f"{name}: a server here and host names in VIVA_ENVOY_ENDPOINTS or"
                f" VIVA_ENVOY_FALLBACKS do not mix; write IP addresses, or `--without {name}`"
            )
    programs.append(_envoy(envoy, envoy_folder))
    if _bridges_here(base, without):
        bridge = _bridge(envoy, offset, patience)
        envoy = envoy.model_copy(update={"bridge_address": str(bridge.endpoint)})
        programs.append(bridge)
    elif BRIDGE in without:
        envoy = envoy.model_copy(update={"bridge_address": None})
    edge = None
    if "edge" in base.listeners:
        edge = _shown(base.edge_host, envoy.edge_port)
    return Plan(
        servers,
        tuple(programs),
        folder,
        mesh,
        edge,
        links,
        envoy,
        elsewhere,
        patience,
        named_databases(servers),
    )


def _envoy_settings(*, tls: bool) -> EnvoySettings:
    given = bool(os.environ.get("VIVA_ENVOY_TLS_CERTIFICATE"))
    settings = load(EnvoySettings, tls_self_signed=True) if tls and not given else None
    settings = settings or load(EnvoySettings)
    if not settings.tls_self_signed or is_loopback(settings.edge_host):
        return settings
    # Other machines find this one by any of its names and addresses.
    hosts = dict.fromkeys((*settings.allowed_hosts, *own_names()))
    return settings.model_copy(update={"allowed_hosts": list(hosts)})


def _counts(
    envoy: EnvoySettings, replicas: Mapping[str, int], without: Collection[str]
) -> Mapping[str, int]:
    """How many replicas of each server run here."""
    known = {*SERVICES, *(contract.server for contract in contracts())}
    named = {"VIVA_ENVOY_ENDPOINTS": envoy.endpoints, "VIVA_ENVOY_FALLBACKS": envoy.fallbacks}
    for variable, places in named.items():
        if unknown := ", ".join(places.keys() - known):
            raise NoPlan(f"{variable}: {unknown} is no server; {', '.join(SERVICES)} are")
    for name in (*replicas, *(each for each in without if each != BRIDGE)):
        if name not in SERVICES:
            raise NoPlan(f"{name} is no server; {', '.join((*SERVICES, BRIDGE))} are")
    for name, count in replicas.items():
        if name in without:
            raise NoPlan(f"{name}: --replicas and --without contradict each other")
        if not 1 <= count <= MOST_REPLICAS:
            raise NoPlan(f"{name}: 1 to {MOST_REPLICAS} replicas; `--without {name}` for none")
        alone = _ALONE.get(name)
        if name == "interview" and _in_memory():
            alone = "it keeps its interviews in its own memory"
        if count > 1 and alone is not None:
            raise NoPlan(f"{name}: one replica is all there can be: {alone}")
    usual = {name: 0 if name in without or name in envoy.endpoints else 1 for name in SERVICES}
    return {**usual, **replicas}


def _server(
    name: str,
    count: int,
    folder: Path,
    mesh: str,
    offset: int,
    patience: LauncherSettings,
    named: str,
    *,
    accounts: bool,
    public_url: str,
) -> Server:
    prefix = f"VIVA_{name.upper()}"
    port = _port(f"{prefix}_PORT", DEFAULT_PORTS[name], offset)
    environment = {
        "VIVA_DATA_DIR": str(folder),
        "PYTHONUNBUFFERED": "1",
        "VIVA_DRAIN_SECONDS": f"{patience.drain_seconds:g}",
        # Nobody has to notice by health that it stops: Envoy was told before, or stops as well.
        # What Envoy's threads sent a moment earlier is still taken.
        f"{prefix}_LAME_DUCK_SECONDS": _told(f"{prefix}_LAME_DUCK_SECONDS", "0.5"),
    }
    metrics_port = None
    module = f"services.{name}"
    if name == "reflection":
        module = "edge.reflection"
        environment["VIVA_ENVOY_ENDPOINTS"] = named
        environment["VIVA_ENVOY_ENDPOINTS_FOLDER"] = str(
            run_folder(folder) / ENVOY / bootstrap.ENDPOINTS
        )
    else:
        usual = port - offset + METRICS_OFFSET
        metrics_port = _port(f"{prefix}_METRICS_PORT", usual, offset)
    if name == "interview":
        asked = ("ASR", "TTS", "LLM", "EMBED", *(("ACCOUNT",) if accounts else ()))
        for variable in (f"{prefix}_{server}_ADDRESS" for server in asked):
            environment[variable] = _told(variable, mesh)
    shared_ports = {}
    if name == "gateway":
        module = "edge.gateway"
        for variable, address in (("INTERVIEW_ADDRESS", mesh), ("PUBLIC_URL", public_url)):
            environment[f"{prefix}_{variable}"] = _told(f"{prefix}_{variable}", address)
        keys = f"{prefix}_JWKS_PORT"
        shared_ports[keys] = _port(keys, HTTP_PORTS["gateway"], offset)
    endpoint = Endpoint(_host(f"{prefix}_HOST"), port)
    command = (sys.executable, "-m", module)
    advertised = _advertised(f"{prefix}_ADVERTISE", offset) if name == "interview" else None
    return Server(
        name,
        command,
        environment,
        endpoint,
        metrics_port,
        count,
        shared_ports,
        advertised,
        upstream(name),
    )


def _advertised(variable: str, offset: int) -> Endpoint | None:
    """Where settings say that a server's first replica is reached by those of other machines."""
    told = os.environ.get(variable)
    if not told:
        return None
    try:
        endpoint = Endpoint.parse(told)
    except ValueError as error:
        raise NoPlan(f"{variable}: {error}") from None
    return replace(endpoint, port=endpoint.port + offset)


def _keys_address(envoy: EnvoySettings, servers: Mapping[str, Server]) -> str:
    """Where Envoy reads the keys of tokens: of the gateway here, unless settings say otherwise."""
    gateway = servers.get("gateway")
    if gateway is None or "keys_address" in envoy.model_fields_set:
        return envoy.keys_address
    [port] = gateway.shared_ports.values()
    return authority(gateway.first.host, port)


def _in_memory() -> bool:
    return os.environ.get("VIVA_INTERVIEW_STORE") == "memory"


def _keeps_here(servers: Collection[str]) -> bool:
    """Whether interviews or accounts are kept by a PostgreSQL of this machine's own."""
    interviews = os.environ.get("VIVA_INTERVIEW_DATABASE_URL")
    accounts = os.environ.get("VIVA_GATEWAY_DATABASE_URL") or interviews
    return ("interview" in servers and not _in_memory() and not interviews) or (
        "gateway" in servers and not accounts
    )


def _postgres(data_dir: Path) -> Program:
    folder = data_dir / POSTGRES
    return Program(
        POSTGRES,
        POSTGRES,
        (sys.executable, "-m", "services.runtime.postgres.embedded", str(folder)),
        {"PYTHONUNBUFFERED": "1"},
        Endpoint(str(folder), _SOCKET_NUMBER),
        socket=True,
        # In order, without waiting for its clients: those of ours have stopped before.
        stop_signal=signal.SIGINT,
        # What is gone was there: an empty database in its place would take its name.
        again=("--existing",),
    )


def _bridges_here(envoy: EnvoySettings, without: Collection[str]) -> bool:
    """Whether the bridge runs here: not where settings say that it is elsewhere, or nowhere."""
    told = "bridge_address" in envoy.model_fields_set
    return "edge" in envoy.listeners and not told and BRIDGE not in without


def _bridge(envoy: EnvoySettings, offset: int, patience: LauncherSettings) -> Program:
    port = _port("VIVA_BRIDGE_PORT", HTTP_PORTS[BRIDGE], offset)
    usual = port - offset + METRICS_OFFSET
    metrics_port = _port("VIVA_BRIDGE_METRICS_PORT", usual, offset)
    upstream = authority(reachable(envoy.bridge_host), envoy.bridge_port)
    environment = {
        "PYTHONUNBUFFERED": "1",
        "VIVA_DRAIN_SECONDS": f"{patience.drain_seconds:g}",
        "VIVA_BRIDGE_PORT": str(port),
        "VIVA_BRIDGE_METRICS_PORT": str(metrics_port),
        "VIVA_BRIDGE_UPSTREAM": _told("VIVA_BRIDGE_UPSTREAM", upstream),
    }
    return Program(
        BRIDGE,
        BRIDGE,
        (sys.executable, "-m", "edge.gateway.bridge"),
        environment,
        Endpoint(_host("VIVA_BRIDGE_HOST"), port),
        metrics_port=metrics_port,
        health_path="/healthz",
    )


def _envoy(settings: EnvoySettings, folder: Path) -> Program:
    return Program(
        ENVOY,
        ENVOY,
        tuple(binary.arguments(folder / bootstrap.CONFIGURATION, concurrency=settings.concurrency)),
        {},
        Endpoint(reachable(settings.mesh_host), settings.mesh_port),
        admin_port=settings.admin_port,
        folder=folder,
    )


def _host(variable: str) -> str:
    told = _told(variable, "127.0.0.1")
    try:
        return reachable(told)
    except OSError as error:
        raise NoPlan(f"{variable}: {told!r} has no address: {error.strerror}") from None


def _shown(host: str, port: int) -> str:
    """A listener's address as callers on this machine write it."""
    found = reachable(host)
    return authority("localhost" if is_local(found) else found, port)


def _scheme(envoy: EnvoySettings) -> str:
    return "https" if envoy.tls else "http"


def _links(envoy: EnvoySettings, port: int) -> Sequence[str]:
    """Links to the page by every name that others have for this machine and that is served."""
    if "edge" not in envoy.listeners or is_loopback(envoy.edge_host):
        return ()
    names = [name for name in envoy.allowed_hosts if "*" not in name]
    led = [name for name in names if leads_here(name, envoy.edge_host)]
    return [f"{_scheme(envoy)}://{name}:{port}" for name in led]


def _told(variable: str, usual: str) -> str:
    """What a variable says, or what is usual where it says nothing."""
    return os.environ.get(variable) or usual


def _port(variable: str, default: int, offset: int) -> int:
    told = _told(variable, str(default))
    if told.isascii() and told.isdigit() and 0 < int(told) + offset < 65536:
        return int(told) + offset
    more = f" and an offset of {offset}" if offset else ""
    raise NoPlan(f"{variable}: {told!r}{more} is no port; 1 to 65535 is")
