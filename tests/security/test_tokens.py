"""Every public method, by every way in, without a good token. Generated from the contracts."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from edge.envoy.contracts import Access, Method
from services.runtime.channel import open_channel
from tests.edge import grpc_web
from tests.edge.every_method import descriptor, request_type
from tests.edge.identity import ALICE, Gateway
from tests.security.door import GUARDED, METHODS, OPEN, Door, ids

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _unsigned(gateway: Gateway) -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT', 'kid': 'test'})}.{_part(gateway.claims())}."


def _by_another_key(gateway: Gateway) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(gateway.claims(), key, algorithm="ES256", headers={"kid": "test"})


def _by_the_public_key(gateway: Gateway) -> str:
    """The public key as the secret of a symmetric algorithm."""
    body = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'test'})}.{_part(gateway.claims())}"
    signature = hmac.digest(gateway.jwks, body.encode(), "sha256")
    return f"{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _changed(gateway: Gateway) -> str:
    head, _, signature = gateway.token().split(".")
    return f"{head}.{_part(gateway.claims(kind='admin'))}.{signature}"


def _revoked(gateway: Gateway) -> str:
    gateway.ended.add("over")
    return gateway.token(sid="over")


BAD: dict[str, Callable[[Gateway], str]] = {
    "expired": lambda gateway: gateway.token(exp=int(time.time()) - 60),
    "without an end": lambda gateway: gateway.token(exp=None),
    "not yet good": lambda gateway: gateway.token(nbf=int(time.time()) + 600),
    "of a foreign key": _by_another_key,
    "of an unknown key": lambda gateway: jwt.encode(
        gateway.claims(), gateway.key, algorithm="ES256", headers={"kid": "other"}
    ),
    "with the algorithm none": _unsigned,
    "signed by the public key": _by_the_public_key,
    "for another audience": lambda gateway: gateway.token(aud="viva-mesh"),
    "of another issuer": lambda gateway: gateway.token(iss="mallory"),
    "changed after it was signed": _changed,
    "that is none": lambda gateway: "no.token.at-all",
}
UNAUTHENTICATED = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


async def _call(address: str, method: Method, metadata: dict[str, str]) -> grpc.StatusCode:
    """The status of a native call with an empty request."""
    request = request_type(method)()
    async with open_channel(address) as channel:
        named: dict[str, Any] = {
            "request_serializer": request_type(method).SerializeToString,
            "response_deserializer": bytes,
        }
        sent: dict[str, Any] = {"metadata": tuple(metadata.items()), "timeout": 10}
        if not method.server_streaming:
            call = channel.unary_unary(method.path, **named)(request, **sent)
            return grpc.StatusCode(await call.code())
        if not method.client_streaming:
            down = channel.unary_stream(method.path, **named)(request, **sent)
            return await _end(down)
        both = channel.stream_stream(method.path, **named)(**sent)
        await both.done_writing()
        return await _end(both)


async def _end(call: Any) -> grpc.StatusCode:
    with suppress(grpc.aio.AioRpcError):
        async for _ in call:
            pass
    return grpc.StatusCode(await call.code())


def _addresses(site: Door) -> tuple[str, str]:
    return site.mesh.edge.removeprefix("http://"), site.mesh.for_bridge


@pytest.mark.parametrize("method", GUARDED, ids=ids(GUARDED))
async def test_without_a_token_nobody_gets_through(site: Door, method: Method) -> None:
    for address in _addresses(site):
        assert await _call(address, method, {}) is grpc.StatusCode.UNAUTHENTICATED
        for other in ("Basic dXNlcjpwYXNz", "Bearer", "bearer ", "Token x"):
            code = await _call(address, method, {"authorization": other})
            assert code is grpc.StatusCode.UNAUTHENTICATED
    assert not site.arrived
    assert site.gateway.asked == 0


@pytest.mark.parametrize("method", OPEN, ids=ids(OPEN))
async def test_what_is_public_needs_no_token_and_nobody_is_asked(
    site: Door, method: Method
) -> None:
    for address in _addresses(site):
        assert await _call(address, method, {}) is grpc.StatusCode.OK
    first, second = site.arrived
    for call in (first, second):
        assert call.path == method.path
        assert "x-viva-user" not in call.metadata
        assert "x-viva-session" not in call.metadata
    assert site.gateway.asked == 0


@pytest.mark.parametrize("method", METHODS, ids=ids(METHODS))
async def test_a_bad_token_is_refused_everywhere(site: Door, method: Method) -> None:
    for name, make in BAD.items():
        bearer = {"authorization": f"Bearer {make(site.gateway)}"}
        for address in _addresses(site):
            assert await _call(address, method, bearer) in UNAUTHENTICATED, name
        for verb, template, _ in method.http:
            path = template.replace("{", "").replace("}", "")
            answer = await site.client.request(verb, path, headers=bearer)
            assert answer.status_code in {401, 403}, name
            assert answer.json()["code"] in {7, 16}
    assert not site.arrived


@pytest.mark.parametrize("method", GUARDED, ids=ids(GUARDED))
async def test_a_token_of_an_ended_session_is_refused(site: Door, method: Method) -> None:
    bearer = {"authorization": f"Bearer {_revoked(site.gateway)}"}
    for address in _addresses(site):
        assert await _call(address, method, bearer) is grpc.StatusCode.UNAUTHENTICATED
    assert not site.arrived


@pytest.mark.parametrize("method", GUARDED, ids=ids(GUARDED))
async def test_with_a_good_token_the_servers_learn_who_calls(site: Door, method: Method) -> None:
    kind = "admin" if method.access is Access.ADMIN else "guest"
    for address in _addresses(site):
        assert await _call(address, method, site.gateway.bearer(kind=kind)) is grpc.StatusCode.OK
    for call in site.arrived:
        assert call.metadata["x-viva-user"] == ALICE
        assert call.metadata["x-viva-caller"] == f"user:{ALICE}"
        assert call.metadata["x-viva-session"] == f"session-of-{ALICE}"
        to_gateway = method.path.startswith("/viva.account.")
        assert ("authorization" in call.metadata) == to_gateway
    assert len(site.arrived) == 2


@pytest.mark.parametrize("method", GUARDED, ids=ids(GUARDED))
async def test_browsers_and_json_meet_the_same_door(site: Door, method: Method) -> None:
    request = request_type(method)()
    if not method.client_streaming:
        response, frames = await grpc_web.call(site.client, method.path, request)
        assert response.headers["grpc-status"] == "16"
        assert not frames
    for verb, template, _ in method.http:
        path = template.replace("{", "").replace("}", "")
        answer = await site.client.request(verb, path)
        assert answer.status_code == 401
        assert answer.json()["code"] == 16
    assert not site.arrived


async def test_a_token_in_the_query_is_none(site: Door) -> None:
    answer = await site.client.get("/v1/interviews", params={"access_token": site.gateway.token()})
    assert answer.status_code == 401
    assert not site.arrived


async def test_two_tokens_are_not_one(site: Door) -> None:
    good, bad = site.gateway.token(), BAD["for another audience"](site.gateway)
    for pair in ((good, bad), (bad, good)):
        headers = [("authorization", f"Bearer {token}") for token in pair]
        answer = await site.client.get("/v1/interviews", headers=headers)
        assert answer.status_code in {400, 401, 403}
    assert not site.arrived


@pytest.mark.parametrize("claims", [{"kind": "root"}, {"kind": None}, {"sid": None}, {"sub": None}])
async def test_a_token_that_does_not_say_who_is_refused(site: Door, claims: dict[str, Any]) -> None:
    answer = await site.client.get("/v1/interviews", headers=site.gateway.bearer(**claims))
    assert answer.status_code == 401
    assert not site.arrived


async def test_every_method_is_looked_at() -> None:
    assert len(METHODS) == len(OPEN) + len(GUARDED)
    assert {descriptor(method).containing_service.full_name for method in METHODS} >= {
        "viva.account.v1.AccountService",
        "viva.interview.v1.InterviewService",
    }
