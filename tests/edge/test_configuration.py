"""The configuration: complete, strictly of Envoy's API, accepted by Envoy."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.json_format import ParseError
from pydantic import ValidationError

from edge.envoy.binary import ConfigurationError, arguments, validate
from edge.envoy.bootstrap import DESCRIPTORS, bootstrap, parse, write
from edge.envoy.claims import EXT_AUTHZ
from edge.envoy.clusters import HTTP_PROTOCOL_OPTIONS
from edge.envoy.contracts import REFLECTION_SERVICES, Access, contracts
from edge.envoy.edge_limits import LIVE_METHODS
from edge.envoy.edge_routes import BRIDGE_CLUSTER, edge_routes, path_pattern
from edge.envoy.endpoints import file_of, publish, read
from edge.envoy.identity import JWT_AUTHN
from edge.envoy.settings import Endpoint, EnvoySettings, Replicas
from services.runtime.server import server_options
from services.runtime.settings import ServerSettings, load


def routes(content: dict[str, Any], listener: str, host: int = 0) -> list[dict[str, Any]]:
    [found] = [x for x in content["static_resources"]["listeners"] if x["name"] == listener]
    manager = found["filter_chains"][0]["filters"][0]["typed_config"]
    result = manager["route_config"]["virtual_hosts"][host]["routes"]
    assert isinstance(result, list)
    return result


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(EnvoySettings(), tmp_path_factory.mktemp("envoy")).read_text()


@pytest.fixture
def content(written: str) -> dict[str, Any]:
    loaded = json.loads(written)
    assert isinstance(loaded, dict)
    return loaded


def test_every_service_of_the_contracts_has_a_mesh_route_and_a_checked_cluster(
    content: dict[str, Any],
) -> None:
    forwarding = [route for route in routes(content, "mesh") if "route" in route]
    prefixes = {route["match"].get("prefix") for route in forwarding}
    checks = {
        cluster["name"]: cluster["health_checks"][0]["grpc_health_check"]["service_name"]
        for cluster in content["static_resources"]["clusters"]
        if "health_checks" in cluster
    }
    names = {contract.name for contract in contracts()}
    assert {"viva.asr.v1.AsrService", "viva.interview.v1.InterviewService"} <= names
    assert prefixes - {None} == {f"/{name}/" for name in (*names, *REFLECTION_SERVICES)}
    assert {name: checks[name] for name in names} == {name: name for name in names}


def test_only_idempotent_unary_calls_are_retried(content: dict[str, Any]) -> None:
    retried = {
        route["match"]["path"].rsplit("/", 1)[1]
        for route in routes(content, "mesh")
        if "retry_policy" in route.get("route", {})
    }
    assert {"Embed", "Similarity", "Rerank", "CountTokens", "Recognize", "ListVoices"} <= retried
    assert not retried & {"Chat", "Synthesize", "StreamingRecognize", "CreateInterview", "Converse"}


def test_no_route_has_a_timeout(content: dict[str, Any]) -> None:
    for listener in ("mesh", "edge"):
        for route in routes(content, listener):
            if "route" in route:
                assert route["route"]["timeout"] == "0s"


def test_the_edge_routes_to_public_services_only(content: dict[str, Any]) -> None:
    clusters = {route["route"]["cluster"] for route in routes(content, "edge") if "route" in route}
    assert clusters == {contract.name for contract in contracts() if contract.public} | {
        BRIDGE_CLUSTER
    }
    assert "viva.interview.v1.InterviewService" in clusters
    assert not any(name.startswith(("viva.asr", "viva.tts", "viva.llm")) for name in clusters)


def test_every_public_method_says_who_may_call_it() -> None:
    silent = [
        method.path
        for contract in contracts()
        if contract.public
        for method in contract.methods
        if method.access is Access.CLOSED
    ]
    assert not silent


def test_a_method_that_does_not_say_has_no_route_at_the_edge() -> None:
    service = next(c for c in contracts() if c.name == "viva.interview.v1.InterviewService")
    closed = replace(
        service, methods=tuple(replace(m, access=Access.CLOSED) for m in service.methods)
    )
    settings = EnvoySettings()
    [host, _] = edge_routes(settings, "edge", [closed]).virtual_hosts
    methods = [r for r in host.routes if r.name.startswith("/viva") and r.HasField("route")]
    assert not methods


def test_every_route_of_the_edge_says_whom_it_asks(content: dict[str, Any]) -> None:
    access = {m.path: m.access for c in contracts() for m in c.methods}
    for listener in ("edge", "bridge"):
        for route in routes(content, listener):
            options = route["typed_per_filter_config"]
            asked = options[EXT_AUTHZ].get("check_settings", {}).get("context_extensions", {})
            if options[EXT_AUTHZ].get("disabled"):
                assert not asked
                owner = access.get(route["name"], Access.PUBLIC)
                assert owner is Access.PUBLIC
            elif access[asked["method"]] is Access.PUBLIC:
                # About the body, and nothing else.
                assert asked["body"]
                assert options[JWT_AUTHN]["requirement_name"] == "anybody"
            else:
                assert access[asked["method"]] in {Access.OWNER, Access.ADMIN}
                assert options[JWT_AUTHN]["requirement_name"] == "signed-in"


def test_the_methods_with_a_budget_of_their_own_exist() -> None:
    assert set(LIVE_METHODS) <= {m.path for c in contracts() if c.public for m in c.methods}


def test_every_json_form_of_a_public_method_has_an_edge_route(content: dict[str, Any]) -> None:
    names = {route["name"] for route in routes(content, "edge")}
    forms = {
        f"{verb} {template}"
        for contract in contracts()
        if contract.public
        for method in contract.methods
        for verb, template, _ in method.http
    }
    assert "POST /v1/interviews/{interview_id}:pause" in forms
    assert forms <= names


def test_a_path_pattern_matches_what_the_template_means() -> None:
    pattern = path_pattern("/v1/interviews/{interview_id}:pause")
    assert re.fullmatch(pattern, "/v1/interviews/a-1:pause")
    assert not re.fullmatch(pattern, "/v1/interviews/a/b:pause")
    assert not re.fullmatch(pattern, "/v1/interviews/a:end")


def test_a_misspelt_field_is_refused_with_its_name(content: dict[str, Any]) -> None:
    parse(json.dumps(content))
    content["static_resources"]["clusters"][0]["conect_timeout"] = "1s"
    with pytest.raises(ParseError, match="conect_timeout"):
        parse(json.dumps(content))


async def test_envoy_accepts_the_configuration(tmp_path: Path) -> None:
    settings = EnvoySettings(
        endpoints={"asr": ["10.0.0.1:7102", "10.0.0.2:7102"], "tts": ["tts.mesh.local:7103"]},
        fallbacks={"asr": ["10.0.1.1:7102"]},
        otlp_endpoint="http://localhost:4317",
        access_log=str(tmp_path / "access.log"),
    )
    await validate(write(settings, tmp_path))


async def test_envoy_refuses_a_broken_configuration(tmp_path: Path) -> None:
    written = write(EnvoySettings(), tmp_path)
    content = json.loads(written.read_text())
    del content["static_resources"]["clusters"][0]
    written.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match="unknown cluster"):
        await validate(written)


def cluster(content: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [c for c in content["static_resources"]["clusters"] if c["name"] == name]
    assert isinstance(found, dict)
    return found


def groups(assignment: dict[str, Any]) -> dict[int, list[str]]:
    return {
        group.get("priority", 0): [
            member["endpoint"]["address"]["socket_address"]["address"]
            for member in group["lb_endpoints"]
        ]
        for group in assignment["endpoints"]
    }


def test_addresses_are_read_from_a_watched_file_a_server_fallbacks_last(tmp_path: Path) -> None:
    settings = EnvoySettings(
        endpoints={"asr": ["10.0.0.1:7102", "10.0.0.2:7102"]}, fallbacks={"asr": ["10.0.1.1:7102"]}
    )
    content = json.loads(write(settings, tmp_path).read_text())
    asr = cluster(content, "viva.asr.v1.AsrService")
    assert asr["type"] == "EDS"
    source = asr["eds_cluster_config"]["eds_config"]["path_config_source"]
    assert source == {
        "path": str(tmp_path / "endpoints" / "asr.json"),
        "watched_directory": {"path": str(tmp_path / "endpoints")},
    }
    [assignment] = json.loads(Path(source["path"]).read_text())["resources"]
    assert assignment["cluster_name"] == asr["eds_cluster_config"]["service_name"]
    assert groups(assignment) == {0: ["10.0.0.1", "10.0.0.2"], 1: ["10.0.1.1"]}
    assert assignment["policy"]["overprovisioning_factor"] == 10_000


def test_names_are_resolved_by_dns_fallbacks_last(tmp_path: Path) -> None:
    settings = EnvoySettings(
        endpoints={"asr": ["asr-gpu:7102"]}, fallbacks={"asr": ["asr-cpu:7102"]}
    )
    content = json.loads(write(settings, tmp_path).read_text())
    asr = cluster(content, "viva.asr.v1.AsrService")
    assert asr["type"] == "STRICT_DNS"
    assert groups(asr["load_assignment"]) == {0: ["asr-gpu"], 1: ["asr-cpu"]}
    assert asr["load_assignment"]["policy"]["overprovisioning_factor"] == 10_000
    assert not (tmp_path / "endpoints" / "asr.json").exists()


def test_services_of_one_server_share_its_file(content: dict[str, Any]) -> None:
    files = {
        cluster(content, contract.name)["eds_cluster_config"]["service_name"]
        for contract in contracts()
        if contract.server == "interview"
    }
    assert files == {"interview"}


def test_what_is_published_can_be_read_again(tmp_path: Path) -> None:
    some = Replicas((Endpoint("10.0.0.1", 7102),), (Endpoint("::1", 7102),))
    publish("asr", some, tmp_path)
    publish("tts", Replicas(()), tmp_path)
    assert read(file_of("asr", tmp_path)) == some
    assert read(file_of("tts", tmp_path)) == Replicas(())
    with pytest.raises(ValueError, match="IP addresses"):
        publish("asr", Replicas((Endpoint("asr.mesh.local", 7102),)), tmp_path)
    assert read(file_of("asr", tmp_path)) == some


@pytest.mark.parametrize(("listeners", "service"), [("edge", False), ("mesh", True)])
async def test_edge_and_mesh_can_be_deployed_apart(
    tmp_path: Path, listeners: str, service: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIVA_ENVOY_LISTENERS", listeners)
    written = write(EnvoySettings(), tmp_path)
    content = json.loads(written.read_text())["static_resources"]
    bridge = ["bridge"] if listeners == "edge" else []
    assert [listener["name"] for listener in content["listeners"]] == [listeners, *bridge, "admin"]
    names = {cluster["name"] for cluster in content["clusters"]}
    assert ("viva.asr.v1.AsrService" in names) == service
    assert "viva.interview.v1.InterviewService" in names
    await validate(written)


def test_a_listener_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="listeners"):
        EnvoySettings(listeners="edge,side")  # type: ignore[arg-type]


def test_envoy_knows_who_it_is(tmp_path: Path) -> None:
    node = json.loads(write(EnvoySettings(), tmp_path).read_text())["node"]
    assert node == {"id": socket.gethostname(), "cluster": "viva"}
    settings = EnvoySettings(node_id="edge-0", node_cluster="edge")
    node = json.loads(write(settings, tmp_path).read_text())["node"]
    assert node == {"id": "edge-0", "cluster": "edge"}


def test_worker_threads_are_a_setting() -> None:
    assert arguments(Path("envoy.json"), concurrency=7)[-2:] == ["--concurrency", "7"]


def test_a_path_too_long_for_a_socket_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="VIVA_ENVOY_ADMIN_SOCKET"):
        bootstrap(EnvoySettings(), tmp_path / ("x" * 110))


def test_a_service_whose_server_has_no_address_is_an_error(tmp_path: Path) -> None:
    stranger = replace(contracts()[0], name="viva.weather.v1.WeatherService", server="weather")
    with pytest.raises(LookupError, match="'weather'"):
        bootstrap(EnvoySettings(), tmp_path, [stranger])


def test_the_descriptors_hold_what_errors_are_made_of(tmp_path: Path) -> None:
    write(EnvoySettings(), tmp_path)
    files = FileDescriptorSet.FromString((tmp_path / DESCRIPTORS).read_bytes()).file
    names = [file.name for file in files]
    assert "google/rpc/error_details.proto" in names
    assert names.index("viva/serving/v1/serving.proto") < names.index("viva/asr/v1/asr.proto")


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("localhost:7102", Endpoint("localhost", 7102)),
        ("[::1]:7102", Endpoint("::1", 7102)),
    ],
)
def test_an_address_is_read(text: str, endpoint: Endpoint) -> None:
    assert Endpoint.parse(text) == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize(
    "text", ["", "localhost", ":7102", "localhost:0", "localhost:70000", "a:b"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write host:port"):
        Endpoint.parse(text)
    with pytest.raises(ValidationError):
        EnvoySettings(endpoints={"asr": [text]})


@pytest.mark.parametrize("listener", ["mesh", "edge", "admin"])
def test_a_listener_open_to_other_machines_must_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], listener: str
) -> None:
    monkeypatch.setenv(f"VIVA_ENVOY_{listener.upper()}_HOST", "0.0.0.0")
    with pytest.raises(SystemExit) as ended:
        load(EnvoySettings)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"VIVA_ENVOY_{listener.upper()}_HOST" in line
    assert "VIVA_ALLOW_INSECURE=1" in line


def test_a_listener_open_to_other_machines_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(EnvoySettings(edge_host="0.0.0.0", allow_insecure=True), tmp_path)
    assert [line.message for line in caplog.records] == ["open without authentication"]


@pytest.mark.parametrize("url", ["localhost:4317", "https://", "grpc://x:1"])
def test_a_malformed_collector_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.setenv("VIVA_OTLP_ENDPOINT", url)
    with pytest.raises(SystemExit) as ended:
        load(EnvoySettings)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("VIVA_OTLP_ENDPOINT: ")


def test_envoy_pings_replicas_no_oftener_than_they_allow(content: dict[str, Any]) -> None:
    allowed = dict(server_options(ServerSettings()))["grpc.http2.min_ping_interval_without_data_ms"]
    protocols = cluster(content, "viva.asr.v1.AsrService")["typed_extension_protocol_options"]
    http2 = protocols[HTTP_PROTOCOL_OPTIONS]["explicit_http_config"]["http2_protocol_options"]
    interval = float(http2["connection_keepalive"]["interval"].removesuffix("s"))
    assert interval * 1000 >= 2 * allowed


def test_a_full_disk_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        publish("asr", Replicas(()), tmp_path)
    assert caught.value.filename == str(tmp_path / "asr.json")


def test_a_shortage_at_the_edge_is_the_edges_alone(content: dict[str, Any]) -> None:
    exempt = {
        listener["name"]: listener.get("bypass_overload_manager", False)
        for listener in content["static_resources"]["listeners"]
    }
    assert exempt == {"mesh": True, "edge": False, "bridge": False, "admin": True}
    actions = [action["name"] for action in content["overload_manager"]["actions"]]
    assert "envoy.overload_actions.stop_accepting_requests" in actions
    [layer] = content["layered_runtime"]["layers"]
    assert layer["static_layer"]["envoy.resource_limits.listener.edge.connection_limit"] == 1024


def test_a_connection_to_the_edge_waits_in_little_memory(content: dict[str, Any]) -> None:
    [edge] = [x for x in content["static_resources"]["listeners"] if x["name"] == "edge"]
    assert edge["per_connection_buffer_limit_bytes"] == 32 * 1024
    manager = edge["filter_chains"][0]["filters"][0]["typed_config"]
    http2 = manager["http2_protocol_options"]
    assert http2["initial_stream_window_size"] == 64 * 1024
    assert http2["initial_connection_window_size"] == 1024 * 1024
    assert http2["max_concurrent_streams"] == 100


def test_every_stream_of_the_edge_ends_some_time(content: dict[str, Any]) -> None:
    for listener in ("edge", "bridge"):
        for route in routes(content, listener):
            if "route" in route and route["name"] != "preflight":
                assert route["route"]["max_stream_duration"]["max_stream_duration"]
