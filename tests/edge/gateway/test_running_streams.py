"""Who answers a stream learns whether its session goes on, and ends it."""

from __future__ import annotations

import uuid

import grpc
import pytest
from viva.account.v1 import account_service_pb2 as pb
from viva.account.v1 import session_service_pb2

from services.interview.clients.sessions import SessionClient
from services.runtime import watching
from services.runtime.channel import open_channel
from services.runtime.errors import Unavailable
from tests.edge.gateway.stage import PATIENCE, Stage, bearer


async def is_live(on: Stage, session_id: str) -> bool:
    request = session_service_pb2.CheckSessionRequest(session_id=session_id)
    return bool((await on.sessions.CheckSession(request, timeout=PATIENCE)).live)


async def test_the_mesh_is_told_whether_a_session_goes_on(on: Stage) -> None:
    here, there = await on.member(), await on.log_in()
    mine, other = (on.gateway.tokens.read(each.access_token).session_id for each in (here, there))
    assert await is_live(on, mine)
    assert await is_live(on, other)
    await on.accounts.LogOut(
        pb.LogOutRequest(), timeout=PATIENCE, metadata=bearer(there.access_token)
    )
    assert await is_live(on, mine)
    assert not await is_live(on, other)
    assert not await is_live(on, str(uuid.uuid4()))
    assert not await is_live(on, "none")


async def test_a_server_asks_the_gateway_and_knows_when_it_was_not_answered(on: Stage) -> None:
    here = await on.member()
    session = on.gateway.tokens.read(here.access_token).session_id
    async with open_channel(f"127.0.0.1:{on.port}") as channel:
        assert await SessionClient(channel).is_live(session)
    async with open_channel("127.0.0.1:1") as channel:
        with pytest.raises(Unavailable):
            await SessionClient(channel).is_live(session)


async def test_an_export_ends_with_its_session(on: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.01)
    whole = 40 * 2**20
    on.owners.files = {f"interviews/{n}/recordings/candidate.flac": bytes(2**20) for n in range(40)}
    here = await on.member()
    session = on.gateway.tokens.read(here.access_token).session_id
    metadata = (*bearer(here.access_token), ("x-viva-session", session))
    call = on.accounts.ExportData(pb.ExportDataRequest(), timeout=PATIENCE, metadata=metadata)
    pieces = aiter(call)
    got = len((await anext(pieces)).content)
    await on.accounts.LogOut(
        pb.LogOutRequest(everywhere=True), timeout=PATIENCE, metadata=bearer(here.access_token)
    )
    with pytest.raises(grpc.aio.AioRpcError) as told:
        async for piece in pieces:
            got += len(piece.content)
    assert told.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert got < whole
