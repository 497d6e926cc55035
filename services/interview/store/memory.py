"""A store in memory: it forgets with the process, and before that what is over or never began."""

from __future__ import annotations

from collections.abc import Sequence

from services.interview.record import Interview, State
from services.interview.reports.report import Report


class MemoryStore:
    """Interviews in a dictionary, in the order of their creation."""

    def __init__(self, max_interviews: int) -> None:
        """Takes how many interviews are kept, of all users together."""
        self._max_interviews = max_interviews
        self._interviews: dict[tuple[str, str], Interview] = {}
        self._reports: dict[tuple[str, str], Report] = {}

    async def save(self, interview: Interview) -> None:
        """Keeps an interview's newest state."""
        self._interviews[interview.user, interview.id] = interview
        self._make_room((interview.user, interview.id))

    def _make_room(self, saved: tuple[str, str]) -> None:
        surplus = len(self._interviews) - self._max_interviews
        if surplus <= 0:
            return
        others = [(key, kept) for key, kept in self._interviews.items() if key != saved]
        finished = [key for key, kept in others if kept.state.over]
        unbegun = [key for key, kept in others if kept.state is State.READY]
        for key in (finished + unbegun)[:surplus]:
            del self._interviews[key]
            self._reports.pop(key, None)

    async def find(self, user: str, interview_id: str) -> Interview | None:
        """The interview, if the user has one of this id."""
        return self._interviews.get((user, interview_id))

    async def page(self, user: str, limit: int, before: str | None) -> Sequence[Interview]:
        """Up to `limit` interviews, newest first, after the one with id `before`."""
        mine = [kept for (owner, _), kept in self._interviews.items() if owner == user]
        mine.reverse()
        ids = [kept.id for kept in mine]
        start = ids.index(before) + 1 if before in ids else 0
        return mine[start : start + limit]

    async def save_report(self, user: str, report: Report) -> None:
        """Keeps a report."""
        self._reports[user, report.interview_id] = report

    async def report(self, user: str, interview_id: str) -> Report | None:
        """The report, if there is one."""
        return self._reports.get((user, interview_id))
