"""Accounts as browsers and programs meet them: through Envoy, which decides by this gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from viva.account.v1 import account_service_pb2 as pb

from tests.edge.backend import envoy
from tests.edge.gateway.stage import EMAIL, PASSWORD, PATIENCE, Stage, stage
from tests.edge.identity import Gateway
from tests.interview.databases import Postgres

WEB = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", "user-agent": "Firefox"}
_SERVICE = "/viva.account.v1.AccountService"

pytestmark = pytest.mark.slow


class RealGateway(Gateway):
    """Where a real gateway is, and a token of its."""

    access_token: str

    def bearer(self, user: str = "", **changed: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.access_token}"}


@dataclass
class Edge:
    """Envoy in front of a gateway."""

    on: Stage
    client: httpx.AsyncClient

    async def json(
        self, method: str, path: str, token: str | None = None, **body: Any
    ) -> httpx.Response:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        sent = body if method != "GET" else None
        return await self.client.request(method, path, json=sent, headers=headers)

    async def web(self, method: str, message: Message, **headers: str) -> httpx.Response:
        """A gRPC-Web call; a refusal is in the headers."""
        data = message.SerializeToString()
        self.client.cookies.clear()  # What is sent is said.
        return await self.client.post(
            f"{_SERVICE}/{method}",
            content=b"\0" + len(data).to_bytes(4, "big") + data,
            headers={**WEB, **headers},
        )


@pytest_asyncio.fixture
async def edge(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Edge]:
    async with stage(postgres, tmp_path / "data") as on:
        on.clock.moment = datetime.now(UTC)  # Envoy has a clock too.
        gateway = RealGateway(port=on.port, keys_port=on.gateway.jwks_port)
        gateway.access_token = (await on.guest()).access_token
        async with (
            envoy(tmp_path, {}, gateway=gateway) as mesh,
            httpx.AsyncClient(base_url=mesh.edge, timeout=PATIENCE) as client,
        ):
            await mesh.until_healthy("viva.account.v1.AccountService", on.port)
            yield Edge(on, client)


def status_of(answer: httpx.Response) -> str:
    """A call's status: of its headers where nothing came before it, else of its trailers."""
    trailers = answer.content.rpartition(b"grpc-status:")[2].partition(b"\r\n")[0].decode()
    return str(answer.headers.get("grpc-status", trailers))


def cookie_of(answer: httpx.Response) -> str:
    """The cookie that an answer sets, as a browser sends it."""
    return answer.headers["set-cookie"].partition(";")[0]


async def test_a_guest_registers_and_is_logged_out(edge: Edge) -> None:
    answer = await edge.json("POST", "/v1/account:guest", wantRefreshToken=True)
    guest = answer.json()["credentials"]
    assert "set-cookie" not in answer.headers
    answer = await edge.json(
        "POST",
        "/v1/account",
        guest["accessToken"],
        email=EMAIL,
        password=PASSWORD,
        wantRefreshToken=True,
        guestRefreshToken=guest["refreshToken"],
    )
    member = answer.json()["credentials"]
    assert member["account"]["id"] == guest["account"]["id"]
    found = await edge.json("GET", "/v1/account", member["accessToken"])
    assert found.json()["account"]["email"] == EMAIL
    # The guest's token is well signed and not expired, and good no more.
    for path in ("/v1/account", "/v1/account/sessions"):
        assert (await edge.json("GET", path, guest["accessToken"])).status_code == 401
    changed = await edge.json(
        "PATCH",
        "/v1/account/settings",
        member["accessToken"],
        settings={"theme": "THEME_DARK", "interfaceLanguage": "zh-CN"},
        updateMask="theme,interfaceLanguage",
    )
    assert changed.json()["account"]["settings"] == {
        "theme": "THEME_DARK",
        "interfaceLanguage": "zh-CN",
    }
    out = await edge.json("POST", "/v1/account:logOut", member["accessToken"], everywhere=True)
    assert out.status_code == 200
    assert (await edge.json("GET", "/v1/account", member["accessToken"])).status_code == 401
    assert (await edge.json("GET", "/v1/account")).status_code == 401


async def test_a_page_keeps_its_session_in_a_cookie(edge: Edge) -> None:
    await edge.on.member()
    entered = await edge.web("LogIn", pb.LogInRequest(email=EMAIL, password=PASSWORD))
    assert "HttpOnly" in entered.headers["set-cookie"]
    old = cookie_of(entered)
    renewed = await edge.web("Refresh", pb.RefreshRequest(), cookie=old)
    new = cookie_of(renewed)
    assert new not in {old, "viva_refresh="}
    # Envoy passes on what tells our page from another site's.
    forged = await edge.web(
        "Refresh", pb.RefreshRequest(), cookie=new, **{"sec-fetch-site": "cross-site"}
    )
    assert status_of(forged) == "16"
    newest = cookie_of(await edge.web("Refresh", pb.RefreshRequest(), cookie=new))
    # Its successor was used: whoever has the first one still, stole it or was stolen from.
    reused = await edge.web("Refresh", pb.RefreshRequest(), cookie=old)
    assert status_of(reused) == "16"
    assert cookie_of(reused) == "viva_refresh="
    ended = await edge.web("Refresh", pb.RefreshRequest(), cookie=newest)
    assert status_of(ended) == "16"


async def test_where_a_call_comes_from_is_what_envoy_saw(edge: Edge) -> None:
    await edge.on.member()
    forged = {"x-viva-address": "203.0.113.9", "x-forwarded-for": "203.0.113.9"}
    await edge.client.post(
        "/v1/account:logIn", json={"email": EMAIL, "password": "wrong"}, headers=forged
    )
    [row] = await edge.on.rows("SELECT address FROM account.audit WHERE action = 'log_in_failed'")
    assert row["address"] == "127.0.0.1"


async def test_quotas_are_no_business_of_the_outside(edge: Edge) -> None:
    answer = await edge.client.post(
        "/viva.account.v1.QuotaService/Reserve", content=b"\0\0\0\0\0", headers=WEB
    )
    assert status_of(answer) != "0"
    assert answer.status_code in {200, 404}
