"""What who runs the database can do: `viva account …`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import grpc
import pytest
from typer.testing import CliRunner, Result

from services.cli.app import app
from services.runtime.threads import in_thread
from tests.edge.gateway.stage import EMAIL, NEW_PASSWORD, Stage, refused
from tests.edge.gateway.test_resets import reset


@pytest.fixture
def environment(on: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = on.postgres.server().url
    assert url is not None
    monkeypatch.setenv("VIVA_GATEWAY_DATABASE_URL", url)
    monkeypatch.setenv("VIVA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    assert os.environ["VIVA_GATEWAY_DATABASE_URL"] == url


async def viva(*arguments: str) -> Result:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:  # A loop of its own.
        return await in_thread(thread, lambda: CliRunner().invoke(app, ["account", *arguments]))


@pytest.mark.usefixtures("environment")
async def test_accounts_are_listed_and_get_another_plan(on: Stage) -> None:
    made = await on.member()
    await on.guest()
    assert (await viva("set-plan", EMAIL, "pro")).exit_code == 0
    [listed] = json.loads((await viva("list", "--json")).stdout)["accounts"]
    assert (listed["email"], listed["plan"], listed["id"]) == (EMAIL, "pro", made.account.id)
    assert EMAIL in (await viva("list")).stdout
    assert not (await on.account(made.access_token)).interviews.HasField("limit")
    assert (await viva("set-plan", EMAIL, "golden")).exit_code == 2
    assert (await viva("set-plan", "nobody@example.org", "pro")).exit_code == 2


@pytest.mark.usefixtures("environment")
async def test_a_member_is_made_an_administrator(on: Stage) -> None:
    await on.member()
    assert (await viva("set-kind", EMAIL, "admin")).exit_code == 0
    made = await on.log_in()
    assert on.gateway.tokens.read(made.access_token).kind == "admin"
    assert (await viva("set-kind", EMAIL, "guest")).exit_code == 2


@pytest.mark.usefixtures("environment")
async def test_an_account_is_logged_out_and_let_in_again_by_a_link(on: Stage) -> None:
    made = await on.member()
    assert "1 session" in (await viva("revoke", EMAIL)).output
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.refresh(made.refresh_token)
    link = (await viva("reset-link", EMAIL)).stdout.strip()
    await on.gateway.resets.sent()
    await reset(on, link.partition("#token=")[2])
    await on.log_in(password=NEW_PASSWORD)
    done = await on.rows("SELECT action, actor FROM account.audit WHERE actor = 'operator'")
    assert [row["action"] for row in done] == ["sessions_revoked", "password_reset_requested"]
