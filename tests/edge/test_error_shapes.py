"""What Envoy itself refuses, as each kind of caller reads it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
from google.rpc import status_pb2
from viva.interview.v1 import (
    interview_pb2,
    interview_service_pb2,
    interview_service_pb2_grpc,
)

from services.runtime.channel import open_channel
from tests.edge import grpc_web
from tests.refusals import reason_of
from tests.security.door import ALLOWED, INTERVIEWS, Door, door

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ = f"/{INTERVIEWS}/GetInterview"
REQUEST = interview_service_pb2.GetInterviewRequest(interview_id="seven")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with door(tmp_path_factory.mktemp("shapes"), edge_max_request_bytes=65536) as found:
        yield found


@pytest.fixture
def site(shared: Door) -> Door:
    shared.forget()
    return shared


def details(headers: httpx.Headers) -> status_pb2.Status:
    encoded = headers["grpc-status-details-bin"]
    return status_pb2.Status.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4)))


JSON_REFUSALS: dict[str, tuple[str, str, dict[str, Any], int, int]] = {
    "wrong type": ("POST", "/v1/interviews", {"json": {"settings": 7}}, 400, 3),
    "malformed": ("POST", "/v1/interviews", {"content": b'{"settings": {'}, 400, 3),
    "no JSON at all": ("POST", "/v1/interviews", {"content": b"\x00\xff"}, 400, 3),
    "unknown path": ("GET", "/v1/nothing", {}, 404, 5),
    "unknown query": ("GET", "/v1/questions?q=x", {}, 400, 3),
    "wrong verb": ("PUT", "/v1/interviews/a", {"json": {}}, 405, 12),
    "too large": (
        "POST",
        "/v1/interviews",
        {"json": {"settings": {"jobTitle": "x" * 200_000}}},
        413,
        8,
    ),
    "no token": ("GET", "/v1/interviews/a", {"headers": {"authorization": ""}}, 401, 16),
    "another origin": ("GET", "/v1/personas", {"headers": {"origin": "https://x.test"}}, 403, 7),
    "another host": ("GET", "/v1/personas", {"headers": {"host": "x.test"}}, 403, 7),
    "gRPC path": ("POST", READ, {"json": {}}, 415, 3),
    "escaped slash": ("GET", "/v1/interviews/a%2Fb", {}, 400, 3),
    "bad header name": ("GET", "/v1/personas", {"headers": {"x_viva_user": "x"}}, 400, 3),
    "headers too large": ("GET", "/v1/personas", {"headers": {"x-big": "x" * 40_000}}, 431, 8),
    "bad timeout": ("GET", "/v1/personas", {"headers": {"grpc-timeout": "soon"}}, 400, 3),
}


@pytest.mark.parametrize("case", JSON_REFUSALS)
async def test_json_callers_get_a_status(site: Door, case: str) -> None:
    verb, path, sent, http_status, code = JSON_REFUSALS[case]
    headers = {
        **site.gateway.bearer(),
        "content-type": "application/json",
        **sent.get("headers", {}),
    }
    headers = {name: value for name, value in headers.items() if value}
    body_of = {name: value for name, value in sent.items() if name != "headers"}
    async with httpx.AsyncClient(base_url=site.mesh.edge) as client:
        answer = await client.request(verb, path, headers=headers, **body_of)
    assert answer.status_code == http_status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["code"] == code
    # Of a path it cannot read Envoy says no more.
    assert body["message"] or case == "escaped slash"
    [info] = [detail for detail in body["details"] if detail["@type"].endswith("ErrorInfo")]
    assert info["domain"] == "viva.dev"
    assert info["reason"]
    assert not site.arrived


async def test_without_a_token_json_says_what_is_needed_and_not_how_envoy_puts_it(
    site: Door,
) -> None:
    answer = await site.client.get("/v1/interviews/a", headers={"authorization": ""})
    assert answer.json()["message"] == "a valid access token is needed"
    forged = await site.client.get("/v1/interviews/a", headers={"authorization": "Bearer x.y.z"})
    assert forged.json()["message"] == "a valid access token is needed"
    site.gateway.ended.add("over")
    bearer = {"authorization": f"Bearer {site.gateway.token(sid='over')}"}
    ended = await site.client.get("/v1/interviews/a", headers=bearer)
    assert ended.json()["message"] == "the session is over; log in again"


async def test_a_wrong_verb_is_told_the_right_ones(site: Door) -> None:
    answer = await site.client.put("/v1/interviews/a")
    assert answer.headers["allow"] == "DELETE, GET"


WEB_REFUSALS = {
    "unknown method": (f"/{INTERVIEWS}/Nothing", {}, grpc.StatusCode.UNIMPLEMENTED),
    "unknown service": ("/viva.embed.v1.EmbedService/Embed", {}, grpc.StatusCode.UNIMPLEMENTED),
    "no token": (READ, {"authorization": ""}, grpc.StatusCode.UNAUTHENTICATED),
    "bad token": (READ, {"authorization": "Bearer x.y.z"}, grpc.StatusCode.UNAUTHENTICATED),
    "another origin": (READ, {"origin": "https://x.test"}, grpc.StatusCode.PERMISSION_DENIED),
    "another host": (READ, {"host": "x.test"}, grpc.StatusCode.PERMISSION_DENIED),
    "bad timeout": (READ, {"grpc-timeout": "soon"}, grpc.StatusCode.INVALID_ARGUMENT),
}


@pytest.mark.parametrize(
    "content_type", ["application/grpc-web+proto", "application/grpc-web-text"]
)
@pytest.mark.parametrize("case", WEB_REFUSALS)
async def test_grpc_web_callers_get_a_grpc_status(site: Door, case: str, content_type: str) -> None:
    path, changed, code = WEB_REFUSALS[case]
    headers = {**site.gateway.bearer(), "content-type": content_type, "x-grpc-web": "1", **changed}
    headers = {name: value for name, value in headers.items() if value}
    body = grpc_web.encode(REQUEST)
    if content_type.endswith("text"):
        body = base64.b64encode(body)
    async with httpx.AsyncClient(base_url=site.mesh.edge) as client:
        answer = await client.post(path, headers=headers, content=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/grpc-web")
    assert answer.headers["grpc-status"] == str(code.value[0])
    assert answer.headers["grpc-message"]
    assert details(answer.headers).code == code.value[0]
    assert reason_of(details(answer.headers))
    assert not site.arrived


@pytest.mark.parametrize("header", [("x_viva_user", "x"), ("x-big", "x" * 40_000)])
async def test_headers_that_cannot_be_read_are_refused_as_http(
    site: Door, header: tuple[str, str]
) -> None:
    """Nothing is known of such a caller, not even that it speaks gRPC-Web."""
    name, value = header
    answer = await site.client.post(
        READ, headers={"content-type": "application/grpc-web+proto", name: value}
    )
    assert answer.status_code in {400, 431}
    assert answer.json()["details"]


async def test_a_page_of_an_allowed_origin_may_read_why(site: Door) -> None:
    answer = await site.client.post(
        READ,
        content=grpc_web.encode(REQUEST),
        headers={"origin": ALLOWED, "content-type": "application/grpc-web+proto"},
    )
    assert answer.headers["grpc-status"] == "16"
    assert answer.headers["access-control-allow-origin"] == ALLOWED
    assert "grpc-status-details-bin" in answer.headers["access-control-expose-headers"]


async def test_a_grpc_web_call_that_is_too_large(site: Door) -> None:
    settings = interview_pb2.InterviewSettings(job_title="x" * 200_000)
    request = interview_service_pb2.CreateInterviewRequest(settings=settings)
    answer = await site.client.post(
        f"/{INTERVIEWS}/CreateInterview",
        content=grpc_web.encode(request),
        headers={"content-type": "application/grpc-web+proto", **site.gateway.bearer()},
    )
    assert answer.headers["grpc-status"] == str(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])
    assert reason_of(details(answer.headers)) == "REQUEST_TOO_LARGE"


async def test_native_callers_get_a_status_with_details(site: Door) -> None:
    async with open_channel(site.mesh.edge.removeprefix("http://")) as channel:
        stub = interview_service_pb2_grpc.InterviewServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetInterview(REQUEST, timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        settings = interview_pb2.InterviewSettings(job_title="x" * 200_000)
        large = interview_service_pb2.CreateInterviewRequest(settings=settings)
        metadata = tuple(site.gateway.bearer().items())
        with pytest.raises(grpc.aio.AioRpcError) as too_large:
            await stub.CreateInterview(large, timeout=10, metadata=metadata)
        assert too_large.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"/{INTERVIEWS}/Nothing", grpc.StatusCode.UNIMPLEMENTED),
        ("/viva.asr.v1.AsrService/StreamingRecognize", grpc.StatusCode.UNIMPLEMENTED),
        ("/nobody.v1.Nothing/Stream", grpc.StatusCode.UNIMPLEMENTED),
        (f"/{INTERVIEWS}/Converse", grpc.StatusCode.UNAUTHENTICATED),
        (READ, grpc.StatusCode.UNAUTHENTICATED),
    ],
)
async def test_a_client_stream_that_is_not_served_is_refused_at_once(
    site: Door, path: str, code: grpc.StatusCode
) -> None:
    """It never ends by itself: whoever waited for its end would wait for ever."""
    async with open_channel(site.mesh.edge.removeprefix("http://")) as channel:
        call = channel.stream_stream(path)()  # type: ignore[call-arg]
        async with asyncio.timeout(10):
            assert await call.code() is code, await call.details()


async def test_an_authorisation_that_does_not_answer_refuses_all_but_what_is_public(
    site: Door,
) -> None:
    site.gateway.broken = True
    refused = await site.client.get("/v1/interviews/a", headers=site.gateway.bearer())
    assert refused.status_code == 503
    assert refused.json()["code"] == grpc.StatusCode.UNAVAILABLE.value[0]
    assert not site.arrived
    assert (await site.client.get("/v1/personas")).status_code == 200
