"""The configuration: complete, strictly of Envoy's API, accepted by Envoy."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.json_format import ParseError
from pydantic import ValidationError

from edge.envoy.binary import ConfigurationError, validate
from edge.envoy.bootstrap import bootstrap, parse, write
from edge.envoy.contracts import REFLECTION_SERVICES, contracts
from edge.envoy.edge_listener import path_pattern
from edge.envoy.settings import Endpoint, EnvoySettings


def routes(content: dict[str, Any], listener: str, host: int = 0) -> list[dict[str, Any]]:
    [found] = [x for x in content["static_resources"]["listeners"] if x["name"] == listener]
    manager = found["filter_chains"][0]["filters"][0]["typed_config"]
    result = manager["route_config"]["virtual_hosts"][host]["routes"]
    assert isinstance(result, list)
    return result


@pytest.fixture
def content(tmp_path: Path) -> dict[str, Any]:
    written = write(EnvoySettings(), tmp_path)
    loaded = json.loads(written.bootstrap.read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_every_service_of_the_contracts_has_a_mesh_route_and_a_checked_cluster(
    content: dict[str, Any],
) -> None:
    prefixes = {route["match"].get("prefix") for route in routes(content, "mesh")}
    checks = {
        cluster["name"]: cluster["health_checks"][0]["grpc_health_check"]["service_name"]
        for cluster in content["static_resources"]["clusters"]
    }
    names = {contract.name for contract in contracts()}
    assert {"viva.asr.v1.AsrService", "viva.interview.v1.InterviewService"} <= names
    assert prefixes - {None} == {f"/{name}/" for name in (*names, *REFLECTION_SERVICES)}
    assert {name: checks[name] for name in names} == {name: name for name in names}


def test_only_idempotent_unary_calls_are_retried(content: dict[str, Any]) -> None:
    retried = {
        route["match"]["path"].rsplit("/", 1)[1]
        for route in routes(content, "mesh")
        if "retry_policy" in route["route"]
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
    assert clusters == {contract.name for contract in contracts() if contract.public}
    assert "viva.interview.v1.InterviewService" in clusters
    assert not any(name.startswith(("viva.asr", "viva.tts", "viva.llm")) for name in clusters)


def test_every_json_form_of_a_public_method_has_an_edge_route(content: dict[str, Any]) -> None:
    names = {route["name"] for route in routes(content, "edge")}
    forms = {
        f"{verb} {template}"
        for contract in contracts()
        if contract.public
        for method in contract.methods
        for verb, template in method.http
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
    await validate(write(settings, tmp_path).bootstrap)


async def test_envoy_refuses_a_broken_configuration(tmp_path: Path) -> None:
    written = write(EnvoySettings(), tmp_path)
    content = json.loads(written.bootstrap.read_text())
    del content["static_resources"]["clusters"][0]
    written.bootstrap.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match="unknown cluster"):
        await validate(written.bootstrap)


def test_fallbacks_come_after_the_primaries(tmp_path: Path) -> None:
    settings = EnvoySettings(
        endpoints={"asr": ["10.0.0.1:7102", "10.0.0.2:7102"]}, fallbacks={"asr": ["10.0.1.1:7102"]}
    )
    message = bootstrap(settings, tmp_path / "contracts.binpb")
    [asr] = [c for c in message.static_resources.clusters if c.name == "viva.asr.v1.AsrService"]
    groups = {
        group.priority: [e.endpoint.address.socket_address.address for e in group.lb_endpoints]
        for group in asr.load_assignment.endpoints
    }
    assert groups == {0: ["10.0.0.1", "10.0.0.2"], 1: ["10.0.1.1"]}


def test_a_service_whose_server_has_no_address_is_an_error(tmp_path: Path) -> None:
    stranger = replace(contracts()[0], name="viva.account.v1.AccountService", server="account")
    with pytest.raises(LookupError, match="'account'"):
        bootstrap(EnvoySettings(), tmp_path / "contracts.binpb", [stranger])


def test_the_descriptors_hold_what_errors_are_made_of(tmp_path: Path) -> None:
    written = write(EnvoySettings(), tmp_path)
    files = FileDescriptorSet.FromString(written.descriptors.read_bytes()).file
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
