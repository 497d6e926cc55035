"""A guest logs in to an account they have, and brings their interviews along."""

from __future__ import annotations

import asyncio

import grpc
from viva.account.v1 import account_pb2, quota_service_pb2
from viva.account.v1 import account_service_pb2 as pb

from edge.gateway.accounts.deleting import SECOND_PASS
from tests.edge.gateway.stage import EMAIL, PASSWORD, PATIENCE, Stage, bearer, refused
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
    response = await on.bring(guest.access_token)
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
        await on.bring(guest.access_token, password="not the password")
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
        await on.bring(bob.access_token)
    request = pb.LogInRequest(email=EMAIL, password=PASSWORD, bring_guest_interviews=True)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "NO_TOKEN"):
        await on.accounts.LogIn(request, timeout=PATIENCE)
    guest = await guest_who_talked(on)
    await on.accounts.LogOut(
        pb.LogOutRequest(), timeout=PATIENCE, metadata=bearer(guest.access_token)
    )
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.bring(guest.access_token)
    assert not on.owners.transferred


async def test_a_plan_that_is_used_up_takes_nothing_more_and_nothing_has_changed(
    on: Stage,
) -> None:
    member = await on.member()
    for n in range(5):
        await reserve(on, member.account.id, f"i{n}")
    guest = await guest_who_talked(on)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXHAUSTED") as told:
        await on.bring(guest.access_token)
    assert told["ErrorInfo"].metadata["kind"] == "member"
    assert not on.owners.transferred
    assert (await on.account(guest.access_token)).interviews.used == 1
    assert (await on.log_in()).account.interviews.used == 5
    # What was used in another month counts there.
    on.clock.advance(days=2)
    later = await on.guest()
    on.clock.advance(minutes=1)
    assert (await on.bring(later.access_token)).credentials.account.interviews.used == 0


async def test_interviews_that_cannot_be_reached_follow_and_are_not_swept_before(
    on: Stage,
) -> None:
    member, guest = await on.member(), await guest_who_talked(on)
    on.owners.down = True
    response = await on.bring(guest.access_token)
    assert (response.brought.interviews, response.brought.pending) == (0, True)
    assert response.credentials.account.interviews.used == 1
    on.clock.advance(days=3)
    await on.gateway.housekeeping.sweep()
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
        on.bring(guest.access_token),
        on.bring(guest.access_token, email="bob@example.org"),
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
    credentials = (await on.bring(guest.access_token)).credentials
    await on.accounts.DeleteAccount(
        pb.DeleteAccountRequest(password=PASSWORD),
        timeout=PATIENCE,
        metadata=bearer(credentials.access_token),
    )
    assert not await on.rows(_WAITING)
    on.owners.down = False
    on.clock.advance(days=2)
    await on.gateway.housekeeping.sweep()
    assert guest.account.id in on.owners.deleted
    assert not on.owners.transferred


async def test_a_guest_who_is_gone_can_reserve_nothing(on: Stage) -> None:
    await on.member()
    guest = await guest_who_talked(on)
    await on.bring(guest.access_token)
    request = quota_service_pb2.ReserveRequest(
        user_id=guest.account.id, kind=quota_service_pb2.QUOTA_KIND_INTERVIEW, key="late"
    )
    async with refused(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"):
        await on.quotas.Reserve(request, timeout=PATIENCE)
    await once_more(on)
    async with refused(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"):
        await on.quotas.Reserve(request, timeout=PATIENCE)


async def test_what_was_being_created_follows_before_the_guest_is_removed(on: Stage) -> None:
    member, guest = await on.member(), await guest_who_talked(on)
    passing = (guest.account.id, member.account.id)
    await on.bring(guest.access_token)
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
        await on.bring(each.access_token)
    assert (await on.account(member.access_token)).interviews.used == 2
    await release(on, guest[0].account.id, "i0")
    assert (await on.account(member.access_token)).interviews.used == 1
    await once_more(on)
    async with refused(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"):  # Nobody's usage could be told.
        await release(on, guest[1].account.id, "i1")
    assert (await on.account(member.access_token)).interviews.used == 0
