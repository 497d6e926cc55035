"""What an address has used this month, though the account it was used by is gone.

Else who deletes an account and registers anew has the month's interviews again. The address itself
is not kept: what is kept is an HMAC of it under a key that is not in the database.

Registering proves nothing about an address. So that nobody uses up another's interviews for good
by registering with their address and leaving, what an unproven account has used does not count for
one that has proven the address, by a password set by mail.
"""

from __future__ import annotations

import hmac
from datetime import date

import asyncpg
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edge.gateway.accounts.user import User
from edge.gateway.store import remembered_use, reservations

_PURPOSE = b"viva gateway remembered use"


class RememberedUse:
    """Remembers by address. In a transaction of the caller's."""

    def __init__(self, key: bytes) -> None:
        """Takes the gateway's key; what is made of it is for this alone."""
        self._key = HKDF(SHA256(), 32, None, _PURPOSE).derive(key)

    async def remember(
        self, connection: asyncpg.Connection, user: User, kind: str, month: date
    ) -> None:
        """Keeps what a user has used who is about to go; guests have no address."""
        used = await reservations.count(connection, user.id, kind, month)
        if user.email is not None and used:
            digest = self._digest(user.email)
            await remembered_use.add(
                connection, digest, kind, month, used, proven=user.email_proven
            )

    async def used(self, connection: asyncpg.Connection, user: User, kind: str, month: date) -> int:
        """What others have used who had the user's address before."""
        if user.email is None:
            return 0
        return await remembered_use.count(
            connection, self._digest(user.email), kind, month, proven_only=user.email_proven
        )

    def _digest(self, email: str) -> bytes:
        return hmac.digest(self._key, email.casefold().encode(), "sha256")
