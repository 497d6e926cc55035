"""Taking one's data along, and leaving nothing behind."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import asyncpg
import grpc
import pytest
from viva.account.v1 import account_service_pb2 as pb
from viva.account.v1 import quota_service_pb2

from edge.gateway.accounts import housekeeping
from edge.gateway.accounts.deleting import AT_ONCE, SECOND_PASS, Deletions, Removed
from edge.gateway.accounts.user import Kind
from services.runtime.errors import NotFound
from tests.edge.gateway.stage import EMAIL, PASSWORD, PATIENCE, Stage, bearer, refused

_FINISHED = "SELECT finished, attempts, passes FROM account.deletion"


async def delete(
    on: Stage, token: str, password: str | None = PASSWORD
) -> pb.DeleteAccountResponse:
    response = await on.accounts.DeleteAccount(
        pb.DeleteAccountRequest(password=password), timeout=PATIENCE, metadata=bearer(token)
    )
    assert isinstance(response, pb.DeleteAccountResponse)
    return response


async def everything(on: Stage, user_id: str) -> dict[str, int]:
    """In how many rows of each table a user's id or address is found."""
    tables = await on.rows(
        "SELECT schemaname || '.' || tablename AS name FROM pg_tables"
        " WHERE schemaname IN ('account', 'public')"
    )
    found = {}
    for table in tables:
        [row] = await on.rows(
            f"SELECT count(*) AS n FROM {table['name']} t"
            " WHERE t::text ILIKE '%' || $1 || '%' OR t::text ILIKE '%' || $2 || '%'",
            user_id,
            EMAIL,
        )
        if row["n"]:
            found[table["name"]] = row["n"]
    return found


async def test_nothing_is_left_of_a_deleted_user_in_any_table(on: Stage) -> None:
    made = await on.member()
    user = made.account.id
    await on.log_in()
    await on.refresh(made.refresh_token)
    await on.quotas.Reserve(
        quota_service_pb2.ReserveRequest(
            user_id=user, kind=quota_service_pb2.QUOTA_KIND_INTERVIEW, key="one"
        ),
        timeout=PATIENCE,
    )
    request = pb.RequestPasswordResetRequest(email=EMAIL)
    await on.accounts.RequestPasswordReset(request, timeout=PATIENCE)
    await on.gateway.resets.sent()
    before = await everything(on, user)
    assert set(before) == {
        f"account.{table}"
        for table in ("users", "session", "refresh_token", "reset_token", "reservation", "audit")
    }
    removed = await delete(on, made.access_token)
    assert (removed.interviews, removed.recordings, removed.sessions) == (2, 4, 2)
    assert not removed.pending
    # That it was asked for, and what was done before: by a number that is nobody's any more.
    assert set(await everything(on, user)) == {"account.deletion", "account.audit"}
    for row in await on.rows("SELECT address, details::text FROM account.audit"):
        assert row["address"] is None
        assert EMAIL not in row["details"]
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.account(made.access_token)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "WRONG_PASSWORD"):
        await on.log_in()


async def test_others_keep_what_is_theirs(on: Stage) -> None:
    ann, bob = await on.member(), await on.member("bob@example.org")
    await delete(on, ann.access_token)
    assert (await on.account(bob.access_token)).email == "bob@example.org"
    assert on.owners.deleted == [ann.account.id]


async def test_a_deletion_is_finished_though_a_part_is_down_at_first(on: Stage) -> None:
    made = await on.member()
    on.owners.down = True
    removed = await delete(on, made.access_token)
    assert list(removed.pending) == ["interview"]
    assert not await on.rows("SELECT FROM account.users")
    on.clock.advance(seconds=2)
    await on.gateway.deletions.go_on()
    [row] = await on.rows(_FINISHED)
    assert (row["finished"], row["attempts"], row["passes"]) == (None, 2, 0)
    on.owners.down = False
    await on.gateway.deletions.go_on()  # Not before it is due again.
    assert not on.owners.deleted
    on.clock.advance(minutes=5)
    await on.gateway.deletions.go_on()
    # Once more, for what was being made at that moment.
    on.clock.moment += SECOND_PASS + timedelta(seconds=1)
    await on.gateway.deletions.go_on()
    [row] = await on.rows("SELECT finished, interviews, recordings FROM account.deletion")
    assert row["finished"] is not None
    assert (row["interviews"], row["recordings"]) == (2, 4)
    on.clock.advance(days=1)
    await on.gateway.deletions.go_on()
    assert on.owners.deleted == [made.account.id] * 2


async def test_what_is_being_deleted_is_not_gone_on_with_in_the_background(on: Stage) -> None:
    made = await on.member()
    on.owners.meanwhile = on.gateway.deletions.go_on
    await delete(on, made.access_token)
    assert on.owners.deleted == [made.account.id]
    [row] = await on.rows(_FINISHED)
    assert (row["finished"], row["attempts"], row["passes"]) == (None, 0, 1)


async def test_a_deletion_whose_gateway_died_is_gone_on_with(on: Stage) -> None:
    made = await on.member()

    asked = asyncio.Event()

    async def hang() -> None:
        asked.set()
        await asyncio.Event().wait()

    on.owners.meanwhile = hang
    deleting = asyncio.create_task(on.gateway.deletions.delete(made.account.id, "test"))
    await asked.wait()
    # It could note nothing of what has come of it.
    deleting.cancel()
    await asyncio.gather(deleting, return_exceptions=True)
    await on.gateway.deletions.go_on()
    assert not on.owners.deleted
    on.clock.moment += AT_ONCE
    await on.gateway.deletions.go_on()
    assert on.owners.deleted == [made.account.id]


@pytest.mark.parametrize("fails", [True, False])
async def test_a_pass_that_another_gateway_overtakes_takes_no_second_one_away(
    on: Stage, *, fails: bool
) -> None:
    made = await on.member()
    on.owners.down = True
    await delete(on, made.access_token)
    on.owners.down = False
    on.clock.advance(seconds=2)

    async def overtaken() -> None:
        await on.gateway.deletions.go_on()
        on.owners.down = fails

    on.owners.meanwhile = overtaken
    await on.gateway.deletions.go_on()
    on.owners.down = False
    on.clock.moment += SECOND_PASS / 2
    asked = len(on.owners.deleted)
    await on.gateway.deletions.go_on()
    assert len(on.owners.deleted) == asked
    [row] = await on.rows(_FINISHED)
    assert (row["finished"], row["attempts"], row["passes"]) == (None, 0, 1)
    # What was being made when the account was deleted is there by now.
    on.clock.moment += SECOND_PASS
    await on.gateway.deletions.go_on()
    assert len(on.owners.deleted) == asked + 1
    [row] = await on.rows("SELECT finished, interviews, recordings FROM account.deletion")
    assert row["finished"] is not None
    assert (row["interviews"], row["recordings"]) == (2, 4)


async def test_deleting_needs_the_password_but_of_guests(on: Stage) -> None:
    made = await on.member()
    for password in (None, "wrong"):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") as told:
            await delete(on, made.access_token, password)
        assert told["BadRequest"].field_violations[0].field == "password"
    guest = await on.guest()
    await delete(on, guest.access_token, None)
    [left] = await on.rows("SELECT id FROM account.users")
    assert str(left["id"]) == made.account.id


async def test_a_guest_whom_nobody_can_be_any_more_is_deleted(on: Stage) -> None:
    gone, member = await on.guest(), await on.member()
    on.clock.advance(days=29)
    still = await on.guest()
    on.clock.advance(days=2)
    await on.sweep()
    assert on.owners.deleted == [gone.account.id]
    left = {str(row["id"]) for row in await on.rows("SELECT id FROM account.users")}
    assert left == {still.account.id, member.account.id}


async def test_a_clock_that_jumps_ahead_deletes_nobody(
    on: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    made = await on.guest()
    was = on.clock.moment
    on.clock.advance(days=400)
    for _ in range(3):
        await on.gateway.housekeeping.sweep()
        on.clock.advance(hours=1)
    assert not on.owners.deleted
    assert await on.rows("SELECT FROM account.session")
    [doubt] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "nothing is deleted by age" in doubt.getMessage()
    # Right again: the account is as if nothing had been.
    on.clock.moment = was + timedelta(hours=4)
    await on.gateway.housekeeping.sweep()
    await on.refresh(made.refresh_token)
    assert not on.owners.deleted


async def test_a_guest_made_by_a_clock_that_is_behind_is_kept_when_it_is_right(on: Stage) -> None:
    await on.sweep()
    right = on.clock.moment
    on.clock.advance(days=-400)
    await on.sweep()
    await on.sweep()
    made = await on.guest()
    renewed = await on.refresh((await on.guest()).refresh_token)
    on.clock.moment = right + timedelta(days=3)
    for _ in range(2):
        await on.sweep()
    assert not on.owners.deleted
    for each in (made, renewed):
        again = await on.refresh(each.refresh_token)
        await on.refresh(again.refresh_token)


async def test_a_machine_that_was_off_deletes_a_day_later(on: Stage) -> None:
    gone = await on.guest()
    on.clock.advance(days=31)
    for _ in range(24):
        await on.gateway.housekeeping.sweep()
        assert not on.owners.deleted
        on.clock.advance(hours=1)
    await on.gateway.housekeeping.sweep()
    assert on.owners.deleted == [gone.account.id]


async def test_all_such_guests_go_in_one_sweep_whatever_becomes_of_one(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_SOME", 2)
    guests = [(await on.guest()).account.id for _ in range(5)]
    on.clock.advance(days=31)
    delete = Deletions.delete

    async def overtaken(
        self: Deletions, user_id: str, actor: str, only: Kind | None = None
    ) -> Removed:
        if user_id == guests[0]:
            raise NotFound("user", user_id)
        return await delete(self, user_id, actor, only)

    monkeypatch.setattr(Deletions, "delete", overtaken)
    await on.sweep()
    assert sorted(on.owners.deleted) == sorted(guests[1:])


async def test_what_is_old_is_forgotten_though_no_guest_can_be_deleted(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("a fault of ours")

    await on.guest()
    on.clock.advance(days=61)
    monkeypatch.setattr(Deletions, "delete", fails)
    with pytest.raises(RuntimeError):
        await on.sweep()
    assert not await on.rows("SELECT FROM account.session")


async def test_the_archive_holds_all_that_is_kept(on: Stage) -> None:
    made = await on.member()
    big = bytes(range(256)) * 2000
    on.owners.files = {
        "interviews/1/turns.json": b'[{"text": "\xe4\xbd\xa0\xe5\xa5\xbd"}]',
        "interviews/1/recordings/candidate.flac": big,
        "interviews/2/turns.json": b"[]",
    }
    call = on.accounts.ExportData(
        pb.ExportDataRequest(), timeout=PATIENCE, metadata=bearer(made.access_token)
    )
    pieces = [piece async for piece in call]
    assert len(pieces) > 2  # As it is made, not at its end.
    assert pieces[0].file_name == "viva-2026-03-30.zip"
    archive = zipfile.ZipFile(io.BytesIO(b"".join(piece.content for piece in pieces)))
    assert archive.testzip() is None
    for path, content in on.owners.files.items():
        assert archive.read(path) == content
    profile = json.loads(archive.read("account.json"))
    assert (profile["id"], profile["email"]) == (made.account.id, EMAIL)
    assert len(json.loads(archive.read("sessions.json"))) == 1
    done = [each["action"] for each in json.loads(archive.read("activity.json"))]
    assert done == ["registered", "data_exported"]


async def test_an_archive_that_cannot_be_whole_is_no_archive(on: Stage) -> None:
    made = await on.member()
    on.owners.down = True
    call = on.accounts.ExportData(
        pb.ExportDataRequest(), timeout=PATIENCE, metadata=bearer(made.access_token)
    )
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        async for _ in call:
            pass
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE


def export(on: Stage, token: str) -> Any:
    return on.accounts.ExportData(pb.ExportDataRequest(), timeout=PATIENCE, metadata=bearer(token))


async def test_one_archive_of_a_users_is_made_at_a_time(on: Stage) -> None:
    made, other = await on.member(), await on.guest()
    on.owners.files = {"interviews/1/turns.json": b"[]"}
    on.owners.held = asyncio.Event()
    first = export(on, made.access_token)
    await on.owners.exporting.wait()
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "BUSY") as told:
        await export(on, made.access_token).read()
    assert told["RetryInfo"].retry_delay.seconds == 10
    assert told["message"] == "your data is being exported already"
    on.owners.held.set()
    for call in (first, export(on, other.access_token), export(on, made.access_token)):
        assert b"".join([piece.content async for piece in call]).startswith(b"PK")
    # What was refused was not done.
    done = await on.rows("SELECT FROM account.audit WHERE action = 'data_exported'")
    assert len(done) == 3


async def test_whoever_has_to_wait_for_an_archive_is_told_in_words(on: Stage) -> None:
    made = await on.member()
    on.owners.busy = True
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "BUSY") as told:
        async for _ in export(on, made.access_token):
            pass
    assert told["RetryInfo"].retry_delay.seconds == 10
    assert told["message"] == "everything of yours is being exported already"


async def test_what_was_done_cannot_be_undone_in_the_log(on: Stage) -> None:
    await on.member()
    admin = await on.postgres.connect("viva")
    try:
        for statement in (
            "UPDATE account.audit SET action = 'nothing'",
            "UPDATE account.audit SET user_id = NULL, address = NULL",
            "DELETE FROM account.audit",
            "TRUNCATE account.audit",
        ):
            with pytest.raises(asyncpg.PostgresError, match="append-only"):
                await admin.execute(statement)
    finally:
        await admin.close()


async def test_two_who_delete_at_once_are_both_answered(on: Stage) -> None:
    guest = await on.guest()
    results = await asyncio.gather(
        delete(on, guest.access_token, None),
        delete(on, guest.access_token, None),
        return_exceptions=True,
    )
    answers = [r for r in results if isinstance(r, pb.DeleteAccountResponse)]
    refusals = [r.code() for r in results if isinstance(r, grpc.aio.AioRpcError)]
    assert answers
    assert set(refusals) <= {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.NOT_FOUND}
