"""Access tokens: JSON Web Tokens (RFC 7519) that say who calls, for minutes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt

from edge.envoy.claims import AUDIENCE, ISSUER
from edge.gateway.accounts.user import Kind, Plan, User
from edge.gateway.tokens.signing import SigningKeys
from services.runtime.errors import Unauthenticated
from services.runtime.wall_clock import Clock

ALGORITHM = "ES256"
_REQUIRED = ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "kind", "plan"]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says.

    Attributes:
        user_id: Who calls.
        session_id: By which session.
    """

    user_id: str
    session_id: str
    kind: Kind
    plan: Plan


class AccessTokens:
    """Issues tokens and reads them."""

    def __init__(self, keys: SigningKeys, life: timedelta, clock: Clock) -> None:
        """Takes the keys, and how long a token is good for."""
        self._keys = keys
        self.life = life
        self._clock = clock

    def issue(self, user: User, session_id: str) -> str:
        """A token of the user's."""
        now = self._clock()
        key = self._keys.signing
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user.id,
            "sid": session_id,
            "jti": secrets.token_hex(16),
            "iat": int(now.timestamp()),
            "exp": int((now + self.life).timestamp()),
            "kind": user.kind.value,
            "plan": user.plan.value,
        }
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.id})

    def read(self, token: str) -> Claims:
        """What a token says; whether its session goes on is another question.

        Raises:
            Unauthenticated: It is no token of ours, or good no more.
        """
        try:
            key = self._keys.find(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                raise _invalid()
            said: dict[str, Any] = jwt.decode(
                token,
                key.private.public_key(),
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # The library's own clock cannot be set.
                options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False},
            )
            expires = float(said["exp"])
            claims = Claims(
                str(said["sub"]), str(said["sid"]), Kind(said["kind"]), Plan(said["plan"])
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise _invalid() from error
        if expires <= self._clock().timestamp():
            raise Unauthenticated("TOKEN_EXPIRED", "the access token has expired; refresh it")
        return claims


def _invalid() -> Unauthenticated:
    return Unauthenticated("TOKEN_INVALID", "this is no access token of Viva's")
