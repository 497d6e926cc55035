"""The gateway as a process."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from viva.account.v1 import account_service_pb2 as pb
from viva.account.v1 import account_service_pb2_grpc

from edge.gateway.server import main
from services.runtime.exit_statuses import EXIT_RESOURCE_MISSING
from tests.edge.gateway.stage import PATIENCE, bearer, emptied
from tests.interview.databases import Postgres
from tests.server_process import (
    GUARD_SECONDS,
    SERVING,
    ServerProcess,
    free_port,
    server_process,
)

SERVICES = (
    "viva.account.v1.AccountService",
    "viva.account.v1.QuotaService",
    "viva.account.v1.SessionService",
    "envoy.service.auth.v3.Authorization",
)

pytestmark = pytest.mark.slow


async def test_a_session_outlives_the_process(postgres: Postgres, tmp_path: Path) -> None:
    await emptied(postgres)
    url, keys = postgres.server().url, free_port()
    assert url is not None

    def gateway() -> AbstractAsyncContextManager[ServerProcess]:
        return server_process(
            "gateway",
            SERVICES[0],
            package="edge",
            DATABASE_URL=url,
            JWKS_PORT=str(keys),
            VIVA_DATA_DIR=str(tmp_path),
        )

    async with gateway() as process, process.channel() as channel:
        for service in SERVICES:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=service), timeout=GUARD_SECONDS
            )
            assert answer.status == SERVING
        stub: Any = account_service_pb2_grpc.AccountServiceStub(channel)
        request = pb.CreateGuestRequest(want_refresh_token=True)
        made = (await stub.CreateGuest(request, timeout=PATIENCE)).credentials
        async with httpx.AsyncClient() as client:
            page = await client.get(f"http://127.0.0.1:{keys}/.well-known/jwks.json")
        assert len(page.json()["keys"]) == 1
        process.process.kill()
        await process.process.wait()
    async with gateway() as process, process.channel() as channel:
        stub = account_service_pb2_grpc.AccountServiceStub(channel)
        found = await stub.GetAccount(
            pb.GetAccountRequest(), timeout=PATIENCE, metadata=bearer(made.access_token)
        )
        assert found.account == made.account
        again = pb.RefreshRequest(refresh_token=made.refresh_token, want_refresh_token=True)
        await stub.Refresh(again, timeout=PATIENCE)
        process.process.terminate()
        assert await process.stopped() == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"SMTP_SECURITY": "none", "SMTP_PASSWORD": "hidden"},
            "VIVA_GATEWAY_SMTP_PASSWORD would go in clear",
        ),
        ({"KEYS_KEY": "c2hvcnQ="}, "VIVA_GATEWAY_KEYS_KEY: must be 32 bytes"),
        ({"DATABASE_URL": "mysql://x"}, "VIVA_GATEWAY_DATABASE_URL: must begin with postgresql"),
        ({"PUBLIC_URL": "viva.example"}, "VIVA_GATEWAY_PUBLIC_URL: must begin with http"),
    ],
)
def test_a_setting_that_makes_no_sense_is_one_line(
    settings: dict[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"VIVA_GATEWAY_{name}", value)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == EXIT_RESOURCE_MISSING
    told = capsys.readouterr().err
    assert said in told
    assert "hidden" not in told
