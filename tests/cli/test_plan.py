"""What `viva up` starts: from settings and options to processes, ports and endpoints."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge.envoy.certificate import CERTIFICATE
from edge.envoy.endpoints import file_of, read
from edge.envoy.settings import Endpoint
from services.cli.launcher.plan import make_plan
from services.cli.launcher.process import stop_seconds
from services.cli.launcher.programs import NoPlan
from services.cli.launcher.settings import LauncherSettings
from services.runtime.settings import ServerSettings
from tests.cli.running_mesh import environment

SERVERS = {"embed", "asr", "tts", "llm", "interview", "gateway", "reflection"}
ALL = {*SERVERS, "bridge", "envoy", "postgres"}


@pytest.fixture
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    chosen = environment(tmp_path)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    return chosen


def test_each_server_has_one_replica_here(variables: Mapping[str, str]) -> None:
    plan = make_plan()
    assert {program.name for program in plan.programs} == ALL
    asr = next(program for program in plan.programs if program.name == "asr")
    assert asr.endpoint == Endpoint("127.0.0.1", int(variables["VIVA_ASR_PORT"]))


def test_replicas_have_places_of_their_own(variables: Mapping[str, str]) -> None:
    first = int(variables["VIVA_ASR_PORT"])
    plan = make_plan(replicas={"asr": 3})
    replicas = [program for program in plan.programs if program.server == "asr"]
    assert [replica.name for replica in replicas] == ["asr", "asr-2", "asr-3"]
    assert replicas[0].endpoint.port == first
    assert len({port for replica in replicas for port in replica.ports}) == 6
    assert all((replica.endpoint.port - first) % 10 == 0 for replica in replicas)
    assert replicas[1].environment["VIVA_ASR_PORT"] == str(replicas[1].endpoint.port)
    plan.write_configuration()
    named = read(file_of("asr", plan.envoy_folder / "endpoints"))
    assert named.primary == tuple(replica.endpoint for replica in replicas)


def test_a_place_that_somebody_uses_is_passed_over(variables: Mapping[str, str]) -> None:
    plan = make_plan()
    asr = plan.servers["asr"]
    place = asr.program("asr", plan.programs).endpoint
    with socket.create_server(("127.0.0.1", place.port)):
        assert asr.program("asr", plan.programs).endpoint.port > place.port


@pytest.mark.usefixtures("variables")
def test_a_database_elsewhere_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVA_INTERVIEW_DATABASE_URL", "postgresql://me@db.example/viva")
    assert {program.name for program in make_plan().programs} == ALL - {"postgres"}
    monkeypatch.delenv("VIVA_INTERVIEW_DATABASE_URL")
    # The interviews' own is still needed.
    monkeypatch.setenv("VIVA_GATEWAY_DATABASE_URL", "postgresql://me@db.example/viva")
    assert {program.name for program in make_plan().programs} == ALL


@pytest.mark.usefixtures("variables")
def test_a_database_that_nobody_needs_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(without=["interview", "gateway"])
    assert {program.name for program in plan.programs} == ALL - {
        "interview",
        "gateway",
        "postgres",
    }
    # Interviews in memory are no reason for accounts to be.
    assert "postgres" in {program.name for program in make_plan(without=["interview"]).programs}
    monkeypatch.setenv("VIVA_INTERVIEW_STORE", "memory")
    assert "postgres" in {program.name for program in make_plan().programs}
    plan = make_plan(without=["gateway"])
    assert "postgres" not in {program.name for program in plan.programs}


@pytest.mark.usefixtures("variables")
def test_quotas_are_asked_where_there_are_accounts() -> None:
    asked = "VIVA_INTERVIEW_ACCOUNT_ADDRESS"
    plan = make_plan()
    assert plan.servers["interview"].environment[asked] == plan.mesh
    gateway = next(program for program in plan.programs if program.name == "gateway")
    keys = int(gateway.environment["VIVA_GATEWAY_JWKS_PORT"])
    assert plan.ports[keys] == "gateway keys"
    assert plan.envoy.keys_address == f"127.0.0.1:{keys}"
    # Envoy knows one address of them: whoever replaces the gateway listens there too.
    replaced = plan.servers["gateway"].program("gateway", plan.programs)
    assert int(replaced.environment["VIVA_GATEWAY_JWKS_PORT"]) == keys
    assert replaced.endpoint != gateway.endpoint
    assert gateway.environment["VIVA_GATEWAY_INTERVIEW_ADDRESS"] == plan.mesh
    assert asked not in make_plan(without=["gateway"]).servers["interview"].environment


@pytest.mark.usefixtures("variables")
def test_interviews_have_replicas_where_they_share_a_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {program.name for program in make_plan(replicas={"interview": 2}).programs}
    assert names == ALL | {"interview-2"}
    monkeypatch.setenv("VIVA_INTERVIEW_STORE", "memory")
    with pytest.raises(NoPlan, match="in its own memory"):
        make_plan(replicas={"interview": 2})


@pytest.mark.usefixtures("variables")
def test_a_server_left_out_has_no_process_and_no_endpoint() -> None:
    plan = make_plan(without=["tts"])
    assert {program.name for program in plan.programs} == ALL - {"tts"}
    assert "viva.tts.v1.TtsService" not in plan.wanted_clusters()
    plan.write_configuration()
    assert read(file_of("tts", plan.envoy_folder / "endpoints")).all == ()
    [reflection] = [each for each in plan.programs if each.name == "reflection"]
    assert json.loads(reflection.environment["VIVA_ENVOY_ENDPOINTS"]) == {"tts": []}


def test_the_bridge_and_envoy_know_each_other(variables: Mapping[str, str]) -> None:
    plan = make_plan()
    [bridge] = [each for each in plan.programs if each.name == "bridge"]
    assert plan.envoy.bridge_address == f"127.0.0.1:{variables['VIVA_BRIDGE_PORT']}"
    listener = f"127.0.0.1:{variables['VIVA_ENVOY_BRIDGE_PORT']}"
    assert bridge.environment["VIVA_BRIDGE_UPSTREAM"] == listener
    assert int(variables["VIVA_ENVOY_BRIDGE_PORT"]) in plan.ports


@pytest.mark.usefixtures("variables")
def test_without_the_bridge_there_is_no_listener_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(without=["bridge"])
    assert {program.name for program in plan.programs} == ALL - {"bridge"}
    assert not plan.envoy.has_bridge
    monkeypatch.setenv("VIVA_ENVOY_BRIDGE_ADDRESS", "10.0.0.8:7108")
    plan = make_plan()
    assert {program.name for program in plan.programs} == ALL - {"bridge"}
    assert plan.envoy.bridge_address == "10.0.0.8:7108"
    monkeypatch.setenv("VIVA_ENVOY_BRIDGE_ADDRESS", "")
    plan = make_plan()
    assert {program.name for program in plan.programs} == ALL - {"bridge"}
    assert not plan.envoy.has_bridge


def test_a_server_elsewhere_is_neither_started_nor_waited_for(
    variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = {"asr": ["10.0.0.7:7102"], "tts": ["tts.mesh.local:7103"]}
    monkeypatch.setenv("VIVA_ENVOY_ENDPOINTS", json.dumps(elsewhere))
    plan = make_plan()
    assert {program.name for program in plan.programs} == ALL - {"asr", "tts"}
    assert not {"viva.asr.v1.AsrService", "viva.tts.v1.TtsService"} & set(plan.wanted_clusters())
    assert plan.elsewhere["asr"] == (Endpoint("10.0.0.7", 7102),)
    assert int(variables["VIVA_ASR_PORT"]) not in plan.ports
    # Replicas here beside those there, when they are asked for.
    plan = make_plan(replicas={"asr": 1})
    assert "asr" in {program.name for program in plan.programs}
    assert plan.envoy.endpoints["asr"] == [
        "10.0.0.7:7102",
        f"127.0.0.1:{variables['VIVA_ASR_PORT']}",
    ]


@pytest.mark.parametrize(
    ("replicas", "without", "said"),
    [
        ({"ears": 2}, [], "ears is no server"),
        ({}, ["ears"], "ears is no server"),
        ({"asr": 0}, [], "1 to 9 replicas"),
        ({"asr": 10}, [], "1 to 9 replicas"),
        ({"asr": 2}, ["asr"], "contradict"),
        ({"reflection": 2}, [], "one replica"),
    ],
)
@pytest.mark.usefixtures("variables")
def test_options_that_make_no_mesh_are_refused(
    replicas: Mapping[str, int], without: list[str], said: str
) -> None:
    with pytest.raises(NoPlan, match=said):
        make_plan(replicas=replicas, without=without)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("VIVA_ASR_HOST", "nowhere.invalid", "VIVA_ASR_HOST"),
        ("VIVA_ENVOY_LISTENERS", "edge", "needs the mesh listener"),
        ("VIVA_ENVOY_FALLBACKS", '{"asr": ["asr.mesh.local:7102"]}', "write IP addresses"),
        ("VIVA_INTERVIEW_ADVERTISE", "machine-a", "VIVA_INTERVIEW_ADVERTISE: .*host:port"),
    ],
)
@pytest.mark.usefixtures("variables")
def test_settings_that_make_no_mesh_are_refused(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(NoPlan, match=said):
        make_plan()


@pytest.mark.parametrize(
    ("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("localhost", "127.0.0.1")]
)
@pytest.mark.usefixtures("variables")
def test_a_server_that_listens_everywhere_is_called_where_it_can_be(
    host: str, reached: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIVA_ASR_HOST", host)
    monkeypatch.setenv("VIVA_ENVOY_MESH_HOST", host)
    monkeypatch.setenv("VIVA_ALLOW_INSECURE", "1")
    plan = make_plan()
    asr = next(program for program in plan.programs if program.name == "asr")
    assert asr.endpoint.host == reached
    assert plan.mesh.startswith("localhost:")


def test_tls_has_a_certificate_of_its_own_unless_one_is_given(
    variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = make_plan(tls=True)
    assert plan.envoy.tls_self_signed
    plan.write_configuration()
    assert (plan.envoy_folder / CERTIFICATE).exists()
    port = plan.envoy.edge_port
    assert f"https://localhost:{port}" in plan.envoy.origins
    monkeypatch.setenv("VIVA_ENVOY_TLS_CERTIFICATE", str(tmp_path / "chain.pem"))
    monkeypatch.setenv("VIVA_ENVOY_TLS_KEY", str(tmp_path / "key.pem"))
    given = make_plan(tls=True)
    assert given.envoy.tls
    assert not given.envoy.tls_self_signed


def test_an_edge_with_tls_answers_to_this_machines_names_where_others_reach_it(
    variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert socket.gethostname() not in make_plan(tls=True).envoy.allowed_hosts
    monkeypatch.setenv("VIVA_ENVOY_EDGE_HOST", "0.0.0.0")
    plan = make_plan(tls=True)
    assert {socket.gethostname(), "localhost"} <= set(plan.envoy.allowed_hosts)
    with pytest.raises(SystemExit):
        make_plan()


NAMES = ["192.168.1.20", "[fd00::1]", "127.0.0.1", "[::1]", "desk.local", "desk"]


@pytest.mark.parametrize(
    ("listens", "led"),
    [
        ("127.0.0.1", []),
        ("0.0.0.0", ["192.168.1.20", "desk.local", "desk"]),
        ("::", ["192.168.1.20", "[fd00::1]", "desk.local", "desk"]),
        ("192.168.1.20", ["192.168.1.20", "desk.local", "desk"]),
    ],
)
def test_every_name_that_others_reach_the_edge_by_is_a_link(
    variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, listens: str, led: list[str]
) -> None:
    monkeypatch.setattr("services.cli.launcher.plan.own_names", lambda: NAMES)
    monkeypatch.setenv("VIVA_ENVOY_EDGE_HOST", listens)
    plan = make_plan(tls=True)
    port = plan.envoy.edge_port
    links = [f"https://{name}:{port}" for name in led]
    assert list(plan.links) == links
    # What a message leads to opens on the phone that it is read on.
    [gateway] = [program for program in plan.programs if program.name == "gateway"]
    usual = f"https://localhost:{port}"
    assert gateway.environment["VIVA_GATEWAY_PUBLIC_URL"] == next(iter(links), usual)


@pytest.mark.parametrize(
    ("server", "variable"),
    [
        *(("interview", f"VIVA_INTERVIEW_{name}_ADDRESS") for name in ("ASR", "TTS", "LLM")),
        ("interview", "VIVA_INTERVIEW_EMBED_ADDRESS"),
        ("interview", "VIVA_INTERVIEW_ACCOUNT_ADDRESS"),
        ("gateway", "VIVA_GATEWAY_INTERVIEW_ADDRESS"),
        ("bridge", "VIVA_BRIDGE_UPSTREAM"),
    ],
)
@pytest.mark.usefixtures("variables")
def test_servers_call_whom_settings_name(
    server: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "elsewhere.example:7199")
    [program] = [each for each in make_plan().programs if each.name == server]
    assert {**os.environ, **program.environment}[variable] == "elsewhere.example:7199"
    # Empty, as a file of variables may leave it, it says nothing.
    monkeypatch.setenv(variable, "")
    [program] = [each for each in make_plan().programs if each.name == server]
    assert program.environment[variable].endswith(
        (os.environ["VIVA_ENVOY_MESH_PORT"], os.environ["VIVA_ENVOY_BRIDGE_PORT"])
    )


@pytest.mark.parametrize("variable", ["VIVA_ENVOY_ENDPOINTS", "VIVA_ENVOY_FALLBACKS"])
@pytest.mark.usefixtures("variables")
def test_endpoints_of_a_server_that_there_is_not_are_refused(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, '{"ears": ["10.0.0.7:7102"]}')
    with pytest.raises(NoPlan, match=f"{variable}: ears is no server; .*asr"):
        make_plan()


@pytest.mark.usefixtures("variables")
def test_the_access_log_goes_where_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_plan().envoy.access_log == "/dev/stdout"
    monkeypatch.setenv("VIVA_ENVOY_ACCESS_LOG", "/var/log/viva/access.log")
    assert make_plan().envoy.access_log == "/var/log/viva/access.log"


def test_each_interview_server_is_reached_at_an_address_of_its_own(
    variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = int(variables["VIVA_INTERVIEW_PORT"])
    monkeypatch.setenv("VIVA_INTERVIEW_ADVERTISE", f"machine-a:{first}")
    plan = make_plan(offset=1, replicas={"interview": 2})
    replicas = [program for program in plan.programs if program.server == "interview"]
    # One that replaces another as well.
    replicas.append(plan.servers["interview"].program("interview", plan.programs))
    assert replicas[0].endpoint.port == first + 1
    told = [each.environment["VIVA_INTERVIEW_ADVERTISE"] for each in replicas]
    assert told == [f"machine-a:{each.endpoint.port}" for each in replicas]
    assert len(set(told)) == 3


@pytest.mark.parametrize(
    ("variable", "seconds"), [("VIVA_DRAIN_SECONDS", 40), ("VIVA_CLOSING_SECONDS", 60)]
)
def test_a_server_ends_itself_before_it_is_killed(
    variable: str, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(seconds))
    server = ServerSettings()
    its_own = server.drain_seconds + server.closing_seconds
    assert its_own < stop_seconds(LauncherSettings()) < its_own + 5
