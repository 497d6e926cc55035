"""Keeps a running call as authorised as its first message was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import grpc

from edge.gateway.bridge.closing import Close, Ended
from edge.gateway.bridge.tokens import Token
from edge.gateway.bridge.upstream import Verdict

# Asked again so soon while nobody can say whether an offered token is good.
_AGAIN_SECONDS = 2.0


class Decider(Protocol):
    """Whoever decides about tokens."""

    async def check(self, authorization: str, address: str) -> Verdict:
        """Whether a token would still be let in, for a client at an address."""


class Authorization:
    """The token of one socket: checked now and then, renewed by the client, expired at last."""

    def __init__(
        self,
        token: Token,
        decider: Decider,
        address: str,
        recheck_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Takes the token, who decides about it, and the client's address.

        Args:
            token: What the first message held; Envoy has let the call in with it.
            decider: Asked.
            address: The client's.
            recheck_seconds: How often; a revoked token is noticed so late.
            clock: Seconds since the epoch.
        """
        self._token = token
        self._decider = decider
        self._address = address
        self._recheck = recheck_seconds
        self._clock = clock
        self._offered: Token | None = None
        self._woken = asyncio.Event()

    def offer(self, authorization: str) -> None:
        """Takes a token in place of the one there is; of several only the last is looked at."""
        self._offered = Token.read(authorization)
        self._woken.set()

    async def watch(self) -> None:
        """Runs as long as the call.

        Raises:
            Ended: The token is no longer good, or the one offered in its place is not.
        """
        pause = self._recheck
        while True:
            await self._wait(pause)
            self._woken.clear()
            offered = self._offered
            if offered is None:
                await self._check(self._token)
                pause = self._recheck
            elif await self._check(offered) is Verdict.GOOD:
                if offered.subject != self._token.subject:
                    raise _refused("the new token is another user's")
                self._token = offered
                # Another may have been offered meanwhile.
                if self._offered is offered:
                    self._offered = None
                pause = self._recheck
            else:
                pause = _AGAIN_SECONDS

    async def _wait(self, seconds: float) -> None:
        """Until it is time to check, or a token was offered.

        Raises:
            Ended: The token has expired.
        """
        left = self._left()
        try:
            async with asyncio.timeout(min(seconds, left)):
                await self._woken.wait()
        except TimeoutError:
            if self._left() <= 0:
                raise _refused("the token has expired") from None

    def _left(self) -> float:
        expires = self._token.expires
        return float("inf") if expires is None else max(0.0, expires - self._clock())

    async def _check(self, token: Token) -> Verdict:
        verdict = await self._decider.check(token.authorization, self._address)
        if verdict is Verdict.REFUSED:
            raise _refused("the token is refused")
        return verdict


def _refused(reason: str) -> Ended:
    return Ended(Close.TOKEN, grpc.StatusCode.UNAUTHENTICATED, reason)
