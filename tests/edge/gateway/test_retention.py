"""How long interviews are kept: the settings say it here, and another server keeps it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest
from viva.account.v1 import account_pb2
from viva.account.v1 import account_service_pb2 as pb

from edge.gateway.accounts.retaining import SETTLED
from tests.edge.gateway.stage import PATIENCE, Stage, bearer

DAY = 86400.0
_DOUBTS = "SELECT attempts FROM account.retention"


def wish(days: int) -> account_pb2.AccountSettings:
    settings = account_pb2.AccountSettings()
    settings.retention.FromTimedelta(timedelta(days=days))
    return settings


async def change(on: Stage, member: account_pb2.Credentials, days: int) -> None:
    request = pb.UpdateSettingsRequest(settings=wish(days))
    await on.accounts.UpdateSettings(
        request, timeout=PATIENCE, metadata=bearer(member.access_token)
    )


async def shown(on: Stage, member: account_pb2.Credentials) -> float:
    account = await on.account(member.access_token)
    return account.settings.retention.ToTimedelta().total_seconds()


async def time_passes(on: Stage) -> None:
    on.clock.advance(seconds=SETTLED.total_seconds())
    await on.gateway.retention.go_on()


async def test_a_change_given_up_in_its_midst_does_not_hold_for_ever(on: Stage) -> None:
    member = await on.member()
    await change(on, member, 7)
    await time_passes(on)
    assert not await on.rows(_DOUBTS)
    on.owners.told.clear()
    on.owners.late = asyncio.Event()
    changing = asyncio.create_task(change(on, member, 1))
    await on.owners.told.wait()
    changing.cancel()
    await on.owners.given_up.wait()
    on.owners.late = None
    assert await shown(on, member) == 7 * DAY
    await time_passes(on)
    assert on.owners.retention == {member.account.id: 7 * DAY}
    assert not await on.rows(_DOUBTS)


async def test_of_two_changes_at_once_the_one_that_is_shown_holds(on: Stage) -> None:
    member = await on.member()
    on.owners.late = late = asyncio.Event()
    first = asyncio.create_task(change(on, member, 1))
    await on.owners.told.wait()
    on.owners.late = None
    await change(on, member, 30)
    # Almost long enough after the first was told, but not after the last was written.
    on.clock.advance(seconds=SETTLED.total_seconds() - 1)
    late.set()
    await first
    on.clock.advance(seconds=1)
    await on.gateway.retention.go_on()
    assert await on.rows(_DOUBTS)
    await time_passes(on)
    assert on.owners.retention[member.account.id] == await shown(on, member) == DAY
    assert not await on.rows(_DOUBTS)


async def test_what_changes_while_it_is_told_again_is_told_once_more(on: Stage) -> None:
    member = await on.member()
    await change(on, member, 7)
    on.owners.told.clear()
    on.owners.late = late = asyncio.Event()
    telling = asyncio.create_task(time_passes(on))
    await on.owners.told.wait()
    on.owners.late = None
    await change(on, member, 30)
    # The one before arrives last.
    on.owners.retention[member.account.id] = 7 * DAY
    late.set()
    await telling
    assert await on.rows(_DOUBTS)
    await time_passes(on)
    assert on.owners.retention == {member.account.id: 30 * DAY}


async def test_it_is_told_until_it_is_heard(on: Stage) -> None:
    member = await on.member()
    await change(on, member, 7)
    await time_passes(on)
    on.owners.down = True
    with pytest.raises(grpc.aio.AioRpcError):
        await change(on, member, 1)
    await time_passes(on)
    await on.gateway.retention.go_on()  # Not before it is due again.
    [row] = await on.rows(_DOUBTS)
    assert row["attempts"] == 1
    # As if it had been heard, but for the answer.
    on.owners.retention[member.account.id] = DAY
    on.owners.down = False
    await time_passes(on)
    assert on.owners.retention == {member.account.id: 7 * DAY}
    assert not await on.rows(_DOUBTS)


async def test_what_a_new_user_wishes_follows_wherever_it_can_be_heard(on: Stage) -> None:
    on.owners.down = True
    guest = await on.guest(settings=wish(7))
    await time_passes(on)
    on.owners.down = False
    await time_passes(on)
    assert on.owners.retention == {guest.account.id: 7 * DAY}
    # Who registers without it has it no more.
    member = await on.member(guest=guest, settings=account_pb2.AccountSettings(captions=True))
    assert not member.account.settings.HasField("retention")
    await time_passes(on)
    assert on.owners.retention == {guest.account.id: None}
    other = await on.member("bob@example.org", settings=wish(3))
    await time_passes(on)
    assert on.owners.retention[other.account.id] == 3 * DAY


async def test_who_wishes_nothing_is_told_of_to_nobody(on: Stage) -> None:
    await on.guest()
    await on.member()
    assert not await on.rows(_DOUBTS)
    assert not on.owners.retention
