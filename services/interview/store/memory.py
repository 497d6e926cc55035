"""A store in memory: it forgets with the process, and before that what is over or never began."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.interview.events import Entry
from services.interview.record import Interview, State
from services.interview.reports.report import Report
from services.interview.store.store import Lease, Place


class MemoryStore:
    """Interviews in a dictionary, in the order of their creation."""

    def __init__(
        self, max_interviews: int, forgotten: Callable[[str], None] = lambda _: None
    ) -> None:
        """Takes how many interviews are kept, of all users together, and who is told of an id
        that is kept no longer.
        """  # noqa: D205 - one sentence
        self._max_interviews = max_interviews
        self._forgotten = forgotten
        self._interviews: dict[tuple[str, str], Interview] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._reports: dict[tuple[str, str], Report] = {}
        self._sessions: dict[str, tuple[bytes, tuple[Entry, ...]]] = {}

    async def save(self, interview: Interview) -> None:
        """Keeps an interview's newest state."""
        self._interviews[interview.user, interview.id] = interview
        if interview.key is not None:
            self._keys[interview.user, interview.key] = interview.id
        self._make_room((interview.user, interview.id))

    def _make_room(self, saved: tuple[str, str]) -> None:
        surplus = len(self._interviews) - self._max_interviews
        if surplus <= 0:
            return
        others = [(key, kept) for key, kept in self._interviews.items() if key != saved]
        finished = [key for key, kept in others if kept.state.over]
        unbegun = [key for key, kept in others if kept.state is State.READY]
        for user, interview_id in (finished + unbegun)[:surplus]:
            self._forget(user, interview_id)

    def _forget(self, user: str, interview_id: str) -> None:
        kept = self._interviews.pop((user, interview_id), None)
        self._reports.pop((user, interview_id), None)
        self._sessions.pop(interview_id, None)
        if kept is None:
            return
        if kept.key is not None and self._keys.get((user, kept.key)) == interview_id:
            del self._keys[user, kept.key]
        self._forgotten(interview_id)

    async def find(self, user: str, interview_id: str) -> Interview | None:
        """The interview, if the user has one of this id."""
        return self._interviews.get((user, interview_id))

    async def find_by_key(self, user: str, key: str) -> Interview | None:
        """The newest interview whose creation the user named by this key."""
        return self._interviews.get((user, self._keys.get((user, key), "")))

    async def page(self, user: str, limit: int, before: Place | None) -> Sequence[Interview]:
        """Up to `limit` interviews, newest first, older than the place `before`."""
        mine = [
            (Place(kept.created, kept.id), kept)
            for (owner, _), kept in self._interviews.items()
            if owner == user
        ]
        older = [pair for pair in mine if before is None or pair[0] < before]
        older.sort(key=lambda pair: pair[0], reverse=True)
        return [kept for _, kept in older[:limit]]

    async def delete(self, user: str, interview_id: str) -> None:
        """Forgets an interview and its report."""
        self._forget(user, interview_id)

    async def save_report(self, user: str, report: Report) -> None:
        """Keeps a report."""
        self._reports[user, report.interview_id] = report

    async def report(self, user: str, interview_id: str) -> Report | None:
        """The report, if there is one."""
        return self._reports.get((user, interview_id))

    async def commit(
        self,
        lease: Lease,
        interview: Interview,
        session: bytes,
        events: Sequence[Entry],
    ) -> None:
        """Keeps what has changed of an interview."""
        await self.save(interview)
        _, before = self._sessions.get(lease.interview_id, (b"", ()))
        self._sessions[lease.interview_id] = session, (*before, *events)

    async def session(self, interview_id: str) -> tuple[bytes, Sequence[Entry]] | None:
        """The session as it was committed last, and its events that last."""
        return self._sessions.get(interview_id)
