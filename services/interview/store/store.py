"""Where interviews and their reports are kept: the seam between the conversation and a database.

Every question to the store names the user; another user's interview does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.interview.events import Entry
from services.interview.record import Interview
from services.interview.reports.report import Report
from services.runtime.errors import Unavailable


class StoreFailed(Unavailable):
    """The database could not do it; `reason` is a stable word for programs."""

    def __init__(self, reason: str, message: str, retry_after: float = 1.0) -> None:
        super().__init__(f"the interviews' record cannot be used: {message}", retry_after)
        self.reason = reason


class LeaseLost(Exception):
    """Another orchestrator has taken the interview: stop, and say nothing."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drive an interview; the token rises with every acquisition."""

    interview_id: str
    holder: str
    token: int


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """An interview's place in a user's list, which stays when others are deleted."""

    created: datetime
    interview_id: str


class Store(Protocol):
    """Interviews by user and id."""

    async def save(self, interview: Interview) -> None:
        """Keeps an interview's newest state."""
        ...

    async def find(self, user: str, interview_id: str) -> Interview | None:
        """The interview, if the user has one of this id."""
        ...

    async def find_by_key(self, user: str, key: str) -> Interview | None:
        """The newest interview whose creation the user named by this key."""
        ...

    async def page(self, user: str, limit: int, before: Place | None) -> Sequence[Interview]:
        """Up to `limit` interviews, newest first, older than the place `before`."""
        ...

    async def delete(self, user: str, interview_id: str) -> None:
        """Forgets an interview and its report."""
        ...

    async def save_report(self, user: str, report: Report) -> None:
        """Keeps a report."""
        ...

    async def report(self, user: str, interview_id: str) -> Report | None:
        """The report, if there is one."""
        ...

    async def commit(
        self, lease: Lease, interview: Interview, session: bytes, events: Sequence[Entry]
    ) -> None:
        """Writes what has changed of an interview, all or nothing.

        Raises:
            LeaseLost: Another drives it.
            StoreFailed: It is not known whether it was written; the same again does no harm.
        """
        ...

    async def session(self, interview_id: str) -> tuple[bytes, Sequence[Entry]] | None:
        """The session as it was committed last, and its events that last."""
        ...
