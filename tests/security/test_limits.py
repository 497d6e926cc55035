"""How much anybody may ask for, and how many connections may be open."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.interview.v1 import interview_service_pb2

from services.runtime.channel import open_channel
from tests.edge import grpc_web
from tests.edge.identity import ALICE, BOB
from tests.refusals import details
from tests.security.door import INTERVIEWS, Door, door
from tests.server_process import until

pytestmark = pytest.mark.slow

READ = f"/{INTERVIEWS}/GetInterview"
REQUEST = interview_service_pb2.GetInterviewRequest(interview_id="seven")
NARROW = {
    "edge_requests_per_minute": 5,
    "edge_live_requests_per_minute": 12,
    "edge_shared_requests_per_minute": 100_000,
}


async def _statuses(site: Door, path: str, count: int, headers: dict[str, str]) -> list[int]:
    return [(await site.client.get(path, headers=headers)).status_code for _ in range(count)]


async def test_a_user_has_so_many_requests_and_others_theirs(tmp_path: Path) -> None:
    async with door(tmp_path, **NARROW) as site:
        alice, bob = site.gateway.bearer(ALICE), site.gateway.bearer(BOB)
        path = "/v1/interviews/a"
        assert await _statuses(site, path, 8, alice) == [200] * 5 + [429] * 3
        assert await _statuses(site, path, 5, bob) == [200] * 5
        # Another token, another session, another listener: the same user.
        other = site.gateway.bearer(ALICE, sid="another")
        assert await _statuses(site, path, 1, other) == [429]
        said = (await site.client.get(path, headers=other)).json()
        assert said["message"] == "too many requests; ask again later"
        assert len(site.arrived) == 10


async def test_an_address_without_a_token_has_so_many_requests(tmp_path: Path) -> None:
    async with door(tmp_path, **NARROW) as site:
        assert await _statuses(site, "/v1/personas", 8, {}) == [200] * 5 + [429] * 3
        assert await _statuses(site, "/v1/personas", 1, site.gateway.bearer()) == [200]
        # What the bridge asks for is asked by whom it names.
        async with httpx.AsyncClient(base_url=f"http://{site.mesh.for_bridge}") as bridge:
            for client, count in (("192.0.2.1", 7), ("192.0.2.2", 7)):
                codes = [
                    (
                        await bridge.get("/v1/personas", headers={"x-forwarded-for": client})
                    ).status_code
                    for _ in range(count)
                ]
                assert codes == [200] * 5 + [429] * 2


async def test_what_is_no_token_counts_as_none(tmp_path: Path) -> None:
    async with (
        door(tmp_path, **NARROW) as site,
        httpx.AsyncClient(base_url=f"http://{site.mesh.for_bridge}") as bridge,
    ):
        for number, said in enumerate(["x", "Bearer", "Bearer x", "Basic YTpi", "Bearer a.b"]):
            headers = {"authorization": said, "x-forwarded-for": f"192.0.2.{number}"}
            codes = [
                (await bridge.get("/v1/personas", headers=headers)).status_code for _ in range(8)
            ]
            assert codes[5:] == [429] * 3, said


async def test_an_interviews_own_audio_has_a_budget_of_its_own(tmp_path: Path) -> None:
    async with door(tmp_path, **NARROW) as site:
        bearer = site.gateway.bearer()
        assert (await _statuses(site, "/v1/interviews/a", 6, bearer))[-1] == 429
        codes = [
            (await site.client.post("/v1/interviews/a:speak", json={}, headers=bearer)).status_code
            for _ in range(14)
        ]
        assert codes == [200] * 12 + [429] * 2


async def test_tokens_that_are_none_take_no_audio_from_others(tmp_path: Path) -> None:
    """They have the shape of one, so that only their verification shows it."""
    few = {"edge_requests_per_second": 1, "edge_request_burst": 20}
    junk = {"authorization": "Bearer a.b.c", "x-forwarded-for": "192.0.2.1"}
    path = "/v1/interviews/a:speak"
    async with (
        door(tmp_path, **few, edge_shared_live_requests_per_minute=60) as site,
        httpx.AsyncClient(base_url=f"http://{site.mesh.for_bridge}") as bridge,
    ):
        codes = [(await bridge.post(path, json={}, headers=junk)).status_code for _ in range(100)]
        # An address has so much of it, and not the rest of the world's.
        assert codes[0] == 401
        assert codes[70:] == [429] * 30
        for address in ("192.0.2.2", "192.0.2.3"):
            headers = {**site.gateway.bearer(BOB), "x-forwarded-for": address}
            assert (await bridge.post(path, json={}, headers=headers)).status_code == 200


async def test_everybody_together_has_so_many_requests(tmp_path: Path) -> None:
    few = {"edge_requests_per_second": 1, "edge_request_burst": 20}
    async with door(tmp_path, **few) as site:
        codes = []
        for user in (ALICE, BOB):
            codes += await _statuses(site, "/v1/interviews/a", 20, site.gateway.bearer(user))
        assert codes[:10] == [200] * 10
        assert codes[-10:] == [429] * 10


async def test_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with door(tmp_path, **NARROW) as site:
        bearer = site.gateway.bearer()
        await _statuses(site, "/v1/interviews/a", 5, bearer)
        refused = await site.client.get("/v1/interviews/a", headers=bearer)
        assert refused.status_code == 429
        assert refused.json()["code"] == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        [retry] = [d for d in refused.json()["details"] if d["@type"].endswith("RetryInfo")]
        assert retry["retryDelay"] == "12s"
        assert refused.headers["retry-after"] == "12"
        response, _ = await grpc_web.call(site.client, READ, REQUEST, bearer)
        assert response.headers["grpc-status"] == "8"
        encoded = response.headers["grpc-status-details-bin"]
        status = status_pb2.Status.FromString(base64.b64decode(encoded + "=="))
        [info] = details(status, error_details_pb2.RetryInfo)
        assert info.retry_delay.seconds == 12


async def test_guessing_passwords_is_slow(tmp_path: Path) -> None:
    async with door(tmp_path, **NARROW) as site:
        codes = [
            (
                await site.client.post(
                    "/v1/account:logIn",
                    json={"email": f"{n}@example.com", "password": "1234567890"},
                )
            ).status_code
            for n in range(10)
        ]
        assert codes == [200] * 5 + [429] * 5


async def test_who_connects_and_says_nothing_is_let_go(tmp_path: Path) -> None:
    async with door(tmp_path) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.mesh.settings.edge_port)
        try:
            async with asyncio.timeout(30):  # Far less than an idle connection may take.
                assert await reader.read() == b""
        finally:
            writer.close()


@pytest.mark.parametrize(
    "said",
    [
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
        # HTTP/2's preface, with empty settings.
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    ],
    ids=["http1", "http2"],
)
async def test_who_has_said_something_and_nothing_more_is_let_go(
    tmp_path: Path, said: bytes
) -> None:
    async with door(tmp_path, edge_idle_connection_seconds=0.3) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.mesh.settings.edge_port)
        try:
            writer.write(said)
            async with asyncio.timeout(30):  # Far less than a stream may take.
                assert await reader.read(), "an answer, then the end"
        finally:
            writer.close()


async def test_a_flood_of_connections_leaves_mesh_and_admin_alone(tmp_path: Path) -> None:
    async with door(tmp_path, edge_max_connections=10) as site:
        flood = [
            await asyncio.open_connection("127.0.0.1", site.mesh.settings.edge_port)
            for _ in range(40)
        ]

        async def overflown() -> bool:
            stats = f"{site.mesh.admin}/stats"
            async with httpx.AsyncClient() as client:
                answer = await client.get(stats, params={"filter": "downstream_cx_overflow"})
            return any(int(line.rpartition(" ")[2]) > 0 for line in answer.text.splitlines())

        try:
            await until(overflown)
            async with open_channel(site.mesh.address) as channel:
                stub = embed_pb2_grpc.EmbedServiceStub(channel)
                await stub.Embed(embed_pb2.EmbedRequest(inputs=["x"]), timeout=10)
        finally:
            for _, writer in flood:
                writer.close()

        async def recovered() -> bool:
            try:
                return (await site.client.get("/v1/personas")).status_code == 200
            except httpx.TransportError:
                return False

        await until(recovered)
