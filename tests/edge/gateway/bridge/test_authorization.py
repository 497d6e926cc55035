"""A token over the minutes of a call, in virtual time."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable

import pytest

from edge.gateway.bridge.authorization import Authorization
from edge.gateway.bridge.closing import Close, Ended
from edge.gateway.bridge.tokens import Token
from edge.gateway.bridge.upstream import Verdict
from tests.runtime import virtual_time

EPOCH = 1_800_000_000.0
Answer = Callable[[float, str], Verdict]


def bearer(expires: float, subject: str = "u1") -> str:
    claims = json.dumps({"sub": subject, "exp": EPOCH + expires}).encode()
    return f"Bearer e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


class Decider:
    """Whoever decides; says what the test says, and when it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[float] = []

    async def check(self, authorization: str, address: str) -> Verdict:
        now = asyncio.get_running_loop().time()
        self.asked.append(now)
        return self._answer(now, authorization)


def good(_: float, __: str) -> Verdict:
    return Verdict.GOOD


def lasted(
    answer: Answer, token: str, offers: list[tuple[float, str]] | None = None
) -> tuple[float, str, list[float]]:
    """When a call was ended, why, and when the token was asked about."""

    async def call() -> tuple[float, str, list[float]]:
        clock = asyncio.get_running_loop().time
        decider = Decider(answer)
        authorization = Authorization(
            Token.read(token), decider, "192.0.2.1", 60, clock=lambda: EPOCH + clock()
        )
        for at, offered in offers or ():
            asyncio.get_running_loop().call_at(at, authorization.offer, offered)
        with pytest.raises(Ended) as ended:
            await authorization.watch()
        assert ended.value.close is Close.TOKEN
        return clock(), ended.value.reason, decider.asked

    return virtual_time.run(call())


def test_it_is_checked_every_minute_and_ends_with_its_token() -> None:
    assert lasted(good, bearer(150)) == (150, "the token has expired", [60, 120])


def test_a_renewed_one_lasts_on() -> None:
    end, reason, asked = lasted(good, bearer(100), [(90, bearer(200))])
    assert (end, reason) == (200, "the token has expired")
    assert asked == [60, 90, 150]


def test_of_many_renewals_the_last_counts() -> None:
    offers = [(10.0, bearer(100 + n)) for n in range(5)]
    assert lasted(good, bearer(50), offers)[0] == 104


def test_one_that_was_revoked_ends_within_the_minute() -> None:
    def revoked(now: float, _: str) -> Verdict:
        return Verdict.REFUSED if now > 70 else Verdict.GOOD

    assert lasted(revoked, bearer(900)) == (120, "the token is refused", [60, 120])


def test_another_users_is_refused() -> None:
    end, reason, _ = lasted(good, bearer(900), [(5, bearer(900, "u2"))])
    assert (end, reason) == (5, "the new token is another user's")


def test_nobody_to_ask_leaves_it_until_it_expires() -> None:
    def unknown(_: float, __: str) -> Verdict:
        return Verdict.UNKNOWN

    end, reason, asked = lasted(unknown, bearer(75), [(70, bearer(900))])
    assert (end, reason) == (75, "the token has expired")
    # An offered one is asked about again soon: it is the only way on.
    assert asked == [60, 70, 72, 74]
