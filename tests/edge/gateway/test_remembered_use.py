"""Who deletes an account and registers anew has used what was used."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

import grpc
from viva.account.v1 import account_service_pb2 as pb

from edge.gateway.quotas.remembering import RememberedUse
from tests.edge.gateway.stage import EMAIL, NEW_PASSWORD, PASSWORD, PATIENCE, Stage, refused
from tests.edge.gateway.test_leaving import delete
from tests.edge.gateway.test_quotas import reserve


async def used_up(on: Stage, count: int, email: str = EMAIL, password: str = PASSWORD) -> str:
    """The token of a new member who has used so many interviews."""
    made = await on.member(email, password)
    for number in range(count):
        await reserve(on, made.account.id, f"{made.account.id}-{number}")
    return made.access_token


async def prove(on: Stage, email: str = EMAIL) -> str:
    """Sets a password by mail, and logs in."""
    request = pb.RequestPasswordResetRequest(email=email)
    await on.accounts.RequestPasswordReset(request, timeout=PATIENCE)
    await on.gateway.resets.sent()
    new = pb.ResetPasswordRequest(token=on.mail.token, new_password=NEW_PASSWORD)
    await on.accounts.ResetPassword(new, timeout=PATIENCE)
    return (await on.log_in(email, NEW_PASSWORD)).access_token


async def counted(on: Stage, email: str = EMAIL) -> int:
    """What a new account with the address has used before it began."""
    return int((await on.member(email)).account.interviews.used)


async def test_what_was_used_counts_for_the_next_account_of_the_address(on: Stage) -> None:
    await delete(on, await used_up(on, 5))
    again = await on.member("Ann@Example.ORG")
    assert (again.account.interviews.used, again.account.interviews.limit) == (5, 5)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXHAUSTED"):
        await reserve(on, again.account.id, "one more")


async def test_it_adds_up_over_several_accounts(on: Stage) -> None:
    await delete(on, await used_up(on, 2))
    await delete(on, await used_up(on, 1))
    assert await counted(on) == 3


async def test_it_counts_for_nobody_else(on: Stage) -> None:
    await delete(on, await used_up(on, 5))
    assert await counted(on, "bob@example.org") == 0
    guest = await on.guest()
    assert (await reserve(on, guest.account.id, "first")) == (1, 1)


async def test_a_guest_who_registers_with_the_address_has_used_both(on: Stage) -> None:
    await delete(on, await used_up(on, 3))
    guest = await on.guest()
    await reserve(on, guest.account.id, "first")
    member = await on.member(guest=guest)
    assert member.account.interviews.used == 4


async def test_when_the_month_is_over_it_is_forgotten(on: Stage) -> None:
    await delete(on, await used_up(on, 5))
    on.clock.moment = datetime(2026, 4, 1, tzinfo=UTC)
    assert await counted(on) == 0
    assert await on.rows("SELECT FROM account.remembered_use")
    await on.sweep()
    assert not await on.rows("SELECT FROM account.remembered_use")


async def test_this_month_is_not_forgotten(on: Stage) -> None:
    await delete(on, await used_up(on, 5))
    await on.sweep()
    assert await counted(on) == 5


async def test_who_has_used_nothing_leaves_nothing(on: Stage) -> None:
    await delete(on, await used_up(on, 0))
    assert not await on.rows("SELECT FROM account.remembered_use")


async def test_the_address_cannot_be_found_out_from_what_is_kept(on: Stage) -> None:
    await delete(on, await used_up(on, 1))
    [row] = await on.rows("SELECT * FROM account.remembered_use")
    assert set(row.keys()) == {"digest", "kind", "month", "proven", "used"}
    guesses = {hashlib.sha256(EMAIL.encode()).digest(), hmac.digest(b"", EMAIL.encode(), "sha256")}
    assert row["digest"] not in guesses
    mine, anothers = RememberedUse(bytes(32)), RememberedUse(b"\1" * 32)
    assert mine._digest(EMAIL) != anothers._digest(EMAIL)
    assert mine._digest(EMAIL) == mine._digest(EMAIL.upper())


async def test_a_stranger_cannot_use_up_an_address_whose_mail_they_do_not_read(on: Stage) -> None:
    theirs = "a stranger's own"
    await delete(on, await used_up(on, 5, password=theirs), theirs)
    assert await counted(on) == 5
    token = await prove(on)
    assert (await on.account(token)).interviews.used == 0


async def test_who_reads_the_mail_gains_by_that_once(on: Stage) -> None:
    await delete(on, await used_up(on, 5))
    made = await on.member()
    token = await prove(on)
    for number in range(5):
        await reserve(on, made.account.id, f"again-{number}")
    await delete(on, token, NEW_PASSWORD)
    await on.member()
    assert (await on.account(await prove(on))).interviews.used == 5
