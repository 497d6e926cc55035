"""Guests, registering, logging in."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from viva.account.v1 import account_pb2
from viva.account.v1 import account_service_pb2 as pb

from edge.gateway.accounts.passwords import require_good
from services.runtime.errors import InvalidField
from tests.edge.gateway.stage import (
    EMAIL,
    NEW_PASSWORD,
    PASSWORD,
    PATIENCE,
    Stage,
    bearer,
    refused,
)


async def test_a_guest_becomes_a_member_and_stays_the_same_user(on: Stage) -> None:
    guest = await on.guest(settings=account_pb2.AccountSettings(theme=account_pb2.THEME_DARK))
    assert guest.account.kind == account_pb2.ACCOUNT_KIND_GUEST
    assert not guest.account.HasField("email")
    member = await on.member(guest=guest)
    assert member.account.id == guest.account.id
    assert member.account.kind == account_pb2.ACCOUNT_KIND_MEMBER
    assert member.account.email == EMAIL
    assert member.account.settings.theme == account_pb2.THEME_DARK
    # What a guest could do with their token, a member can no more.
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.account(guest.access_token)
    assert (await on.log_in()).account.id == guest.account.id


async def test_a_guest_registers_once(on: Stage) -> None:
    guest = await on.guest()
    results = await asyncio.gather(
        on.member("one@example.org", guest=guest),
        on.member("two@example.org", guest=guest),
        return_exceptions=True,
    )
    assert sum(isinstance(result, account_pb2.Credentials) for result in results) == 1
    assert len(await on.rows("SELECT FROM account.users")) == 1


async def test_an_address_has_one_account_whatever_its_case(on: Stage) -> None:
    await on.member()
    async with refused(grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN"):
        await on.member("Ann@Example.ORG")
    assert (await on.log_in("ANN@example.org")).account.email == EMAIL


async def test_a_guests_token_that_is_good_no_more_does_not_make_a_stranger(on: Stage) -> None:
    guest = await on.guest()
    on.clock.advance(minutes=16)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED"):
        await on.member(guest=guest)


async def test_an_unknown_address_and_a_wrong_password_are_told_alike(on: Stage) -> None:
    await on.member()
    said = []
    for email in (EMAIL, "nobody@example.org"):
        async with refused(grpc.StatusCode.UNAUTHENTICATED, "WRONG_PASSWORD") as told:
            await on.log_in(email, "wrong")
        said.append(told["message"])
    assert said[0] == said[1]


async def test_a_password_is_hashed_by_argon2id_and_kept_nowhere_else(on: Stage) -> None:
    await on.member()
    [row] = await on.rows("SELECT u::text AS whole, password FROM account.users u")
    assert row["password"].startswith("$argon2id$v=19$")
    assert PASSWORD not in row["whole"]
    for each in await on.rows("SELECT a::text AS whole FROM account.audit a"):
        assert EMAIL not in each["whole"]
        assert PASSWORD not in each["whole"]


async def test_a_hash_of_less_work_is_made_anew_at_the_next_log_in(on: Stage) -> None:
    from argon2 import PasswordHasher

    await on.member()
    weak = PasswordHasher(time_cost=1, memory_cost=32, parallelism=1).hash(PASSWORD)
    admin = await on.postgres.connect("viva")
    await admin.execute("UPDATE account.users SET password = $1", weak)
    await admin.close()
    await on.log_in()
    [row] = await on.rows("SELECT password FROM account.users")
    assert row["password"] != weak
    await on.log_in()


@pytest.mark.parametrize(
    "password",
    ["1234567890", "Password123", "aaaaaaaaaa", "ababababab", "ann@example.org"],
)
def test_passwords_that_are_guessed_first_are_refused(password: str) -> None:
    with pytest.raises(InvalidField):
        require_good(password, EMAIL, "password")


def test_a_password_of_any_letters_is_good() -> None:
    require_good("锅里煮着一锅好喝的鱼汤", EMAIL, "password")
    require_good(PASSWORD, EMAIL, "password")


async def test_the_same_letters_typed_otherwise_are_the_same_password(on: Stage) -> None:
    await on.member(password="naïve cafés everywhere")
    await on.log_in(password="nai\u0308ve cafe\u0301s everywhere")


async def test_a_changed_password_ends_all_other_sessions(on: Stage) -> None:
    here = await on.member()
    there = await on.log_in()
    request = pb.ChangePasswordRequest(current_password=PASSWORD, new_password=NEW_PASSWORD)
    await on.accounts.ChangePassword(request, timeout=PATIENCE, metadata=bearer(here.access_token))
    await on.account(here.access_token)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.account(there.access_token)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "WRONG_PASSWORD"):
        await on.log_in()
    await on.log_in(password=NEW_PASSWORD)


async def test_a_change_of_password_needs_the_password(on: Stage) -> None:
    here = await on.member()
    request = pb.ChangePasswordRequest(current_password="wrong", new_password=NEW_PASSWORD)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") as told:
        await on.accounts.ChangePassword(
            request, timeout=PATIENCE, metadata=bearer(here.access_token)
        )
    assert told["BadRequest"].field_violations[0].field == "current_password"
    guest = await on.guest()
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "GUEST"):
        await on.accounts.ChangePassword(
            request, timeout=PATIENCE, metadata=bearer(guest.access_token)
        )


async def test_settings_change_field_by_field_or_all_at_once(on: Stage) -> None:
    here = bearer((await on.member()).access_token)
    first = pb.UpdateSettingsRequest(
        settings=account_pb2.AccountSettings(theme=account_pb2.THEME_DARK, voice="joe")
    )
    await on.accounts.UpdateSettings(first, timeout=PATIENCE, metadata=here)
    second = pb.UpdateSettingsRequest(settings=account_pb2.AccountSettings(captions=False))
    second.update_mask.paths.extend(["captions", "voice"])
    changed = await on.accounts.UpdateSettings(second, timeout=PATIENCE, metadata=here)
    assert changed.account.settings == account_pb2.AccountSettings(
        theme=account_pb2.THEME_DARK, captions=False
    )
    second.update_mask.paths.append("nonsense")
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") as told:
        await on.accounts.UpdateSettings(second, timeout=PATIENCE, metadata=here)
    assert told["BadRequest"].field_violations[0].field == "update_mask"


async def test_how_long_interviews_are_kept_is_told_to_who_keeps_them(on: Stage) -> None:
    member = await on.member()
    here = bearer(member.access_token)
    wish = pb.UpdateSettingsRequest()
    wish.settings.retention.FromSeconds(7 * 86400)
    on.owners.down = True
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await on.accounts.UpdateSettings(wish, timeout=PATIENCE, metadata=here)
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    # What does not hold is not shown.
    assert not (await on.account(member.access_token)).settings.HasField("retention")
    on.owners.down = False
    await on.accounts.UpdateSettings(wish, timeout=PATIENCE, metadata=here)
    assert on.owners.retention == {member.account.id: 7 * 86400}
    await on.accounts.UpdateSettings(
        pb.UpdateSettingsRequest(settings=account_pb2.AccountSettings()),
        timeout=PATIENCE,
        metadata=here,
    )
    assert on.owners.retention == {member.account.id: None}
