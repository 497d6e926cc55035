"""Sessions: renewed, stolen, ended."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from typing import Any

import grpc
import pytest
from viva.account.v1 import account_service_pb2 as pb

from edge.gateway.quotas.plans import Plans
from edge.gateway.store import sessions as store
from edge.gateway.tokens import sessions
from edge.gateway.tokens.liveness import REMEMBERED_SECONDS, LiveSessions
from services.runtime.ids import new_uuid
from services.runtime.postgres.failures import StoreFailed
from tests.edge.gateway.stage import EMAIL, PASSWORD, PATIENCE, Metadata, Stage, bearer, refused

BROWSER: Metadata = (("x-grpc-web", "1"), ("user-agent", "Firefox"))


async def _nothing(*_: Any) -> None:
    """What the answer needs besides."""


async def test_a_refresh_token_gets_the_next_one(on: Stage) -> None:
    first = await on.member()
    on.clock.advance(minutes=16)
    second = await on.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert second.account == first.account
    await on.account(second.access_token)


async def test_a_token_that_is_used_twice_ends_its_session(on: Stage) -> None:
    first = await on.member()
    second = await on.refresh(first.refresh_token)
    third = await on.refresh(second.refresh_token)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_REUSED"):
        await on.refresh(first.refresh_token)
    # Whoever has the newest one, the thief or the user, has nothing by it.
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.refresh(third.refresh_token)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.account(third.access_token)
    audited = await on.rows("SELECT FROM account.audit WHERE action = 'refresh_token_reused'")
    assert len(audited) == 1


async def test_whom_an_answer_did_not_reach_may_ask_again(on: Stage) -> None:
    first = await on.guest()
    for _ in range(3):
        lost = await on.refresh(first.refresh_token)
        on.clock.advance(seconds=9)
    renewed = await on.refresh(first.refresh_token)
    assert renewed.refresh_token != lost.refresh_token
    on.clock.advance(minutes=16)
    again = await on.refresh(renewed.refresh_token)
    assert again.account.id == first.account.id
    assert not await on.rows("SELECT FROM account.audit WHERE action = 'refresh_token_reused'")


async def test_who_asks_again_too_late_is_taken_for_a_thief(on: Stage) -> None:
    first = await on.member()
    await on.refresh(first.refresh_token)
    on.clock.advance(seconds=31)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_REUSED"):
        await on.refresh(first.refresh_token)


@pytest.mark.parametrize("seconds", [1, 1000])
async def test_a_thief_who_asks_again_at_once_is_found_out_when_its_owner_goes_on(
    on: Stage, seconds: float
) -> None:
    first = await on.member()
    owners = await on.refresh(first.refresh_token)
    thiefs = await on.refresh(first.refresh_token)
    on.clock.advance(seconds=seconds)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_REUSED"):
        await on.refresh(owners.refresh_token)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.refresh(thiefs.refresh_token)


async def test_a_refresh_that_fails_leaves_the_token_as_good_as_it_was(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> None:
        raise StoreFailed("STORE_TIMEOUT", "it did not answer in time")

    first = await on.guest()
    with monkeypatch.context() as broken:
        broken.setattr(Plans, "usage", fails)
        async with refused(grpc.StatusCode.UNAVAILABLE, "STORE_TIMEOUT"):
            await on.refresh(first.refresh_token)
    on.clock.advance(minutes=10)
    assert (await on.refresh(first.refresh_token)).account.id == first.account.id


async def test_two_in_the_same_hands_are_no_theft(on: Stage) -> None:
    first = await on.member()
    refresh = on.gateway.sessions.refresh
    results = await asyncio.gather(
        refresh(first.refresh_token, None, _nothing),
        refresh(first.refresh_token, None, _nothing),
        return_exceptions=True,
    )
    [raced] = [error for error in results if isinstance(error, BaseException)]
    assert getattr(raced, "reason", "") == "REFRESH_RACED"
    [(opened, _)] = [result for result in results if not isinstance(result, BaseException)]
    await on.refresh(opened.refresh_token)


async def test_a_session_that_is_not_renewed_ends(on: Stage) -> None:
    first = await on.member()
    on.clock.advance(days=29)
    second = await on.refresh(first.refresh_token)
    on.clock.advance(days=29)
    third = await on.refresh(second.refresh_token)
    on.clock.advance(days=31)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.refresh(third.refresh_token)


async def test_no_session_lasts_for_ever(on: Stage) -> None:
    token = (await on.member()).refresh_token
    for _ in range(8):
        on.clock.advance(days=20)
        token = (await on.refresh(token)).refresh_token
    on.clock.advance(days=21)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.refresh(token)


async def test_logging_out_ends_one_session_or_all(on: Stage) -> None:
    one, two, three = await on.member(), await on.log_in(), await on.log_in()
    await on.accounts.LogOut(
        pb.LogOutRequest(), timeout=PATIENCE, metadata=bearer(one.access_token)
    )
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.refresh(one.refresh_token)
    await on.account(two.access_token)
    await on.accounts.LogOut(
        pb.LogOutRequest(everywhere=True), timeout=PATIENCE, metadata=bearer(two.access_token)
    )
    for ended in (two, three):
        async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
            await on.account(ended.access_token)


async def test_sessions_are_listed_and_ended_by_their_owner_alone(on: Stage) -> None:
    ann, bob = await on.member(), await on.member("bob@example.org")
    there = await on.log_in()
    listed = await on.accounts.ListSessions(
        pb.ListSessionsRequest(), timeout=PATIENCE, metadata=bearer(there.access_token)
    )
    assert [session.current for session in listed.sessions] == [True, False]
    request = pb.RevokeSessionRequest(session_id=listed.sessions[1].id)
    await on.accounts.RevokeSession(request, timeout=PATIENCE, metadata=bearer(bob.access_token))
    await on.account(ann.access_token)
    await on.accounts.RevokeSession(request, timeout=PATIENCE, metadata=bearer(there.access_token))
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.account(ann.access_token)


async def _with_cookie(on: Stage, metadata: Metadata) -> tuple[pb.LogInResponse, Any]:
    call = on.accounts.LogIn(
        pb.LogInRequest(email=EMAIL, password=PASSWORD), timeout=PATIENCE, metadata=metadata
    )
    headers = dict(await call.initial_metadata())
    cookie = SimpleCookie(headers["set-cookie"])["viva_refresh"]
    return await call, cookie


async def test_browsers_keep_the_refresh_token_where_no_script_can_read_it(on: Stage) -> None:
    await on.member()
    response, cookie = await _with_cookie(on, BROWSER)
    assert not response.credentials.HasField("refresh_token")
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
    assert cookie["path"] == "/viva.account.v1.AccountService"
    assert not cookie["secure"]
    _, cookie = await _with_cookie(on, (*BROWSER, ("x-forwarded-proto", "https")))
    assert cookie["secure"]
    sent = (*BROWSER, ("cookie", f'odd="{{"a; other=1; viva_refresh={cookie.value}'))
    call = on.accounts.Refresh(pb.RefreshRequest(), timeout=PATIENCE, metadata=sent)
    renewed = SimpleCookie(dict(await call.initial_metadata())["set-cookie"])["viva_refresh"]
    assert renewed.value != cookie.value
    await on.account((await call).credentials.access_token)


async def test_a_page_of_another_site_cannot_use_the_cookie(on: Stage) -> None:
    await on.member()
    _, cookie = await _with_cookie(on, BROWSER)
    cookies = ("cookie", f"viva_refresh={cookie.value}")
    # A form can send cookies, but no header of its own; a script is told apart by the browser.
    for forged in ((cookies,), (*BROWSER, cookies, ("sec-fetch-site", "cross-site"))):
        async with refused(grpc.StatusCode.UNAUTHENTICATED, "NO_REFRESH_TOKEN"):
            await on.accounts.Refresh(pb.RefreshRequest(), timeout=PATIENCE, metadata=forged)


async def test_logging_out_takes_the_cookie_away(on: Stage) -> None:
    here = await on.member()
    call = on.accounts.LogOut(
        pb.LogOutRequest(), timeout=PATIENCE, metadata=bearer(here.access_token)
    )
    cookie = SimpleCookie(dict(await call.initial_metadata())["set-cookie"])["viva_refresh"]
    assert (cookie.value, cookie["max-age"]) == ("", "0")
    await call


async def test_a_read_begun_before_the_end_is_not_believed_after_it(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await on.member()
    session_id = on.gateway.tokens.read(here.access_token).session_id
    live = LiveSessions(on.gateway.database, on.clock)
    read = store.live

    async def overtaken(connection: Any, asked: str, now: Any) -> bool:
        found = await read(connection, asked, now)
        live.ended(asked)
        return found

    with monkeypatch.context() as slow:
        slow.setattr(store, "live", overtaken)
        await live.is_live(session_id)
    await on.accounts.LogOut(
        pb.LogOutRequest(), timeout=PATIENCE, metadata=bearer(here.access_token)
    )
    assert not await live.is_live(session_id)


async def test_what_was_read_before_the_commit_is_not_believed_after_it(on: Stage) -> None:
    here = await on.member()
    claims = on.gateway.tokens.read(here.access_token)
    sessions, live = on.gateway.sessions, on.gateway.live
    async with sessions.ending("test", claims.user_id) as connection:
        await sessions.end_all(connection, claims.user_id)
        assert await live.is_live(claims.session_id)  # Another transaction does not see it yet.
    assert not await live.is_live(claims.session_id)


async def test_a_session_ended_elsewhere_is_refused_in_time(on: Stage) -> None:
    here = await on.member()
    claims = on.gateway.tokens.read(here.access_token)
    seconds = 1000.0
    other = LiveSessions(on.gateway.database, on.clock, lambda: seconds)
    assert await other.is_live(claims.session_id)
    await on.accounts.LogOut(
        pb.LogOutRequest(), timeout=PATIENCE, metadata=bearer(here.access_token)
    )
    assert not await on.gateway.live.is_live(claims.session_id)
    assert await other.is_live(claims.session_id)  # It has not heard of it …
    seconds += REMEMBERED_SECONDS
    assert not await other.is_live(claims.session_id)  # … for this long, and no longer.
    assert REMEMBERED_SECONDS <= 30
    assert not await other.is_live(new_uuid())
    assert not await other.is_live("no id")


async def test_who_logs_in_without_end_has_only_so_many_sessions(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 3)
    first = await on.member()
    made = [first]
    for _ in range(2):
        on.clock.advance(minutes=1)
        made.append(await on.log_in())
    on.clock.advance(minutes=1)
    used = await on.refresh(first.refresh_token)
    on.clock.advance(minutes=1)
    newest = await on.log_in()
    # Of these the second was not used for longest.
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.account(made[1].access_token)
    for going in (used, made[2], newest):
        await on.account(going.access_token)
    left = await on.rows("SELECT FROM account.session WHERE revoked IS NULL")
    assert len(left) == 3
