"""Who has to leave where another interview is to be held, and a server holds as many as it takes.

Nobody who is there. What is laid aside is stored, and gone on with when its candidate comes back.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Protocol, TypeVar

from services.interview.record import LOCAL_USER
from services.runtime.errors import Overloaded

GAP_SECONDS = 10.0
"""So long a candidate who has said something may be gone before others get the place: a client that
lost its connection is back within it."""
FULL_RETRY_SECONDS = 30.0
"""Interviews end every few minutes; asking sooner rarely helps."""


class TooManyOpen(Overloaded):
    """One user is in as many interviews as they may be in at once."""

    reason = "TOO_MANY_OPEN"


class Held(Protocol):
    """An interview that takes a place."""

    @property
    def user(self) -> str:
        """Whose it is."""

    @property
    def absent_since(self) -> float | None:
        """Since when nobody is there, on the event loop's clock; None while somebody is."""

    @property
    def answered(self) -> bool:
        """Whether the candidate has said anything in it yet."""


HeldT = TypeVar("HeldT", bound=Held)


class Room:
    """The places of a server's interviews. One that is being opened takes a place too."""

    def __init__(self, places: int, places_a_user: int) -> None:
        """Takes how many there are, and how many of them one user may have.

        Where there are no accounts everybody is one user, who may have all.
        """
        self._places = places
        self._places_a_user = places_a_user
        self._coming: Counter[str] = Counter()

    @contextmanager
    def coming(self, user: str) -> Iterator[None]:
        """An interview of this user's is being opened."""
        self._coming[user] += 1
        try:
            yield
        finally:
            self._coming[user] -= 1
            if not self._coming[user]:
                del self._coming[user]

    def fits(self, held: int) -> bool:
        """Whether there is a place for all that are coming, beside those that are held."""
        return held + self._coming.total() <= self._places

    def leaver(self, staying: Collection[HeldT], user: str, now: float) -> HeldT | None:
        """Which interview has to be laid aside for one of this user's that is coming; if any.

        First one of their own that they have left, then whichever was left longest ago.

        Args:
            staying: Those that are held, but not those that leave already.
            user: Whose is coming.
            now: On the event loop's clock, in seconds.

        Raises:
            TooManyOpen: The user is in as many as one may be in.
            Overloaded: Somebody is in each of them.
        """
        own = [held for held in staying if held.user == user]
        own_full = user != LOCAL_USER and len(own) + self._coming[user] > self._places_a_user
        if not own_full and self.fits(len(staying)):
            return None
        left = _longest_absent(own)
        if left is None and not own_full:
            left = _longest_absent([held for held in staying if _kept_until(held) <= now])
        if left is not None:
            return left
        if own_full:
            raise TooManyOpen(
                f"you are in {self._places_a_user} interviews, as many as one user may be at once",
                FULL_RETRY_SECONDS,
            )
        wait = min((_kept_until(held) - now for held in staying), default=math.inf)
        raise Overloaded(
            "as many interviews are held as this server takes", min(wait, FULL_RETRY_SECONDS)
        )


def _longest_absent(held: Collection[HeldT]) -> HeldT | None:
    absent = [(each.absent_since, each) for each in held if each.absent_since is not None]
    return min(absent, key=itemgetter(0))[1] if absent else None


def _kept_until(held: Held) -> float:
    """Until when the place is kept for its candidate; for ever while they are there."""
    if held.absent_since is None:
        return math.inf
    return held.absent_since + (GAP_SECONDS if held.answered else 0.0)
