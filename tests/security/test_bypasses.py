"""Ways around the door that are known to work elsewhere."""

from __future__ import annotations

import base64

import httpx
import pytest

from tests.edge.identity import ALICE, BOB
from tests.edge.stand_in_bridge import upgrade
from tests.security.door import ALLOWED, INTERVIEWS, Door
from tests.server_process import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORGED = {
    "x-viva-user": BOB,
    "X-Viva-User": BOB,
    "x-viva-caller": f"user:{BOB}",
    "x-viva-session": "another",
    "x-viva-address": "203.0.113.7",
    "x-viva-anything": "forged",
    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "mallory.test",
    "x-envoy-original-path": "/v1/personas",
    "x-envoy-original-method": "GET",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-request-id": "chosen",
}


async def test_json_is_authorised_as_the_method_it_stands_for(site: Door) -> None:
    """ext_authz once saw no route for a path that is transcoded behind it, and stepped aside."""
    answer = await site.client.get("/v1/interviews/a", headers=site.gateway.bearer())
    assert answer.status_code == 200
    assert site.gateway.asked == 1
    site.gateway.ended.add(f"session-of-{ALICE}")
    assert (
        await site.client.get("/v1/interviews/a", headers=site.gateway.bearer())
    ).status_code == 401


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "x-http-method", "x-method-override"])
async def test_a_verb_cannot_be_overridden(site: Door, name: str) -> None:
    answer = await site.client.post(
        "/v1/interviews/a:pause", json={}, headers={name: "GET", **site.gateway.bearer()}
    )
    assert answer.status_code == 200
    [call] = site.arrived
    assert call.path.endswith("/PauseInterview")


@pytest.mark.parametrize(
    "path",
    [
        "//v1//interviews//a",
        "/v1/./interviews/a",
        "/v1/personas/../interviews/a",
        "/V1/interviews/a",
        "/v1/interviews/a/",
        "/v1/interviews/a;x=1",
        "/v1%2finterviews%2fa",
        "/v1/interviews/a%00",
        f"//{INTERVIEWS}//GetInterview",
        f"/{INTERVIEWS}/GetInterview/",
        f"/{INTERVIEWS}/../{INTERVIEWS}/GetInterview",
        f"/{INTERVIEWS.upper()}/GetInterview",
        f"/x/../{INTERVIEWS}/GetInterview",
        "/v1/interviews/a#/v1/personas",
        "/v1/interviews/a?$alt=json&access_token=x",
        "http://localhost/v1/interviews/a",
    ],
)
async def test_no_spelling_of_a_path_gets_around_the_token(site: Door, path: str) -> None:
    for verb in ("GET", "POST"):
        for content_type in ("application/json", "application/grpc-web+proto", "application/grpc"):
            request = httpx.Request(verb, site.mesh.edge, headers={"content-type": content_type})
            request.extensions["target"] = path.encode()
            await site.client.send(request)
    assert not site.arrived


async def test_nothing_that_only_envoy_says_is_believed_from_outside(site: Door) -> None:
    headers = httpx.Headers({**FORGED, **site.gateway.bearer()})
    answer = await site.client.get("/v1/interviews/a", headers=headers)
    assert answer.status_code == 200
    await site.client.get("/v1/personas", headers=FORGED)
    signed_in, nobody = (call.metadata for call in site.arrived)
    assert signed_in["x-viva-user"] == ALICE
    assert signed_in["x-viva-caller"] == f"user:{ALICE}"
    assert signed_in["x-viva-session"] == f"session-of-{ALICE}"
    assert "x-viva-user" not in nobody
    assert nobody["x-viva-caller"] == "127.0.0.1"
    for metadata in (signed_in, nobody):
        assert metadata["x-viva-address"] == "127.0.0.1"
        assert "x-viva-anything" not in metadata
        assert metadata["x-forwarded-proto"] == "http"
        assert metadata["x-request-id"] != "chosen"
        assert "203.0.113.7" not in str(metadata)
        assert "mallory" not in str(metadata)


async def test_the_bridge_says_who_the_client_is_and_nothing_else(site: Door) -> None:
    async with httpx.AsyncClient(base_url=f"http://{site.mesh.for_bridge}") as client:
        said = {**FORGED, "x-forwarded-for": "192.0.2.1, 198.51.100.7"}
        await client.get("/v1/personas", headers=said)
    [call] = site.arrived
    assert call.metadata["x-viva-address"] == "198.51.100.7"
    assert call.metadata["x-viva-caller"] == "198.51.100.7"
    assert "x-viva-user" not in call.metadata
    assert "x-viva-anything" not in call.metadata


@pytest.mark.parametrize("origin", ["https://mallory.test", "null", ALLOWED + ".mallory.test"])
async def test_a_preflight_of_another_origin_reaches_nobody(site: Door, origin: str) -> None:
    for path in ("/v1/interviews/a", f"/{INTERVIEWS}/GetInterview", "/"):
        answer = await site.client.options(
            path, headers={"origin": origin, "access-control-request-method": "POST"}
        )
        assert "access-control-allow-origin" not in answer.headers
    assert not site.arrived
    assert not site.bridge.requests


async def test_a_preflight_is_no_way_in(site: Door) -> None:
    """A request that only looks like one ends at the edge too."""
    for origin in (ALLOWED, "https://mallory.test"):
        await site.client.request(
            "OPTIONS",
            f"/{INTERVIEWS}/DeleteInterview",
            headers={
                "origin": origin,
                "access-control-request-method": "POST",
                "content-type": "application/grpc-web+proto",
            },
            content=b"\0\0\0\0\0",
        )
    assert not site.arrived


async def test_another_sites_page_opens_no_socket(site: Door) -> None:
    path = f"/{INTERVIEWS}/Converse"
    for origin in ("https://mallory.test", "null", "http://localhost:8081"):
        async with upgrade(site.mesh.settings.edge_port, path, {"origin": origin}) as refused:
            assert refused.status == 403
    assert not site.bridge.requests


async def test_the_own_page_opens_a_socket(site: Door) -> None:
    path = f"/{INTERVIEWS}/Converse"
    async with upgrade(site.mesh.settings.edge_port, path, {"origin": ALLOWED}) as granted:
        assert granted.status == 101
        granted.writer.write(b"\x82\x01x" * 30_000)
        await granted.writer.drain()
        assert await granted.reader.readexactly(90_000) == b"\x82\x01x" * 30_000
    [(first, headers)] = site.bridge.requests
    assert first.split()[1] == path
    assert headers["x-forwarded-for"].split(",")[-1].strip() == "127.0.0.1"


@pytest.mark.parametrize(
    "path", ["/", "/v1/interviews", "/viva.asr.v1.AsrService/StreamingRecognize", "/socket"]
)
async def test_sockets_lead_to_public_services_only(site: Door, path: str) -> None:
    async with upgrade(site.mesh.settings.edge_port, path, {}) as refused:
        assert refused.status in {400, 403, 404}
    assert not site.bridge.requests


async def test_an_upgrade_smuggles_no_headers_to_the_bridge(site: Door) -> None:
    path = f"/{INTERVIEWS}/Converse"
    forged = {name: value for name, value in FORGED.items() if name != "X-Viva-User"}
    async with upgrade(site.mesh.settings.edge_port, path, forged) as granted:
        assert granted.status == 101
    [(_, headers)] = site.bridge.requests
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert not any(
        name.startswith("x-viva-")
        for name in headers
        if name not in {"x-viva-caller", "x-viva-address"}
    )
    assert headers.get("x-viva-caller", "127.0.0.1") == "127.0.0.1"


@pytest.mark.parametrize(
    "path",
    [
        "/stats",
        "/clusters",
        "/config_dump",
        "/quitquitquit",
        "/viva.asr.v1.AsrService/Recognize",
        "/viva.embed.v1.EmbedService/Embed",
        "/viva.account.v1.QuotaService/Reserve",
        "/viva.account.v1.SessionService/CheckSession",
        "/viva.interview.v1.OwnerService/DeleteOwner",
        "/envoy.service.auth.v3.Authorization/Check",
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ],
)
async def test_admin_and_mesh_are_not_behind_this_door(site: Door, path: str) -> None:
    bearer = site.gateway.bearer(kind="admin")
    for content_type in ("application/json", "application/grpc-web+proto", "application/grpc"):
        for base in (site.mesh.edge, f"http://{site.mesh.for_bridge}"):
            async with httpx.AsyncClient(base_url=base) as client:
                answer = await client.post(
                    path, content=b"\0\0\0\0\0", headers={"content-type": content_type, **bearer}
                )
            assert answer.status_code == 404 or answer.headers.get("grpc-status") == "12"
    read = await site.client.get(path, headers=bearer)
    assert read.status_code == 404 or read.text == f"page at {path}"
    assert not site.arrived


async def test_the_pages_headers_forbid_what_pages_of_ours_never_do(site: Door) -> None:
    answer = await site.client.get("/")
    assert answer.text == "page at /"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "server" not in answer.headers or "envoy" not in answer.headers["server"]


async def test_no_word_of_a_callers_goes_to_the_access_log(site: Door) -> None:
    secret = base64.b32encode(b"what was typed").decode().lower()
    bearer = site.gateway.bearer()
    await site.client.get("/v1/questions", params={"query": secret})
    await site.client.post("/v1/interviews", json={"settings": {secret: secret}}, headers=bearer)
    await site.client.post("/v1/interviews", content=f'{{"{secret}', headers=bearer)
    await site.client.get("/v1/questions", params={secret: "x"})
    # The log is written when a request has ended; a later one's line means that theirs are there.
    await site.client.get("/v1/personas/last-of-all")

    log = site.mesh.access_log

    async def written() -> bool:
        return "last-of-all" in log.read_text()

    await until(written)
    text = log.read_text()
    assert secret not in text
    assert bearer["authorization"].removeprefix("Bearer ") not in text
    assert '"details":"via_upstream"' in text
    assert '"client":"127.0.0.1"' in text
    assert '"route":"GET /v1/questions"' in text
