"""The edge listener, with a real Envoy: gRPC-Web, JSON, CORS, and all it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import httpx
import pytest
import pytest_asyncio
from viva.embed.v1 import embed_pb2
from viva.interview.v1 import (
    conversation_pb2,
    interview_service_pb2,
    interview_service_pb2_grpc,
)

from services.runtime.channel import open_channel
from tests.edge import grpc_web
from tests.edge.backend import STATUS, Backend, Mesh, envoy
from tests.edge.identity import ALICE, Gateway, gateway
from tests.server_process import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

INTERVIEW = "viva.interview.v1.InterviewService"
PERSONAS = "viva.interview.v1.PersonaService"
QUESTIONS = "viva.interview.v1.QuestionService"
ORIGIN = "http://localhost:8080"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Site:
    """An edge with a backend behind it."""

    backend: Backend
    tokens: Gateway
    mesh: Mesh
    client: httpx.AsyncClient


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    backend, folder = Backend(), tmp_path_factory.mktemp("edge")
    async with (
        backend.serving(),
        gateway() as tokens,
        envoy(
            folder,
            backend.port,
            gateway=tokens,
            edge_max_request_bytes=65536,
            edge_requests_per_minute=10_000,
            allowed_origins=[ORIGIN],
        ) as mesh,
        httpx.AsyncClient(base_url=mesh.edge, headers=tokens.bearer()) as client,
    ):
        await mesh.until_healthy(INTERVIEW, backend.port)
        await mesh.until_healthy(QUESTIONS, backend.port)
        yield Site(backend, tokens, mesh, client)


@pytest.fixture
def site(shared: Site) -> Site:
    """The edge, on which nobody has called yet."""
    shared.backend.calls = 0
    shared.backend.metadata.clear()
    return shared


async def test_a_browser_makes_a_unary_call(site: Site) -> None:
    response, frames = await grpc_web.call(
        site.client,
        f"/{INTERVIEW}/GetInterview",
        interview_service_pb2.GetInterviewRequest(interview_id="seven"),
        {"origin": ORIGIN},
    )
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "grpc-status" in response.headers["access-control-expose-headers"]
    answer, trailers = frames
    assert (
        interview_service_pb2.GetInterviewResponse.FromString(answer.message).interview.id
        == "seven"
    )
    assert trailers.trailers is not None
    assert trailers.trailers["grpc-status"] == "0"


async def test_a_browser_reads_a_stream_as_it_comes(site: Site) -> None:
    request = interview_service_pb2.ListenRequest(
        join=conversation_pb2.JoinInterview(interview_id="seven")
    )
    _, frames = await grpc_web.call(site.client, f"/{INTERVIEW}/Listen", request)
    *answers, trailers = frames
    events = [interview_service_pb2.ListenResponse.FromString(answer.message) for answer in answers]
    assert [event.event.seq for event in events] == [1, 2, 3]
    assert trailers.trailers is not None


async def test_a_native_client_converses(site: Site) -> None:
    async with open_channel(site.mesh.edge.removeprefix("http://")) as channel:
        call = interview_service_pb2_grpc.InterviewServiceStub(channel).Converse(  # type: ignore[call-arg]
            metadata=tuple(site.tokens.bearer().items())
        )
        for seq in (1, 2):
            await call.write(interview_service_pb2.ConverseRequest())
            answer = await call.read()
            assert isinstance(answer, interview_service_pb2.ConverseResponse)
            assert answer.event.seq == seq
        await call.done_writing()
        assert await call.code() == grpc.StatusCode.OK


async def test_json_reaches_the_methods_it_stands_for(site: Site) -> None:
    created = await site.client.post("/v1/interviews", json={"settings": {"jobTitle": "Cook"}})
    assert created.json() == {"interview": {"id": "one", "settings": {"jobTitle": "Cook"}}}
    read = await site.client.get("/v1/interviews/seven")
    assert read.json() == {"interview": {"id": "seven"}}
    paused = await site.client.post("/v1/interviews/seven:pause", json={})
    assert paused.json() == {"interview": {"id": "seven"}}
    turns = await site.client.get("/v1/interviews/seven/turns", params={"page_size": 5})
    assert turns.json() == {"nextPageToken": "seven"}
    assert (await site.client.delete("/v1/interviews/seven")).json() == {}
    listed = await site.client.get("/v1/personas", params={"language": "zh"})
    assert listed.json() == {"personas": [{"id": "zh"}]}
    found = await site.client.get("/v1/questions", params={"query": "hash tables"})
    assert found.json()["results"][0]["question"]["text"] == "about hash tables?"


async def test_an_error_is_json_that_names_the_field(site: Site) -> None:
    response = await site.client.get("/v1/interviews/bad")
    assert response.status_code == 400
    [details] = [d for d in response.json()["details"] if d["@type"].endswith("BadRequest")]
    assert details["fieldViolations"] == [{"field": "interview_id", "description": "is bad"}]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/interviews/a/b"),
        ("POST", "/v1/interviews/a:unknown"),
        ("GET", "/v1"),
        ("GET", "/"),
        ("GET", "/stats"),
    ],
)
async def test_what_stands_for_nothing_is_not_found(site: Site, method: str, path: str) -> None:
    response = await site.client.request(method, path)
    assert response.status_code == 404
    assert site.backend.calls == 0


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/v1/questions/a"), ("PUT", "/v1/interviews/a")]
)
async def test_a_wrong_verb_is_not_allowed(site: Site, method: str, path: str) -> None:
    response = await site.client.request(method, path)
    assert response.status_code == 405
    assert site.backend.calls == 0


async def test_an_unknown_query_parameter_is_refused(site: Site) -> None:
    response = await site.client.get("/v1/questions", params={"q": "hash tables"})
    assert response.status_code == 400
    assert site.backend.calls == 0


@pytest.mark.parametrize(
    "path",
    [
        "/viva.embed.v1.EmbedService/Embed",
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ],
)
async def test_services_of_the_mesh_are_not_reachable(site: Site, path: str) -> None:
    response, _ = await grpc_web.call(site.client, path, embed_pb2.EmbedRequest(inputs=["x"]))
    assert response.headers["grpc-status"] == "12"
    plain = await site.client.post(path, json={})
    assert plain.status_code == 404
    assert site.backend.calls == 0


@pytest.mark.parametrize("host", ["example.com", "localhost.example.com", "10.0.0.1:8080"])
async def test_other_hosts_are_refused(site: Site, host: str) -> None:
    response = await site.client.get("/v1/interviews/seven", headers={"host": host})
    assert response.status_code == 403
    assert "VIVA_ENVOY_ALLOWED_HOSTS" in response.json()["message"]
    _, port = site.mesh.edge.rsplit(":", 1)
    own = await site.client.get("/v1/interviews/seven", headers={"host": f"localhost:{port}"})
    assert own.status_code == 200
    assert site.backend.calls == 1


async def test_what_only_the_mesh_may_say_is_removed(site: Site) -> None:
    await site.client.get(
        "/v1/interviews/seven",
        headers={
            "x-viva-user": "mallory",
            "X-Viva-Caller": "mallory",
            "x-viva-anything": "forged",
            "x-forwarded-for": "203.0.113.7",
            "x-request-id": "chosen-by-the-client",
            "x-envoy-retry-on": "5xx",
            "traceparent": TRACE,
        },
    )
    [metadata] = site.backend.metadata
    said = {key: value for key, value in metadata.items() if key.startswith("x-viva-")}
    assert said == {
        "x-viva-user": ALICE,
        "x-viva-session": f"session-of-{ALICE}",
        "x-viva-caller": f"user:{ALICE}",
        "x-viva-address": "127.0.0.1",
    }
    assert "authorization" not in metadata
    assert metadata["x-request-id"] != "chosen-by-the-client"
    assert metadata.get("x-forwarded-for") != "203.0.113.7"
    assert "x-envoy-retry-on" not in metadata
    assert metadata["traceparent"] == TRACE


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_preflight_of_an_allowed_origin_is_answered(site: Site, method: str) -> None:
    response = await site.client.options(
        "/v1/interviews",
        headers={"origin": ORIGIN, "access-control-request-method": method},
    )
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert method in response.headers["access-control-allow-methods"]


async def test_an_options_request_that_is_no_preflight_ends_at_the_edge(site: Site) -> None:
    for headers in ({}, {"origin": ORIGIN}, {"access-control-request-method": "POST"}):
        response = await site.client.options("/v1/interviews", headers=headers)
        assert response.status_code == 405
    assert site.backend.calls == 0


@pytest.mark.parametrize("origin", ["https://example.com", "null", f"{ORIGIN}.example.com"])
async def test_another_origin_gets_neither_permission_nor_effect(site: Site, origin: str) -> None:
    preflight = await site.client.options(
        "/v1/interviews",
        headers={"origin": origin, "access-control-request-method": "POST"},
    )
    assert "access-control-allow-origin" not in preflight.headers
    # A form can post text/plain without a preflight.
    posted = await site.client.post(
        "/v1/interviews", content="{}", headers={"origin": origin, "content-type": "text/plain"}
    )
    assert posted.status_code == 403
    assert site.backend.calls == 0


async def test_a_request_over_the_limit_is_refused(site: Site) -> None:
    response = await site.client.post(
        "/v1/interviews", json={"settings": {"jobTitle": "x" * 100_000}}
    )
    assert response.status_code == 413
    assert site.backend.calls == 0


async def test_escaped_slashes_and_forged_header_names_are_refused(site: Site) -> None:
    assert (await site.client.get("/v1/interviews/a%2Fb")).status_code == 400
    response = await site.client.get("/v1/interviews/a", headers={"x_viva_user": "mallory"})
    assert response.status_code == 400


async def test_healthz_follows_the_public_services(site: Site) -> None:
    assert (await site.client.get("/healthz")).status_code == 200
    await site.backend.health.set(INTERVIEW, STATUS.NOT_SERVING)

    async def says(code: int) -> bool:
        return (await site.client.get("/healthz")).status_code == code

    await until(partial(says, 503))
    await site.backend.health.set(INTERVIEW, STATUS.SERVING)
    await until(partial(says, 200))
    await site.mesh.until_healthy(INTERVIEW, site.backend.port)


async def test_requests_over_the_rate_are_refused(tmp_path: Path) -> None:
    backend = Backend()
    async with (
        backend.serving(),
        envoy(tmp_path, backend.port, edge_requests_per_second=1, edge_request_burst=5) as mesh,
        httpx.AsyncClient(base_url=mesh.edge) as client,
    ):
        await mesh.until_healthy(PERSONAS, backend.port)
        answers = await asyncio.gather(*(client.get("/v1/personas?language=en") for _ in range(20)))
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {200, 429}
    assert backend.calls == codes.count(200)
