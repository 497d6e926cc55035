"""Accounts and interviews on one database: what a user may create, takes along, leaves."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from viva.account.v1 import account_service_pb2 as pb
from viva.interview.v1 import interview_pb2, interview_service_pb2

from services.interview.clients.quota import QuotaClient
from services.interview.clients.seams import NoQuota, Quota
from services.interview.questions.bank import load_bank
from services.interview.store.postgres import PostgresStore
from services.runtime.channel import open_channel, outgoing
from services.runtime.postgres.database import open_database
from tests.edge.gateway.stage import PASSWORD, PATIENCE, Stage, bearer, emptied, refused, stage
from tests.edge.gateway.test_leaving import everything
from tests.interview.calls import audio, heard, joining, until
from tests.interview.databases import Postgres
from tests.interview.orchestrators import Orchestrator, orchestrator

pytestmark = pytest.mark.slow


class Late:
    """A quota that is asked elsewhere as soon as it is known where."""

    def __init__(self) -> None:
        self.told: Quota = NoQuota()

    async def reserve(self, user: str, interview_id: str) -> None:
        await self.told.reserve(user, interview_id)

    async def release(self, user: str, interview_id: str) -> None:
        await self.told.release(user, interview_id)


@dataclass
class Both:
    """A gateway and an interview server."""

    on: Stage
    running: Orchestrator
    quota: Late


@pytest_asyncio.fixture
async def both(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Both]:
    quota = Late()
    await emptied(postgres)
    async with (
        open_database(postgres.server(), PATIENCE) as database,
        orchestrator(PostgresStore(database), load_bank(), tmp_path, quota=quota) as running,
        stage(postgres, tmp_path, interview_address=f"127.0.0.1:{running.port}") as on,
        open_channel(f"127.0.0.1:{on.port}") as channel,
    ):
        quota.told = QuotaClient(channel)
        yield Both(on, running, quota)


async def test_a_guests_interview_counts_and_becomes_the_members(both: Both) -> None:
    on, wire = both.on, both.running.wire
    guest = await on.guest()
    user = guest.account.id
    made = await wire.create(user=user)
    await begin(both, made.id, user)
    made = await wire.get(made.id, user=user)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXHAUSTED") as told:
        await wire.create(user=user)
    assert told["QuotaFailure"].violations[0].subject == f"user:{user}"
    member = await on.member(guest=guest)
    assert member.account.interviews.used == 1
    assert await wire.get(made.id, user=user) == made
    await wire.create(user=user)
    assert (await on.account(member.access_token)).interviews.used == 2


async def test_a_guest_who_logs_in_has_their_interview_in_the_account(both: Both) -> None:
    on, wire = both.on, both.running.wire
    member, guest = await on.member(), await on.guest()
    user, before = member.account.id, guest.account.id
    made = await wire.create(user=before)
    async with wire.converse(joining(made.id), user=before) as call:
        await until(call, lambda event: event.HasField("utterance_started"))
        for _ in range(20):
            await call.write(
                interview_service_pb2.ConverseRequest(candidate=audio(b"\1\0\1\0" * 4800))
            )
        await heard(wire, 1.9)
        # In mid-interview: it is laid aside, and waits for its candidate.
        response = await on.bring(guest)
    assert (response.brought.interviews, response.brought.pending) == (1, False)
    assert response.credentials.account.interviews.used == 1
    found = await wire.get(made.id, user=user)
    assert found.state == interview_pb2.INTERVIEW_STATE_PAUSED
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        await wire.get(made.id, user=before)
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND
    exporting = on.accounts.ExportData(
        pb.ExportDataRequest(),
        timeout=PATIENCE,
        metadata=bearer(response.credentials.access_token),
    )
    archive = zipfile.ZipFile(io.BytesIO(b"".join([piece.content async for piece in exporting])))
    assert archive.read(f"interviews/{made.id}/recordings/candidate.flac").startswith(b"fLaC")
    on.clock.advance(minutes=3)
    await on.gateway.transfers.go_on()
    # By the member's address alone is there a row of users.
    left = set(await everything(on, before))
    assert left == {"account.deletion", "account.audit", "account.users"}
    # The guest's deletion, the second time too, takes nothing of the member's.
    on.clock.advance(minutes=3)
    await on.gateway.deletions.go_on()
    assert (await wire.get(made.id, user=user)).id == made.id


class Slow:
    """A quota whose answers are kept back."""

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self.counted, self.told = asyncio.Event(), asyncio.Event()

    async def reserve(self, user: str, interview_id: str) -> None:
        await self._quota.reserve(user, interview_id)
        self.counted.set()
        await self.told.wait()

    async def release(self, user: str, interview_id: str) -> None:
        await self._quota.release(user, interview_id)


async def test_what_a_guest_creates_while_they_log_in_is_the_accounts_in_the_end(
    both: Both,
) -> None:
    on, wire = both.on, both.running.wire
    member, guest = await on.member(), await on.guest()
    both.quota.told = quota = Slow(both.quota.told)
    creating = asyncio.create_task(wire.create(user=guest.account.id))
    await quota.counted.wait()
    assert (await on.bring(guest)).brought.interviews == 0
    quota.told.set()
    made = await creating
    on.clock.advance(minutes=3)
    await on.gateway.transfers.go_on()
    await on.gateway.deletions.go_on()
    assert (await wire.get(made.id, user=member.account.id)).id == made.id
    assert (await on.account(member.access_token)).interviews.used == 1


async def begin(both: Both, interview_id: str, user: str) -> None:
    """Joins an interview, and ends it."""
    async with both.running.wire.converse(joining(interview_id), user=user) as call:
        await until(call, lambda event: event.HasField("utterance_started"))
    await both.running.house.end(user, interview_id)


async def test_a_guest_who_starts_and_goes_back_may_start_again(both: Both) -> None:
    on, wire = both.on, both.running.wire
    guest = await on.guest()
    user = guest.account.id
    first = await wire.create(user=user, key="one")
    second = await wire.create(user=user, key="two")
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        await wire.get(first.id, user=user)
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND
    assert (await on.account(guest.access_token)).interviews.used == 1
    await begin(both, second.id, user)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXHAUSTED"):
        await wire.create(user=user, key="three")


async def test_of_many_at_once_no_more_are_held_than_the_plan_has(both: Both) -> None:
    on, wire = both.on, both.running.wire
    guest = await on.guest()
    user = guest.account.id
    await asyncio.gather(
        *(wire.create(user=user, key=f"k{n}") for n in range(6)), return_exceptions=True
    )
    held = await wire.interviews.ListInterviews(
        interview_service_pb2.ListInterviewsRequest(), **outgoing(PATIENCE, user=user)
    )
    counted = await on.rows("SELECT key FROM account.reservation")
    assert [each.id for each in held.interviews] == [row["key"] for row in counted]
    assert len(counted) == 1


async def test_one_that_is_deleted_before_it_began_counts_no_more(both: Both) -> None:
    on, wire = both.on, both.running.wire
    guest = await on.guest()
    user = guest.account.id
    made = await wire.create(user=user)
    await both.running.house.delete(user, made.id)
    begun = await wire.create(user=user)
    await begin(both, begun.id, user)
    await both.running.house.delete(user, begun.id)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXHAUSTED"):
        await wire.create(user=user)


async def test_whom_the_meshs_own_callers_name_needs_no_account(both: Both) -> None:
    # `viva interview` and the benchmarks name candidates of their own.
    for _ in range(3):
        await both.running.wire.create(user="bench")


async def test_all_of_a_user_is_taken_along_and_then_gone(both: Both) -> None:
    on, wire = both.on, both.running.wire
    member = await on.member()
    other = await on.member("bob@example.org")
    user = member.account.id
    made = await wire.create(user=user)
    bobs = await wire.create(user=other.account.id)
    async with wire.converse(joining(made.id), user=user) as call:
        await until(call, lambda event: event.HasField("utterance_started"))
        for _ in range(20):
            await call.write(
                interview_service_pb2.ConverseRequest(candidate=audio(b"\1\0\1\0" * 4800))
            )
        await heard(wire, 1.9)
        await both.running.recordings.book_once()
    exporting = on.accounts.ExportData(
        pb.ExportDataRequest(), timeout=PATIENCE, metadata=bearer(member.access_token)
    )
    archive = zipfile.ZipFile(io.BytesIO(b"".join([piece.content async for piece in exporting])))
    assert archive.testzip() is None
    folder = f"interviews/{made.id}"
    assert json.loads(archive.read(f"{folder}/interview.json"))["id"] == made.id
    assert archive.read(f"{folder}/recordings/candidate.flac").startswith(b"fLaC")
    assert not [name for name in archive.namelist() if bobs.id in name]
    removed = await on.accounts.DeleteAccount(
        pb.DeleteAccountRequest(password=PASSWORD),
        timeout=PATIENCE,
        metadata=bearer(member.access_token),
    )
    assert removed.interviews == 1
    assert removed.recordings >= 1
    assert not removed.pending
    # In the tables of both, and on disk.
    assert set(await everything(on, user)) == {"account.deletion", "account.audit"}
    files = both.running.wire.data_dir / "recordings"
    assert not list(files.glob(f"{made.id}*"))
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        await wire.create(user=user)
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND
    assert await wire.get(bobs.id, user=other.account.id) == bobs
    listed = await wire.interviews.ListInterviews(
        interview_service_pb2.ListInterviewsRequest(), **outgoing(PATIENCE, user=user)
    )
    assert not listed.interviews
