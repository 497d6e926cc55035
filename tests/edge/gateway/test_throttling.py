"""How often may be tried what could be guessed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import grpc
import pytest
from viva.account.v1 import account_service_pb2 as pb

from edge.gateway.accounts.caller import Caller
from edge.gateway.accounts.passwords import Passwords
from services.runtime.errors import Overloaded, ServiceError
from services.runtime.network import network
from tests.edge.gateway.stage import EMAIL, PATIENCE, Stage, bearer, refused


async def wrong(on: Stage, email: str = EMAIL, address: str = "192.0.2.1") -> str:
    """What a wrong password is told."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await on.log_in(email, "wrong", address)
    return caught.value.code().name


async def test_one_account_is_tried_a_few_times_from_wherever(on: Stage) -> None:
    await on.member()
    for number in range(5):
        assert await wrong(on, address=f"192.0.2.{number}") == "UNAUTHENTICATED"
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS") as told:
        await on.log_in(address="192.0.2.9")
    assert told["RetryInfo"].retry_delay.ToTimedelta().total_seconds() >= 1
    on.clock.advance(seconds=1)
    assert await wrong(on) == "UNAUTHENTICATED"
    # Twice as long after each.
    on.clock.advance(seconds=1)
    assert await wrong(on) == "RESOURCE_EXHAUSTED"
    on.clock.advance(seconds=1)
    await on.log_in()
    # Whoever knows the password has a fresh start.
    assert await wrong(on) == "UNAUTHENTICATED"


async def test_no_other_spelling_of_an_address_gives_more_attempts(on: Stage) -> None:
    await on.member("alice@example.org")
    names = ("alice", "ALICE", "al\u0130ce", "al\u0131ce")
    spellings = [f"{name}@example.org" for name in names]
    said = [await wrong(on, spellings[number % 4]) for number in range(16)]
    assert said.count("UNAUTHENTICATED") == 5
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") as told:
        await on.log_in("al\u0130ce@example.org")
    assert told["BadRequest"].field_violations[0].field == "email"


async def test_an_account_is_counted_by_its_address_as_it_is_kept(on: Stage) -> None:
    """Whatever PostgreSQL takes for the same address."""
    access = on.gateway.accounts._access
    stranger = Caller("", "", None, None, over_tls=False)
    await on.member("alice@example.org")
    outcomes = []
    for number in range(12):
        email = ("alice@example.org", "al\u0130ce@example.org")[number % 2]
        with pytest.raises(ServiceError) as told:
            address = f"10.0.0.{number}"
            await access.log_in(email, "wrong wrong", replace(stranger, address=address))
        outcomes.append(told.value.reason)
    assert outcomes.count("WRONG_PASSWORD") == 5


async def test_an_account_that_does_not_exist_is_no_different(on: Stage) -> None:
    said = [await wrong(on, "nobody@example.org") for _ in range(6)]
    assert said == ["UNAUTHENTICATED"] * 5 + ["RESOURCE_EXHAUSTED"]


async def test_one_password_on_many_accounts_is_stopped_by_address(on: Stage) -> None:
    await on.member()
    said = [await wrong(on, f"user{number}@example.org") for number in range(21)]
    assert said == ["UNAUTHENTICATED"] * 20 + ["RESOURCE_EXHAUSTED"]
    assert await wrong(on, address="192.0.2.1") == "RESOURCE_EXHAUSTED"
    await on.log_in(address="198.51.100.7")


async def test_right_passwords_do_not_count_against_an_address(on: Stage) -> None:
    await on.member()
    for _ in range(25):
        await on.log_in()


async def test_many_attempts_at_once_count_before_they_are_known_to_be_wrong(on: Stage) -> None:
    await on.member()
    said = await asyncio.gather(*(wrong(on) for _ in range(15)))
    assert said.count("UNAUTHENTICATED") == 5


async def test_what_is_refused_as_overload_is_no_attempt(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await on.member()
    for _ in range(5):
        await wrong(on)
    on.clock.advance(seconds=1)
    with monkeypatch.context() as busy:

        async def check(self: Passwords, kept: str | None, password: str) -> bool:
            raise Overloaded("too many people log in at this moment")

        busy.setattr(Passwords, "check", check)
        for _ in range(10):
            async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"):
                await on.log_in()
    await on.log_in()


async def test_refused_attempts_cost_no_connection_to_the_database(on: Stage) -> None:
    await on.member()
    pids = "SELECT pid FROM pg_stat_activity WHERE application_name = 'viva gateway'"
    before = {row["pid"] for row in await on.rows(pids)}
    assert before
    for _ in range(8):
        await wrong(on)
    assert before <= {row["pid"] for row in await on.rows(pids)}


async def test_attempts_are_forgotten(on: Stage) -> None:
    for _ in range(6):
        await wrong(on)
    on.clock.advance(hours=2)
    assert await wrong(on) == "UNAUTHENTICATED"
    await on.gateway.housekeeping.sweep()
    assert await on.rows("SELECT FROM account.failures")
    on.clock.advance(days=2)
    await on.sweep()
    assert not await on.rows("SELECT FROM account.failures")


async def test_a_thief_of_a_token_cannot_try_passwords_by_it(on: Stage) -> None:
    here = bearer((await on.member()).access_token)
    request = pb.ChangePasswordRequest(current_password="wrong", new_password="a long new one")
    for _ in range(5):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
            await on.accounts.ChangePassword(request, timeout=PATIENCE, metadata=here)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS"):
        await on.accounts.ChangePassword(request, timeout=PATIENCE, metadata=here)


async def test_an_address_makes_only_so_many_guests(on: Stage) -> None:
    for _ in range(60):
        await on.guest()
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS"):
        await on.guest()


@pytest.mark.parametrize(
    ("address", "whose"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unix", "unix"),
    ],
)
def test_whose_an_address_is(address: str, whose: str) -> None:
    assert network(address) == whose
