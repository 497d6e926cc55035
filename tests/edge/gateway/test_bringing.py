"""A guest logs in to an account they have, and brings their interviews along."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from viva.account.v1 import account_pb2, quota_service_pb2
from viva.account.v1 import account_service_pb2 as pb

from edge.gateway.accounts.caller import Caller
from edge.gateway.accounts.deleting import SECOND_PASS
from edge.gateway.accounts.guest import Guest
from edge.gateway.server import assembled
from edge.gateway.store import transfers, users
from services.runtime.errors import Unauthenticated
from services.runtime.postgres.database import EVERYBODY
from tests.edge.gateway.stage import (
    EMAIL,
    PASSWORD,
    PATIENCE,
    Stage,
    bearer,
    gateway_settings,
    refused,
)
from tests.edge.gateway.test_leaving import everything
from tests.edge.gateway.test_quotas import release, reserve

_WAITING = "SELECT attempts FROM account.transfer"


async def guest_who_talked(on: Stage, key: str = "talked") -> account_pb2.Credentials:
    guest = await on.guest()
    await reserve(on, guest.account.id, key)
    return guest


async def once_more(on: Stage) -> None:
    """What was being created when the guest logged in is there by then."""
    on.clock.moment += SECOND_PASS
    await on.gateway.transfers.go_on()


async def test_the_account_has_what_the_guest_had_and_the_guest_is_no_more(on: Stage) -> None:
    member, guest = await on.member(), await guest_who_talked(on)
    response = await on.bring(guest)
    assert (response.brought.interviews, response.brought.pending) == (1, False)
    account = response.credentials.account
    assert account.id == member.account.id
    assert (account.interviews.used, account.interviews.limit) == (1, 5)
    assert on.owners.transferred == [(guest.account.id, member.account.id)]
    # To remove what is left of the guest may take longer than somebody waits who logs in.
    assert not on.owners.deleted
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.account(guest.access_token)
    await once_more(on)
    # By the member's address alone is there a row of users.
    left = set(await everything(on, guest.account.id))
    assert left == {"account.deletion", "account.audit", "account.users"}
    assert len(await on.rows("SELECT FROM account.users")) == 1
    noted = await on.rows(
        "SELECT action FROM account.audit WHERE user_id = $1 ORDER BY id", member.account.id
    )
    assert [row["action"] for row in noted][-2:] == ["guest_interviews_brought", "logged_in"]


async def test_a_guests_token_brings_nothing_into_an_account_without_its_password(
    on: Stage,
) -> None:
    member, guest = await on.member(), await guest_who_talked(on)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "WRONG_PASSWORD"):
        await on.bring(guest, password="not the password")
    assert not on.owners.transferred
    assert (await on.account(guest.access_token)).interviews.used == 1
    assert (await on.account(member.access_token)).interviews.used == 0


async def test_who_does_not_ask_for_it_brings_nothing(on: Stage) -> None:
    await on.member()
    guest = await guest_who_talked(on)
    request = pb.LogInRequest(email=EMAIL, password=PASSWORD, want_refresh_token=True)
    response = await on.accounts.LogIn(
        request, timeout=PATIENCE, metadata=bearer(guest.access_token)
    )
    assert not response.HasField("brought")
    assert response.credentials.account.interviews.used == 0
    assert (await on.account(guest.access_token)).interviews.used == 1


async def test_only_a_guest_who_is_in_brings_anything(on: Stage) -> None:
    await on.member()
    bob = await on.member("bob@example.org")
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "LOGGED_IN"):
        await on.bring(bob)
    request = pb.LogInRequest(email=EMAIL, password=PASSWORD, bring_guest_interviews=True)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "NO_TOKEN"):
        await on.accounts.LogIn(request, timeout=PATIENCE)
    guest = await guest_who_talked(on)
    await on.accounts.LogOut(
        pb.LogOutRequest(), timeout=PATIENCE, metadata=bearer(guest.access_token)
    )
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.bring(guest)
    assert not on.owners.transferred


async def test_a_plan_that_is_used_up_takes_nothing_more_and_nothing_has_changed(
    on: Stage,
) -> None:
    member = await on.member()
    for n in range(5):
        await reserve(on, member.account.id, f"i{n}")
    guest = await guest_who_talked(on)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXHAUSTED") as told:
        await on.bring(guest)
    assert told["ErrorInfo"].metadata["kind"] == "member"
    assert not on.owners.transferred
    assert (await on.account(guest.access_token)).interviews.used == 1
    assert (await on.log_in()).account.interviews.used == 5
    # What was used in another month counts there.
    on.clock.advance(days=2)
    later = await on.guest()
    on.clock.advance(minutes=1)
    assert (await on.bring(later)).credentials.account.interviews.used == 0


async def test_interviews_that_cannot_be_reached_follow_and_are_not_swept_before(
    on: Stage,
) -> None:
    member, guest = await on.member(), await guest_who_talked(on)
    on.owners.down = True
    response = await on.bring(guest)
    assert (response.brought.interviews, response.brought.pending) == (0, True)
    assert response.credentials.account.interviews.used == 1
    on.clock.advance(days=3)
    await on.sweep()
    assert not on.owners.deleted
    await on.gateway.transfers.go_on()
    [row] = await on.rows(_WAITING)
    assert row["attempts"] == 2
    on.owners.down = False
    await on.gateway.transfers.go_on()  # Not before it is due again.
    assert not on.owners.transferred
    on.clock.advance(minutes=5)
    await on.gateway.transfers.go_on()
    assert on.owners.transferred == [(guest.account.id, member.account.id)]
    assert on.owners.deleted == [guest.account.id]
    assert not await on.rows(_WAITING)
    assert len(await on.rows("SELECT FROM account.users")) == 1


async def test_of_two_accounts_at_once_one_gets_them(on: Stage) -> None:
    await on.member()
    await on.member("bob@example.org")
    guest = await guest_who_talked(on)
    results = await asyncio.gather(
        on.bring(guest),
        on.bring(guest, email="bob@example.org"),
        return_exceptions=True,
    )
    assert sum(isinstance(result, pb.LogInResponse) for result in results) == 1
    assert len(on.owners.transferred) == 1
    [row] = await on.rows("SELECT count(*) AS n FROM account.reservation")
    assert row["n"] == 1


async def test_an_account_that_is_deleted_meanwhile_leaves_them_to_the_guests_end(
    on: Stage,
) -> None:
    await on.member()
    guest = await guest_who_talked(on)
    on.owners.down = True
    credentials = (await on.bring(guest)).credentials
    await on.accounts.DeleteAccount(
        pb.DeleteAccountRequest(password=PASSWORD),
        timeout=PATIENCE,
        metadata=bearer(credentials.access_token),
    )
    assert not await on.rows(_WAITING)
    on.owners.down = False
    on.clock.advance(days=2)
    await on.sweep()
    assert guest.account.id in on.owners.deleted
    assert not on.owners.transferred


async def test_a_guest_who_is_gone_can_reserve_nothing(on: Stage) -> None:
    await on.member()
    guest = await guest_who_talked(on)
    await on.bring(guest)
    request = quota_service_pb2.ReserveRequest(
        user_id=guest.account.id, kind=quota_service_pb2.QUOTA_KIND_INTERVIEW, key="late"
    )
    async with refused(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"):
        await on.quotas.Reserve(request, timeout=PATIENCE)
    await once_more(on)
    async with refused(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"):
        await on.quotas.Reserve(request, timeout=PATIENCE)


def stolen(guest: account_pb2.Credentials, refresh_token: str | None) -> account_pb2.Credentials:
    """A guest's access token, with another refresh token, or none."""
    found = account_pb2.Credentials()
    found.CopyFrom(guest)
    found.ClearField("refresh_token")
    if refresh_token is not None:
        found.refresh_token = refresh_token
    return found


async def test_an_access_token_alone_takes_nothing_for_good(on: Stage) -> None:
    guest, other = await guest_who_talked(on), await on.guest()
    thief = await on.member("thief@example.org")
    for refresh_token in (None, other.refresh_token, thief.refresh_token, "made up"):
        taken = stolen(guest, refresh_token)
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") as told:
            await _bring_with(on, taken, refresh_token)
        assert told["BadRequest"].field_violations[0].field == "guest_refresh_token"
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") as told:
            await _register_with(on, taken, refresh_token)
        assert told["BadRequest"].field_violations[0].field == "guest_refresh_token"
    assert not on.owners.transferred
    assert (await on.account(guest.access_token)).kind == account_pb2.ACCOUNT_KIND_GUEST
    assert (await on.member(guest=guest)).account.id == guest.account.id


async def _bring_with(on: Stage, guest: account_pb2.Credentials, refresh_token: str | None) -> None:
    request = pb.LogInRequest(
        email="thief@example.org",
        password=PASSWORD,
        bring_guest_interviews=True,
        guest_refresh_token=refresh_token,
    )
    await on.accounts.LogIn(request, timeout=PATIENCE, metadata=bearer(guest.access_token))


async def _register_with(
    on: Stage, guest: account_pb2.Credentials, refresh_token: str | None
) -> None:
    request = pb.RegisterRequest(
        email="thiefs.other@example.org", password=PASSWORD, guest_refresh_token=refresh_token
    )
    await on.accounts.Register(request, timeout=PATIENCE, metadata=bearer(guest.access_token))


async def test_a_browser_proves_it_by_its_cookie(on: Stage) -> None:
    guest = await guest_who_talked(on)
    cookie = (("cookie", f"viva_refresh={guest.refresh_token}"),)
    request = pb.RegisterRequest(email=EMAIL, password=PASSWORD)
    here = bearer(guest.access_token)
    # Not where another site's page may have sent it along.
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
        await on.accounts.Register(request, timeout=PATIENCE, metadata=(*here, *cookie))
    metadata = (*here, *cookie, ("x-grpc-web", "1"))
    made = await on.accounts.Register(request, timeout=PATIENCE, metadata=metadata)
    assert made.credentials.account.id == guest.account.id


async def test_a_token_that_was_replaced_is_no_proof_unless_its_answer_may_be_lost(
    on: Stage,
) -> None:
    guest = await guest_who_talked(on)
    newer = await on.refresh(guest.refresh_token)
    on.clock.advance(minutes=1)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
        await on.member(guest=stolen(newer, guest.refresh_token))
    await on.refresh(newer.refresh_token)
    await on.member(guest=newer)


async def test_who_registers_while_their_interviews_pass_on_is_refused_and_deletes_nobody(
    on: Stage, tmp_path: Path
) -> None:
    """At another gateway, which still believes that the guest's session goes on."""
    await on.member()
    guest = await guest_who_talked(on)
    settings = gateway_settings(on.postgres, tmp_path, interview_address="127.0.0.1:1")
    async with assembled(settings, clock=on.clock, mail=on.mail) as other:
        claims = other.tokens.read(guest.access_token)
        assert await other.live.is_live(claims.session_id)
        on.owners.down = True
        assert (await on.bring(guest)).brought.pending
        assert await other.live.is_live(claims.session_id)
        caller = Caller("192.0.2.1", "", None, None, over_tls=False)
        with pytest.raises(Unauthenticated):
            await other.accounts._access.register(
                "new@example.org", PASSWORD, None, Guest(claims, guest.refresh_token), caller
            )


async def test_a_transfer_of_one_who_is_no_guest_any_more_deletes_nobody(on: Stage) -> None:
    """However that came to be."""
    member, other = await on.member(), await on.member("bob@example.org")
    now = on.clock()
    async with on.gateway.database.transaction("test", EVERYBODY) as connection:
        await transfers.add(connection, other.account.id, member.account.id, now, now)
    on.clock.advance(minutes=1)
    await on.gateway.transfers.go_on()
    await once_more(on)
    assert (await on.account(other.access_token)).email == "bob@example.org"
    assert not await on.rows(_WAITING)


async def test_nobody_is_made_a_member_whose_interviews_pass_on(on: Stage) -> None:
    member, guest = await on.member(), await on.guest()
    now = on.clock()
    async with on.gateway.database.transaction("test", EVERYBODY) as connection:
        await transfers.add(connection, guest.account.id, member.account.id, now, now)
        assert not await users.make_member(connection, guest.account.id, "x@example.org", "hash")


async def test_what_was_being_created_follows_before_the_guest_is_removed(on: Stage) -> None:
    member, guest = await on.member(), await guest_who_talked(on)
    passing = (guest.account.id, member.account.id)
    await on.bring(guest)
    on.clock.moment += SECOND_PASS / 2
    await on.gateway.transfers.go_on()
    assert on.owners.transferred == [passing]
    on.owners.down = True
    await once_more(on)
    assert not on.owners.deleted
    on.owners.down = False
    await once_more(on)
    assert on.owners.transferred == [passing, passing]
    assert on.owners.deleted == [guest.account.id]
    assert not await on.rows(_WAITING)


async def test_a_use_that_has_become_the_accounts_is_given_back_in_the_guests_name(
    on: Stage,
) -> None:
    member = await on.member()
    guest = await on.guest(), await on.guest()
    for n, each in enumerate(guest):
        await reserve(on, each.account.id, f"i{n}")
        await on.bring(each)
    assert (await on.account(member.access_token)).interviews.used == 2
    await release(on, guest[0].account.id, "i0")
    assert (await on.account(member.access_token)).interviews.used == 1
    await once_more(on)
    async with refused(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"):  # Nobody's usage could be told.
        await release(on, guest[1].account.id, "i1")
    assert (await on.account(member.access_token)).interviews.used == 0
