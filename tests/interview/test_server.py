"""The server as it runs: with the settings and connections that it has in a mesh."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from viva.account.v1 import session_service_pb2, session_service_pb2_grpc
from viva.interview.v1 import interview_pb2
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview.server import build
from services.interview.settings import InterviewServerSettings
from services.interview.store.postgres import PostgresStore
from services.runtime import watching
from services.runtime.channel import open_channel, outgoing
from services.runtime.postgres.database import open_database
from services.runtime.server import serving
from tests.interview.calls import Wire, join, refused, typed, until
from tests.interview.databases import Postgres
from tests.interview.stage import PATIENCE, FakeRecogniser, FakeSynthesiser
from tests.interview.test_store_contract import interview
from tests.refusals import reason
from tests.server_process import free_port
from tests.server_process import until as until_true


class Accounts(session_service_pb2_grpc.SessionServiceServicer):
    """Knows who is logged out."""

    def __init__(self) -> None:
        self.over: set[str] = set()

    async def CheckSession(
        self, request: session_service_pb2.CheckSessionRequest, context: Any
    ) -> session_service_pb2.CheckSessionResponse:
        live = request.session_id not in self.over
        return session_service_pb2.CheckSessionResponse(live=live)


@asynccontextmanager
async def taking_calls(accounts: Accounts) -> AsyncIterator[str]:
    """Where accounts are asked."""
    server = grpc.aio.server()
    session_service_pb2_grpc.add_SessionServiceServicer_to_server(accounts, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def started(data_dir: Path, **told: Any) -> AsyncIterator[Wire]:
    """The server, without a model server."""
    nobody = f"127.0.0.1:{free_port()}"
    settings = InterviewServerSettings(
        **{
            "port": free_port(),
            "lame_duck_seconds": 0,
            "drain_seconds": 1,
            "data_dir": data_dir,
            "store": "memory",
            **{f"{model}_address": nobody for model in ("asr", "tts", "llm", "embed")},
            **told,
        }
    )
    async with (
        serving(settings, "interview", lambda: build(settings)) as running,
        open_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield Wire(channel, FakeRecogniser(), FakeSynthesiser(), data_dir)


def joining(made: interview_pb2.Interview) -> pb.ConverseRequest:
    return pb.ConverseRequest(join=join(made.id, typed=True))


async def test_a_stream_ends_with_its_session_where_there_are_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.05)
    accounts = Accounts()
    async with (
        taking_calls(accounts) as address,
        started(tmp_path, account_address=address) as wire,
    ):

        async def joined(user: str) -> Any:
            made = await wire.create(user=user)
            options = outgoing(PATIENCE, user=user)
            options["metadata"] = (*options["metadata"], ("x-viva-session", f"{user}'s"))
            call = wire.interviews.Converse(None, **options)
            await call.write(joining(made))
            await until(call, lambda event: event.HasField("utterance_started"))
            return call

        anns, bobs = await joined("ann"), await joined("bob")
        accounts.over.add("ann's")
        error = await refused(anns)
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert reason(error) == "SESSION_ENDED"
        await bobs.write(pb.ConverseRequest(candidate=typed("I am still here.")))
        await until(bobs, lambda event: event.HasField("candidate_turn"))
        bobs.cancel()


async def test_one_user_is_in_as_many_interviews_as_the_settings_allow(tmp_path: Path) -> None:
    async with started(tmp_path, max_conversations=3, max_conversations_per_user=1) as wire:
        first, second = [await wire.create() for _ in range(2)]
        bobs = await wire.create(user="bob")
        async with wire.converse(joining(first)) as call, wire.converse(joining(second)) as other:
            await until(call, lambda event: event.HasField("utterance_started"))
            assert reason(await refused(other)) == "TOO_MANY_OPEN"
            async with wire.converse(joining(bobs), user="bob") as his:
                await until(his, lambda event: event.HasField("utterance_started"))


async def test_it_deletes_what_is_old_by_itself(postgres: Postgres, tmp_path: Path) -> None:
    async with open_database(await postgres.emptied(), PATIENCE) as database:
        store = PostgresStore(database)
        old = interview()
        await store.save(old)
        # The first sweep of a database only notes the time.
        await store.judge_sweep(datetime.now(UTC))

        async def gone() -> bool:
            return await store.find(old.user, old.id) is None

        url = postgres.server().url
        async with started(tmp_path, store="postgres", database_url=url, retention_days=1e-9):
            await until_true(gone)


async def test_recordings_go_with_what_the_memory_has_no_room_for(tmp_path: Path) -> None:
    async with started(tmp_path, max_interviews=1) as wire:
        first = await wire.create()
        kept = tmp_path / "interview" / "recordings" / "memory"
        [folder] = (each for each in kept.iterdir() if each.is_dir())
        recording = folder / f"{first.id}.candidate.one"
        recording.touch()
        await wire.create()

        async def gone() -> bool:
            return not recording.exists()

        await until_true(gone)
