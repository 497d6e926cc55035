"""What somebody who is in has proven, which has to hold when it is acted upon as well.

Hashing takes a while, and is not done in a transaction: another password may be set meanwhile, by
whoever has to keep the one out who proves the old.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from edge.gateway.accounts.user import User
from edge.gateway.store import sessions, users
from edge.gateway.tokens.sessions import session_over
from services.runtime.errors import InvalidField


@dataclass(frozen=True, slots=True)
class Proof:
    """That a caller is in, and has given their password.

    Attributes:
        user: As they were then: with the hash that the password was compared with.
        session_id: Where they are logged in.
        field: What the password came in.
    """

    user: User
    session_id: str
    field: str

    async def require(self, connection: asyncpg.Connection, now: datetime) -> User:
        """Requires that it holds still; the user, locked until the transaction ends.

        Raises:
            Unauthenticated: The session is over.
            InvalidField: Another password was set.
        """
        user = await users.find(connection, self.user.id, locked=True)
        if user is None or not await sessions.live(connection, self.session_id, now):
            raise session_over()
        if user.password != self.user.password:
            raise InvalidField(self.field, "was changed meanwhile; try again")
        return user
