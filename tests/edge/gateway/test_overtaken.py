"""What was under way by a password when another took its place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

import grpc
import pytest
from viva.account.v1 import account_pb2
from viva.account.v1 import account_service_pb2 as pb

from edge.gateway.accounts.passwords import Passwords
from tests.edge.gateway.stage import EMAIL, NEW_PASSWORD, PASSWORD, PATIENCE, Stage, bearer, refused
from tests.edge.gateway.test_resets import ask, reset

T = TypeVar("T")
THIEF = "203.0.113.66"
THIEFS_PASSWORD = "the thief's own words"


class Held:
    """The first answer about a password from now on, which goes on when it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
        self._there, self._may_go_on = asyncio.Event(), asyncio.Event()
        answered = getattr(Passwords, method)

        async def held(passwords: Passwords, *arguments: Any) -> Any:
            answer = await answered(passwords, *arguments)
            if not self._there.is_set():
                self._there.set()
                await self._may_go_on.wait()
            return answer

        monkeypatch.setattr(Passwords, method, held)

    async def overtaken(self, call: Coroutine[Any, Any, T], by: Awaitable[object]) -> T:
        """What a call comes to that goes on only after another, made while it was under way."""
        calling = asyncio.create_task(call)
        await self._there.wait()
        await by
        self._may_go_on.set()
        return await calling


async def set_anew(on: Stage) -> None:
    """The owner sets a new password by mail."""
    await ask(on)
    await reset(on, on.mail.token)


async def change(on: Stage, there: account_pb2.Credentials, new: str) -> None:
    request = pb.ChangePasswordRequest(current_password=PASSWORD, new_password=new)
    await on.accounts.ChangePassword(request, timeout=PATIENCE, metadata=bearer(there.access_token))


async def delete(on: Stage, there: account_pb2.Credentials) -> None:
    request = pb.DeleteAccountRequest(password=PASSWORD)
    await on.accounts.DeleteAccount(request, timeout=PATIENCE, metadata=bearer(there.access_token))


async def live_sessions(on: Stage) -> int:
    return len(await on.rows("SELECT FROM account.session WHERE revoked IS NULL"))


async def only_the_new_password_is_good(on: Stage) -> None:
    for other in (PASSWORD, THIEFS_PASSWORD):
        async with refused(grpc.StatusCode.UNAUTHENTICATED, "WRONG_PASSWORD"):
            await on.log_in(password=other)
    await on.log_in(password=NEW_PASSWORD)


async def test_a_log_in_is_refused_that_a_reset_overtakes(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await on.member()
    held = Held(monkeypatch, "check")
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "WRONG_PASSWORD"):
        await held.overtaken(on.log_in(address=THIEF), set_anew(on))
    assert await live_sessions(on) == 0
    audited = await on.rows("SELECT FROM account.audit WHERE action = 'log_in_failed'")
    assert len(audited) == 1
    await only_the_new_password_is_good(on)


async def test_nor_does_it_bring_a_guests_interviews_along(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await on.member()
    guest = await on.guest()
    held = Held(monkeypatch, "check")
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "WRONG_PASSWORD"):
        await held.overtaken(on.bring(guest), set_anew(on))
    await on.account(guest.access_token)  # Is a guest as before.
    assert await live_sessions(on) == 1
    assert not on.owners.transferred


async def test_a_log_in_is_refused_that_a_change_of_password_overtakes(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await on.member()
    held = Held(monkeypatch, "hash")
    monkeypatch.setattr(Passwords, "is_weak", lambda *_: True)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "WRONG_PASSWORD"):
        await held.overtaken(on.log_in(address=THIEF), change(on, here, NEW_PASSWORD))
    assert await live_sessions(on) == 1
    await only_the_new_password_is_good(on)


async def test_a_hash_made_anew_does_not_bring_the_old_password_back(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await on.member()
    held = Held(monkeypatch, "check")
    monkeypatch.setattr(Passwords, "is_weak", lambda *_: True)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "WRONG_PASSWORD"):
        await held.overtaken(on.log_in(address=THIEF), set_anew(on))
    await only_the_new_password_is_good(on)


async def test_whose_hash_is_made_anew_meanwhile_is_let_in(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await on.member()
    monkeypatch.setattr(Passwords, "is_weak", lambda *_: True)
    held = Held(monkeypatch, "check")
    await on.account((await held.overtaken(on.log_in(), on.log_in())).access_token)
    await on.log_in()


async def test_a_change_of_password_is_refused_that_a_reset_overtakes(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    thief = await on.member()
    held = Held(monkeypatch, "hash")
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await held.overtaken(change(on, thief, THIEFS_PASSWORD), set_anew(on))
    await only_the_new_password_is_good(on)


async def test_of_two_changes_in_one_session_the_second_is_refused(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By somebody with a stolen access token and the old password.
    here = await on.member()
    held = Held(monkeypatch, "hash")
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") as told:
        await held.overtaken(change(on, here, THIEFS_PASSWORD), change(on, here, NEW_PASSWORD))
    assert told["BadRequest"].field_violations[0].field == "current_password"
    await only_the_new_password_is_good(on)


async def test_a_deletion_is_refused_that_a_reset_overtakes(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    thief = await on.member()
    held = Held(monkeypatch, "check")
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await held.overtaken(delete(on, thief), set_anew(on))
    there = await on.log_in(password=NEW_PASSWORD)
    assert there.account.email == EMAIL
    assert not on.owners.deleted


async def test_resets_and_changes_at_once_wait_for_each_other_in_turn(on: Stage) -> None:
    here = await on.member()
    tokens = []
    for _ in range(3):
        await ask(on)
        tokens.append(on.mail.token)
    results = await asyncio.gather(
        *(reset(on, token, f"the words of {token}") for token in tokens),
        change(on, here, NEW_PASSWORD),
        return_exceptions=True,
    )
    done = [result for result in results if not isinstance(result, BaseException)]
    codes = {result.code() for result in results if isinstance(result, grpc.aio.AioRpcError)}
    # None was broken off because each had what the other waited for.
    assert done
    assert codes <= {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAUTHENTICATED}
