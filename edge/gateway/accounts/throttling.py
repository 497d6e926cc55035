"""How often may be tried what could be guessed: passwords, and whatever costs something.

Attempts are counted by what they are made on, an account or an address, known or not; after some
that cost nothing each one has to wait twice as long as the one before. An address that tries one
password on many accounts runs into its own limit, one account that many addresses try into its.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from edge.gateway.store import failures
from services.runtime.errors import Overloaded
from services.runtime.postgres.database import EVERYBODY, Database
from services.runtime.wall_clock import Clock


class TooManyAttempts(Overloaded):
    """It was tried too often; the RetryInfo says when it may be tried again."""

    reason = "TOO_MANY_ATTEMPTS"


@dataclass(frozen=True, slots=True)
class Limit:
    """How often something may be tried.

    Attributes:
        name: Of what.
        free: So many attempts need not wait.
        window: After so long without one all is forgotten.
        longest: The longest wait.
    """

    name: str
    free: int
    window: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Subject:
    """What is tried on: a limit, and an account's e-mail address or a caller's address."""

    limit: Limit
    what: str

    @property
    def digest(self) -> bytes:
        """What is kept of it."""
        return hashlib.sha256(f"{self.limit.name}\0{self.what}".encode()).digest()


class Throttle:
    """Counts attempts. They are counted before their outcome is known: many at once don't help."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def attempt(self, subjects: Sequence[Subject]) -> None:
        """Counts an attempt on each.

        Raises:
            TooManyAttempts: One of them was tried too often; the attempt is not to be made.
        """
        async with self._database.transaction("attempt", EVERYBODY) as connection:
            # In one order, or two attempts could wait for each other.
            for subject in sorted(subjects, key=lambda subject: subject.digest):
                limit = subject.limit
                wait = await failures.attempt(
                    connection,
                    subject.digest,
                    self._clock(),
                    free=limit.free,
                    window=limit.window,
                    longest=limit.longest,
                )
                if wait is not None:
                    raise TooManyAttempts(
                        f"too many attempts; wait {wait.total_seconds():.0f} s",
                        wait.total_seconds(),
                    )

    @asynccontextmanager
    async def attempting(self, subjects: Sequence[Subject]) -> AsyncIterator[None]:
        """Counts an attempt on each that is made in this scope; one ended by overload is none.

        Raises:
            TooManyAttempts: One of them was tried too often; the attempt is not to be made.
        """
        await self.attempt(subjects)
        try:
            yield
        except Overloaded:
            async with self._database.transaction("undo", EVERYBODY) as connection:
                for subject in sorted(subjects, key=lambda subject: subject.digest):
                    limit = subject.limit
                    await failures.undo(
                        connection, subject.digest, free=limit.free, longest=limit.longest
                    )
            raise

    async def succeeded(self, subjects: Sequence[Subject], forget: Sequence[Subject]) -> None:
        """An attempt was right: it does not count on `subjects`, nor any before on `forget`."""
        async with self._database.transaction("succeeded", EVERYBODY) as connection:
            for subject in sorted(forget, key=lambda subject: subject.digest):
                await failures.forget(connection, subject.digest)
            for subject in sorted(subjects, key=lambda subject: subject.digest):
                await failures.take_back(connection, subject.digest)
