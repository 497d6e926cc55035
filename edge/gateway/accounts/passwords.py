"""Passwords: which are good enough, and hashed by argon2id (RFC 9106) away from the event loop."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.runtime.errors import InvalidField, Overloaded

_WAITING_PER_THREAD = 16
_LANES = 4
"""Of argon2; as RFC 9106 recommends."""
_FEWEST_DIFFERENT = 5
_T = TypeVar("_T")

# What people take where ten characters are asked for: the ones that lead every published list.
_COMMON = frozenset(
    {
        "1234567890", "12345678910", "0123456789", "0987654321", "1q2w3e4r5t", "q1w2e3r4t5",
        "qwertyuiop", "asdfghjkl;", "password12", "password123", "password1234", "passw0rd123",
        "iloveyou12", "letmein123", "welcome123", "qwerty1234", "qwerty12345", "administrator",
        "changeme123", "1qaz2wsx3edc", "zaq12wsxcde3", "football123", "baseball123",
    }
)  # fmt: skip


def normal(password: str) -> str:
    """A password in one of the forms that look the same (RFC 8265, 4.2)."""
    return unicodedata.normalize("NFC", password)


def require_good(password: str, email: str, field: str) -> None:
    """Refuses passwords that are guessed first.

    Raises:
        InvalidField: It is one.
    """
    plain = normal(password).casefold()
    name = email.casefold().partition("@")[0]
    if plain in _COMMON:
        raise InvalidField(field, "is one of the most common passwords; take another")
    if len(set(plain)) < _FEWEST_DIFFERENT:
        raise InvalidField(field, f"needs {_FEWEST_DIFFERENT} different characters")
    if plain == email.casefold() or (len(name) > 3 and plain.strip("0123456789!.") == name):
        raise InvalidField(field, "must not be the e-mail address")


class Passwords:
    """Hashes and checks passwords, a few at a time."""

    def __init__(
        self, pool: ThreadPoolExecutor, threads: int, memory_kib: int, passes: int
    ) -> None:
        self._pool = pool
        self._hasher = PasswordHasher(
            time_cost=passes, memory_cost=max(memory_kib, 8 * _LANES), parallelism=_LANES
        )
        self._most = threads * (1 + _WAITING_PER_THREAD)
        self._under_way = 0
        # What is checked where there is no account: it takes as long as where there is one.
        self._nobodys = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """What is kept of a password.

        Raises:
            Overloaded: Too many are waiting.
        """
        return await self._run(lambda: self._hasher.hash(normal(password)))

    async def check(self, kept: str | None, password: str) -> bool:
        """Whether a password is the one that was hashed; None is nobody's, and takes as long.

        Raises:
            Overloaded: Too many are waiting.
        """

        def work() -> bool:
            try:
                self._hasher.verify(kept or self._nobodys, normal(password))
            except (VerificationError, InvalidHashError):
                return False
            return kept is not None

        return await self._run(work)

    def is_weak(self, kept: str) -> bool:
        """Whether a hash was made with less work than is put into them today."""
        return self._hasher.check_needs_rehash(kept)

    async def _run(self, work: Callable[[], _T]) -> _T:
        if self._under_way >= self._most:
            raise Overloaded("too many people log in at this moment")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._under_way -= 1


@contextmanager
def hashing(threads: int, memory_kib: int, passes: int) -> Iterator[Passwords]:
    """Passwords, with so many threads for them until the scope ends.

    Args:
        threads: Passwords that are hashed at the same time.
        memory_kib: Memory that each takes, in KiB.
        passes: Passes over it.
    """
    with ThreadPoolExecutor(threads, "argon2") as pool:
        yield Passwords(pool, threads, memory_kib, passes)
