"""Random tokens, of which only hashes are kept."""

from __future__ import annotations

import hashlib
import secrets

_BYTES = 32


def new_token() -> str:
    """A token of 256 random bits, in 43 characters that may stand in a URL."""
    return secrets.token_urlsafe(_BYTES)


def digest(token: str) -> bytes:
    """What is kept of a token. It is as random as it is long: no salt, nothing slow is needed."""
    return hashlib.sha256(token.encode()).digest()
