"""Where interviews and their reports are kept: the seam between the conversation and a database.

Every question to the store names the user; another user's interview does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.interview.record import Interview
from services.interview.reports.report import Report


class Store(Protocol):
    """Interviews by user and id."""

    async def save(self, interview: Interview) -> None:
        """Keeps an interview's newest state."""
        ...

    async def find(self, user: str, interview_id: str) -> Interview | None:
        """The interview, if the user has one of this id."""
        ...

    async def page(self, user: str, limit: int, before: str | None) -> Sequence[Interview]:
        """Up to `limit` interviews, newest first, after the one with id `before`."""
        ...

    async def save_report(self, user: str, report: Report) -> None:
        """Keeps a report."""
        ...

    async def report(self, user: str, interview_id: str) -> Report | None:
        """The report, if there is one."""
        ...
