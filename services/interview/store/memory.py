"""A store in memory: it forgets with the process, and before that what is over or never began."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from services.interview.events import Entry
from services.interview.record import Interview, Speaker, State, Turn
from services.interview.reports.report import Report
from services.interview.store.store import (
    Deletion,
    Expiry,
    Holder,
    Lease,
    LeaseLost,
    NotExpired,
    Place,
    Previous,
    Recorded,
    Rewrapped,
    Summary,
)
from services.runtime.clock_jumps import Sweeps, judged


@dataclass
class _Kept:
    """An interview and what belongs to it."""

    interview: Interview
    changed: datetime
    session: bytes = b""
    events: dict[int, Entry] = field(default_factory=dict)
    report: Report | None = None
    recorded: dict[str, Recorded] = field(default_factory=dict)
    lease: Lease | None = None
    token: int = 0
    expires: float = 0.0


class MemoryStore:
    """Interviews in a dictionary, in the order of their creation."""

    def __init__(
        self,
        max_interviews: int,
        forgotten: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Takes how many interviews are kept, and who is told of an id that is kept no longer.

        Args:
            max_interviews: Of all users together.
            forgotten: Called with the id.
            clock: What leases run by, in seconds.
        """
        self._max_interviews = max_interviews
        self._forgotten = forgotten
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._deleted: dict[tuple[str, str], tuple[datetime, Deletion]] = {}
        self._retention: dict[str, timedelta] = {}
        self._sweeps: Sweeps | None = None

    def _of(self, user: str, interview_id: str) -> _Kept | None:
        kept = self._kept.get(interview_id)
        return kept if kept is not None and kept.interview.user == user else None

    def _shown(self, kept: _Kept) -> Interview:
        """The record; what was live under a lease that has run out is paused."""
        lost = kept.token and kept.expires <= self._clock()
        if kept.interview.state is State.LIVE and lost:
            return replace(kept.interview, state=State.PAUSED)
        return kept.interview

    async def save(self, interview: Interview) -> None:
        """Keeps an interview's newest state."""
        now = datetime.now(UTC)
        if self._sweeps is not None:
            # What is written while the clock is behind is not old when it is right again.
            now = max(now, self._sweeps.trusted)
        kept = self._kept.setdefault(interview.id, _Kept(interview, now))
        kept.interview, kept.changed = interview, now
        if interview.key is not None:
            self._keys[interview.user, interview.key] = interview.id
        self._make_room(interview.id)

    def _make_room(self, saved: str) -> None:
        surplus = len(self._kept) - self._max_interviews
        if surplus <= 0:
            return
        others = [
            (name, kept.interview.state) for name, kept in self._kept.items() if name != saved
        ]
        finished = [name for name, state in others if state.over]
        unbegun = [name for name, state in others if state is State.READY]
        for interview_id in (finished + unbegun)[:surplus]:
            self._forget(interview_id)

    def _forget(self, interview_id: str) -> None:
        kept = self._kept.pop(interview_id, None)
        if kept is None:
            return
        user, key = kept.interview.user, kept.interview.key
        if key is not None and self._keys.get((user, key)) == interview_id:
            del self._keys[user, key]
        self._forgotten(interview_id)

    async def holds(self, interview_id: str) -> bool:
        """Whether there is an interview of this id, whosever it is."""
        return interview_id in self._kept

    async def find(self, user: str, interview_id: str) -> Interview | None:
        """The interview, if the user has one of this id."""
        kept = self._of(user, interview_id)
        return None if kept is None else self._shown(kept)

    async def summary(self, user: str, interview_id: str) -> Summary | None:
        """`find` without the turns."""
        kept = self._of(user, interview_id)
        return None if kept is None else self._summary(kept)

    def _summary(self, kept: _Kept) -> Summary:
        shown = self._shown(kept)
        return Summary(replace(shown, turns=()), len(shown.turns))

    async def find_by_key(self, user: str, key: str) -> Interview | None:
        """The newest interview whose creation the user named by this key."""
        return await self.find(user, self._keys.get((user, key), ""))

    async def page(self, user: str, limit: int, before: Place | None) -> Sequence[Summary]:
        """Up to `limit` interviews, newest first, older than the place `before`."""
        mine = [
            (Place(kept.interview.created, kept.interview.id), kept)
            for kept in self._kept.values()
            if kept.interview.user == user
        ]
        older = [pair for pair in mine if before is None or pair[0] < before]
        older.sort(key=lambda pair: pair[0], reverse=True)
        return [self._summary(kept) for _, kept in older[:limit]]

    async def unbegun(self, user: str, limit: int) -> Sequence[str]:
        """Ids of up to `limit` interviews of the user's that nobody ever joined, oldest first."""
        kept = [each.interview for each in self._kept.values()]
        mine = [each for each in kept if each.user == user and each.unbegun]
        return [each.id for each in sorted(mine, key=attrgetter("created", "id"))[:limit]]

    async def turns(self, user: str, interview_id: str, limit: int, start: int) -> Sequence[Turn]:
        """Up to `limit` turns from number `start`, oldest first."""
        kept = self._of(user, interview_id)
        return () if kept is None else kept.interview.turns[start : start + limit]

    async def delete(
        self,
        user: str,
        interview_id: str,
        lease: Lease | None = None,
        expiry: Expiry | None = None,
    ) -> None:
        """Removes an interview with all that belongs to it, and remembers that it did."""
        kept = self._of(user, interview_id)
        if kept is None:
            return
        if expiry is not None and not self._expired(kept, expiry):
            raise NotExpired(interview_id)
        held = kept.lease is not None and kept.expires > self._clock()
        if held and kept.lease != lease:
            raise LeaseLost(interview_id)
        self._forget(interview_id)
        self._deleted[user, interview_id] = datetime.now(UTC), Deletion(kept.interview.unbegun)

    async def deleted(self, user: str, interview_id: str) -> Deletion | None:
        """The deletion of an interview of the user's of this id, if it was not long ago."""
        _, deletion = self._deleted.get((user, interview_id), (None, None))
        return deletion

    async def report(self, user: str, interview_id: str) -> Report | None:
        """The report, if there is one."""
        kept = self._of(user, interview_id)
        return None if kept is None else kept.report

    async def previous(self, user: str, interview: Interview) -> Previous | None:
        """The user's interview in the same language that was finished last before this one."""
        found = [
            (kept.interview.ended, Previous(replace(kept.interview, turns=()), kept.report))
            for kept in self._kept.values()
            if kept.report is not None
            and kept.interview.user == user
            and kept.interview.id != interview.id
            and kept.interview.state is State.COMPLETED
            and kept.interview.settings.language == interview.settings.language
            and kept.interview.created < interview.created
            and kept.interview.ended is not None
        ]
        return max(found, key=lambda pair: pair[0] or interview.created)[1] if found else None

    # What drives an interview.

    async def acquire(
        self, interview_id: str, holder: str, seconds: float, beyond: int | None = None
    ) -> Lease | Holder:
        """Takes the lease of an interview for so many seconds, or says who has it."""
        kept = self._kept.get(interview_id)
        if kept is None:
            raise LeaseLost(interview_id)
        held = await self.holder(interview_id)
        if held is not None and held.token != beyond and held.name != holder:
            return held
        kept.token += 1
        kept.lease = Lease(interview_id, holder, kept.token)
        kept.expires = self._clock() + seconds
        return kept.lease

    async def holder(self, interview_id: str) -> Holder | None:
        """Who has the lease of an interview now."""
        kept = self._kept.get(interview_id)
        if kept is None or kept.lease is None or kept.expires <= self._clock():
            return None
        return Holder(kept.lease.holder, kept.token)

    async def renew_all(self, leases: Sequence[Lease], seconds: float) -> Sequence[Lease]:
        """Keeps leases for so many seconds from now; those that are lost."""
        lost = []
        for lease in leases:
            kept = self._kept.get(lease.interview_id)
            if kept is None or kept.lease != lease:
                lost.append(lease)
            else:
                kept.expires = self._clock() + seconds
        return lost

    async def release(self, lease: Lease) -> None:
        """Gives a lease back, unless another has it."""
        kept = self._kept.get(lease.interview_id)
        if kept is not None and kept.token == lease.token:
            kept.lease, kept.expires = None, 0.0

    def _require(self, lease: Lease) -> _Kept:
        kept = self._kept.get(lease.interview_id)
        if kept is None or kept.token != lease.token:
            raise LeaseLost(lease.interview_id)
        return kept

    async def commit(
        self,
        lease: Lease,
        interview: Interview,
        session: bytes,
        events: Sequence[Entry],
        report: Report | None = None,
    ) -> None:
        """Writes what has changed of an interview, all or nothing."""
        kept = self._require(lease)
        kept.session = session
        for entry in events:
            kept.events.setdefault(entry.seq, entry)
        kept.report = report or kept.report
        await self.save(interview)

    async def try_out(self, user: str, size: int) -> None:
        """Memory takes whatever there is."""

    async def session(self, interview_id: str) -> tuple[bytes, Sequence[Entry]] | None:
        """The engine's state and the events that last, oldest first."""
        kept = self._kept.get(interview_id)
        if kept is None:
            return None
        return kept.session, [kept.events[seq] for seq in sorted(kept.events)]

    # Recordings.

    async def save_recorded(self, recorded: Recorded) -> str | None:
        """Keeps what is known of a file, if the interview is still its user's; whose it is."""
        kept = self._kept.get(recorded.interview_id)
        if kept is None:
            return None
        if kept.interview.user == recorded.user:
            kept.recorded[recorded.file] = recorded
        return kept.interview.user

    async def recorded(
        self, user: str, interview_id: str, speaker: Speaker | None = None
    ) -> Sequence[Recorded]:
        """The files of an interview, or of one voice, in their order."""
        kept = self._of(user, interview_id)
        files: Mapping[str, Recorded] = {} if kept is None else kept.recorded
        return [files[name] for name in sorted(files) if speaker in {None, files[name].speaker}]

    # Housekeeping.

    async def known_files(self, files: Sequence[str]) -> set[str]:
        """Which of these recordings belong to an interview."""
        known = {name for kept in self._kept.values() for name in kept.recorded}
        return known.intersection(files)

    async def expired(
        self, now: datetime, kept_for: timedelta | None, limit: int
    ) -> Sequence[tuple[str, str]]:
        """User and id of interviews in which nothing has happened for too long."""
        expiry = Expiry(now, kept_for)
        found = [kept.interview for kept in self._kept.values() if self._expired(kept, expiry)]
        return [(interview.user, interview.id) for interview in found[:limit]]

    def _expired(self, kept: _Kept, expiry: Expiry) -> bool:
        wished = (expiry.kept_for, self._retention.get(kept.interview.user))
        known = [each for each in wished if each is not None]
        return bool(known) and kept.changed < expiry.now - min(known)

    async def judge_sweep(self, now: datetime) -> tuple[Sweeps, bool]:
        """Whether what is old by this clock may be deleted."""
        self._sweeps, believed = judged(self._sweeps, now)
        return self._sweeps, believed

    async def unreviewed(self, limit: int) -> Sequence[tuple[str, str]]:
        """User and id of interviews whose report nobody writes any more."""
        left = [kept for kept in self._kept.values() if kept.expires <= self._clock()]
        found = [kept.interview for kept in left if kept.interview.state is State.REVIEWING]
        return [(interview.user, interview.id) for interview in found[:limit]]

    async def forget_deletions(self, older_than: datetime) -> None:
        """Forgets that interviews were deleted before then."""
        self._deleted = {who: it for who, it in self._deleted.items() if it[0] >= older_than}

    # Of one user, all at once.

    async def keep_for(self, user: str, retention: timedelta | None) -> None:
        """Keeps a user's interviews no longer than so after something last happened in them."""
        self._retention.pop(user, None)
        if retention is not None:
            self._retention[user] = retention

    async def transfer(
        self, user: str, heir: str, leases: Sequence[Lease], rewrapped: Rewrapped
    ) -> int:
        """Gives interviews of a user's to another, with all that belongs to them."""
        found = [kept for lease in leases if (kept := self._require(lease)).interview.user == user]
        for kept in found:
            self._keys.pop((user, kept.interview.key or ""), None)
            kept.interview = replace(kept.interview, user=heir, key=None)
            kept.recorded = {
                name: replace(recorded, user=heir, wrapped_key=rewrapped(recorded))
                for name, recorded in kept.recorded.items()
            }
        return len(found)

    async def forget_owner(self, user: str) -> None:
        """Forgets what is known of a user who has no interview any more."""
        self._retention.pop(user, None)
        self._deleted = {who: it for who, it in self._deleted.items() if who[0] != user}
