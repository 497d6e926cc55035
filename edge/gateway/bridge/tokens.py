"""What can be read of an access token without verifying it: Envoy does that."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Self

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
        """Reads the value of an `authorization` header; of what is no JWT only that is known."""
        claims = _claims(authorization)
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


def _claims(authorization: str) -> dict[str, object]:
    parts = authorization.removeprefix("Bearer ").strip().split(".")
    if len(parts) != 3:
        return {}
    payload = parts[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
