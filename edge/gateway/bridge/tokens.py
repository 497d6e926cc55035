"""What can be read of an access token without verifying it: Envoy does that."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Self

import grpc

from edge.gateway.bridge.closing import Close, Ended

# A token in three parts (RFC 7515), with nothing before or behind it. Envoy looks for the word
# Bearer wherever it is, and could take another token than is read here.
_BEARER = re.compile(r"Bearer [\w-]+\.([\w-]+)\.[\w-]+", re.ASCII)
# Beyond the year 9999; a token that lives so long does not expire.
_MOST = 253402300800


@dataclass(frozen=True, slots=True)
class Token:
    """What a client is let in by.

    Attributes:
        authorization: The header's whole value.
        subject: Whose it is; None if it does not say.
        expires: When, in seconds since the epoch; None if it does not say.
    """

    authorization: str
    subject: str | None
    expires: float | None

    @classmethod
    def read(cls, authorization: str) -> Self:
        """Reads the value of an `authorization` header.

        Of a token in which nothing can be read, only the token is known; Envoy refuses it.

        Raises:
            Ended: It is not `Bearer` and a token.
        """
        found = _BEARER.fullmatch(authorization)
        if found is None:
            raise Ended(
                Close.TOKEN,
                grpc.StatusCode.UNAUTHENTICATED,
                "authorization is not `Bearer` and an access token",
            )
        claims = _claims(found[1])
        subject = claims.get("sub")
        return cls(
            authorization,
            subject if isinstance(subject, str) else None,
            _moment(claims.get("exp")),
        )


def _moment(expires: object) -> float | None:
    if not isinstance(expires, int | float) or isinstance(expires, bool):
        return None
    return float(expires) if abs(expires) < _MOST else None


def _claims(payload: str) -> dict[str, object]:
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
