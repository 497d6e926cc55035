"""What each plan allows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import grpc
import pytest
from viva.account.v1 import quota_service_pb2 as pb

from edge.gateway.accounts.user import Plan
from edge.gateway.quotas.plans import month_after, month_of
from edge.gateway.store import users
from services.runtime.ids import new_uuid
from tests.edge.gateway.stage import PATIENCE, Stage, refused


async def reserve(on: Stage, user_id: str, key: str) -> tuple[int, int | None]:
    """What is used, and how much may be."""
    request = pb.ReserveRequest(user_id=user_id, kind=pb.QUOTA_KIND_INTERVIEW, key=key)
    quota = (await on.quotas.Reserve(request, timeout=PATIENCE)).quota
    return quota.used, quota.limit if quota.HasField("limit") else None


async def release(on: Stage, user_id: str, key: str) -> int:
    request = pb.ReleaseRequest(user_id=user_id, kind=pb.QUOTA_KIND_INTERVIEW, key=key)
    return int((await on.quotas.Release(request, timeout=PATIENCE)).quota.used)


async def test_the_plan_free_has_five_interviews_a_calendar_month(on: Stage) -> None:
    user = (await on.member()).account.id
    assert [await reserve(on, user, f"i{n}") for n in range(5)] == [(n + 1, 5) for n in range(5)]
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXHAUSTED") as told:
        await reserve(on, user, "i5")
    [violation] = told["QuotaFailure"].violations
    assert violation.subject == f"user:{user}"
    assert dict(told["ErrorInfo"].metadata) == {
        "kind": "member",
        "limit": "5",
        "used": "5",
        "reset_time": "2026-04-01T00:00:00Z",
    }
    on.clock.moment = datetime(2026, 4, 1, tzinfo=UTC)
    assert await reserve(on, user, "i5") == (1, 5)


async def test_the_same_key_counts_once_and_is_never_refused(on: Stage) -> None:
    user = (await on.member()).account.id
    for n in range(5):
        await reserve(on, user, f"i{n}")
    assert await reserve(on, user, "i0") == (5, 5)


async def test_of_many_at_once_no_more_than_five_succeed(on: Stage) -> None:
    user = (await on.member()).account.id
    results = await asyncio.gather(
        *(reserve(on, user, f"i{n}") for n in range(12)), return_exceptions=True
    )
    assert sorted(r for r in results if not isinstance(r, BaseException)) == [
        (n + 1, 5) for n in range(5)
    ]


async def test_what_came_to_nothing_is_given_back(on: Stage) -> None:
    user = (await on.member()).account.id
    await reserve(on, user, "one")
    await reserve(on, user, "two")
    assert await release(on, user, "one") == 1
    assert await release(on, user, "one") == 1
    assert await release(on, user, "unknown") == 1


async def test_a_guest_has_one_and_it_counts_for_the_member_they_become(on: Stage) -> None:
    guest = await on.guest()
    user = guest.account.id
    assert await reserve(on, user, "first") == (1, 1)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXHAUSTED") as told:
        await reserve(on, user, "second")
    assert told["ErrorInfo"].metadata["kind"] == "guest"
    on.clock.advance(days=40)  # Not by the month: ever.
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXHAUSTED"):
        await reserve(on, user, "second")
    later = await on.guest()
    await reserve(on, later.account.id, "first")
    member = await on.member(guest=later)
    assert (member.account.interviews.used, member.account.interviews.limit) == (1, 5)


async def test_the_plan_pro_has_no_limit(on: Stage) -> None:
    user = (await on.member()).account.id
    async with on.gateway.database.transaction("test", user) as connection:
        await users.set_plan(connection, user, Plan.PRO)
    for n in range(7):
        assert await reserve(on, user, f"i{n}") == (n + 1, None)


async def test_who_is_no_user_has_no_quota(on: Stage) -> None:
    async with refused(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"):
        await reserve(on, new_uuid(), "i")
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
        await reserve(on, "ann", "i")


@pytest.mark.parametrize(
    ("moment", "month", "after"),
    [
        ((2026, 12, 31, 23), (2026, 12), (2027, 1)),
        ((2026, 1, 1, 0), (2026, 1), (2026, 2)),
        ((2026, 11, 30, 23), (2026, 11), (2026, 12)),
    ],
)
def test_months_are_those_of_the_calendar(
    moment: tuple[int, int, int, int], month: tuple[int, int], after: tuple[int, int]
) -> None:
    found = month_of(datetime(*moment, tzinfo=UTC))
    assert (found.year, found.month, found.day) == (*month, 1)
    assert month_after(found) == datetime(*after, 1, tzinfo=UTC)
