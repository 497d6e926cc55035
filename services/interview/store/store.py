"""Where interviews are kept: the seam between the conversation and a database.

Every question to the store names the user; another user's interview does not exist. What a live
session writes names its lease instead, which only its owner can have got.

    StoreFailed     the database could not do it (services.runtime.postgres.failures)
    LeaseLost       another orchestrator drives the interview now
    KeyTaken        another creation has used the idempotency key
    NotExpired      what was to go by its age is not too old any more
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.interview.events import Entry
from services.interview.record import Interview, Speaker, Turn
from services.interview.reports.report import Report
from services.runtime.clock_jumps import Sweeps

KEY_LIFE = timedelta(days=1)
"""How long an idempotency key names the interview it created."""


class LeaseLost(Exception):
    """Another orchestrator has taken the interview, or it was deleted: stop, and say nothing."""


class KeyTaken(Exception):
    """Another creation of the same user has used the key within its life."""


class NotExpired(Exception):
    """Something has happened in the interview, or its owner keeps theirs for longer by now."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drive an interview.

    Attributes:
        holder: Who has it, as `Holder.name`.
        token: The fencing token; it rises with every acquisition.
    """

    interview_id: str
    holder: str
    token: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Who else has the lease of an interview.

    Attributes:
        name: "host:port/nonce": where the process takes calls, and which process it is.
        token: Its fencing token.
    """

    name: str
    token: int

    @property
    def address(self) -> str:
        """Where it takes calls."""
        return self.name.rpartition("/")[0]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """An interview's place in a user's list, which stays when others are deleted."""

    created: datetime
    interview_id: str


@dataclass(frozen=True, slots=True)
class Summary:
    """An interview without its turns, and how many they are."""

    interview: Interview
    turn_count: int


@dataclass(frozen=True, slots=True)
class Previous:
    """The interview that the user finished last before another, and its report."""

    interview: Interview
    report: Report


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file with a voice of an interview.

    Attributes:
        file: Its name in the folder of recordings.
        speaker: Whose voice.
        rate_hz: Samples a second.
        wrapped_key: The file's key under the key-encryption key.
        places: Where stretches begin, in the file's seconds, and when on the interview's clock.
        size: Bytes of samples; what a process that died had not sealed may be missing.
        over: Whether it was written to its end.
    """

    file: str
    interview_id: str
    user: str
    speaker: Speaker
    rate_hz: int
    wrapped_key: bytes
    places: tuple[tuple[float, float], ...] = ()
    size: int = 0
    over: bool = False


@dataclass(frozen=True, slots=True)
class Expiry:
    """When an interview in which nothing happens is too old.

    Attributes:
        now: The present.
        kept_for: How long it is kept, unless its owner wants it kept shorter; None: for ever.
    """

    now: datetime
    kept_for: timedelta | None


@dataclass(frozen=True, slots=True)
class Deletion:
    """What is remembered of an interview that was deleted.

    Attributes:
        unbegun: Whether nobody ever joined it.
    """

    unbegun: bool


Rewrapped = Callable[[Recorded], bytes]
"""Gives the key of a recording as it is kept for another owner."""


class Store(Protocol):
    """Interviews by user and id. Every method may raise `StoreFailed`."""

    async def save(self, interview: Interview) -> None:
        """Keeps an interview that nobody drives.

        Raises:
            KeyTaken: Its key names another one.
        """
        ...

    async def holds(self, interview_id: str) -> bool:
        """Whether there is an interview of this id, whosever it is.

        What is keeping or deleting it is waited for, also where nobody waits for that any more.
        """
        ...

    async def find(self, user: str, interview_id: str) -> Interview | None:
        """The interview, if the user has one of this id.

        One that was live when its orchestrator died is paused.
        """
        ...

    async def summary(self, user: str, interview_id: str) -> Summary | None:
        """`find` without the turns."""
        ...

    async def find_by_key(self, user: str, key: str) -> Interview | None:
        """The newest interview whose creation the user named by this key."""
        ...

    async def page(self, user: str, limit: int, before: Place | None) -> Sequence[Summary]:
        """Up to `limit` interviews, newest first, older than the place `before`."""
        ...

    async def unbegun(self, user: str, limit: int) -> Sequence[str]:
        """Ids of up to `limit` interviews of the user's that nobody ever joined, oldest first."""
        ...

    async def turns(self, user: str, interview_id: str, limit: int, start: int) -> Sequence[Turn]:
        """Up to `limit` turns from number `start`, oldest first."""
        ...

    async def delete(
        self,
        user: str,
        interview_id: str,
        lease: Lease | None = None,
        expiry: Expiry | None = None,
    ) -> None:
        """Removes an interview with all that belongs to it, and remembers that it did.

        Speech goes first: after this the keys of its recordings exist no more.

        Args:
            user: Whose it is.
            interview_id: The interview.
            lease: By which it may be driven.
            expiry: It goes only if it is too old still.

        Raises:
            LeaseLost: Somebody drives it, and not by this lease.
            NotExpired: It is not too old.
        """
        ...

    async def deleted(self, user: str, interview_id: str) -> Deletion | None:
        """The deletion of an interview of the user's of this id, if it was not long ago."""
        ...

    async def report(self, user: str, interview_id: str) -> Report | None:
        """The report, if there is one."""
        ...

    async def previous(self, user: str, interview: Interview) -> Previous | None:
        """The user's interview in the same language that was finished last before this one."""
        ...

    # What drives an interview.

    async def acquire(
        self, interview_id: str, holder: str, seconds: float, beyond: int | None = None
    ) -> Lease | Holder:
        """Takes the lease of an interview for so many seconds, or says who has it.

        Args:
            interview_id: The interview; whose it is was checked before.
            holder: Who wants it, as `Holder.name`; one that has it gets it anew.
            seconds: How long, unless it is renewed.
            beyond: The token of a holder that is known to be gone: its lease is taken over.

        Raises:
            LeaseLost: There is no such interview.
        """
        ...

    async def holder(self, interview_id: str) -> Holder | None:
        """Who has the lease of an interview now."""
        ...

    async def renew_all(self, leases: Sequence[Lease], seconds: float) -> Sequence[Lease]:
        """Keeps leases for so many seconds from now; those that are lost."""
        ...

    async def release(self, lease: Lease) -> None:
        """Gives a lease back, unless another has it."""
        ...

    async def commit(
        self,
        lease: Lease,
        interview: Interview,
        session: bytes,
        events: Sequence[Entry],
        report: Report | None = None,
    ) -> None:
        """Writes what has changed of an interview, all or nothing.

        Args:
            lease: The right to.
            interview: The record; turns that are no longer in it are removed.
            session: The engine's state.
            events: Those that last and are new.
            report: To be kept from now on; None leaves what is kept.

        Raises:
            LeaseLost: Another drives it.
            StoreFailed: It is not known whether it was written; the same again does no harm.
        """
        ...

    async def try_out(self, user: str, size: int) -> None:
        """Writes what a commit does of an interview of the user's that is none, and removes it.

        Nobody ever sees it. Whoever asks knows then whether commits fail by what they hold.

        Args:
            user: Whose it would be.
            size: Bytes of its session.
        """
        ...

    async def session(self, interview_id: str) -> tuple[bytes, Sequence[Entry]] | None:
        """The engine's state and the events that last, oldest first; None for no such interview."""
        ...

    # Recordings.

    async def save_recorded(self, recorded: Recorded) -> str | None:
        """Keeps what is known of a file, if the interview is still its user's.

        Returns:
            Whose the interview is; None when it is gone.
        """
        ...

    async def recorded(
        self, user: str, interview_id: str, speaker: Speaker | None = None
    ) -> Sequence[Recorded]:
        """The files of an interview, or of one voice, in their order."""
        ...

    # Housekeeping: over all users, and nothing that was said.

    async def known_files(self, files: Sequence[str]) -> set[str]:
        """Which of these recordings belong to an interview."""
        ...

    async def expired(
        self, now: datetime, kept_for: timedelta | None, limit: int
    ) -> Sequence[tuple[str, str]]:
        """User and id of interviews in which nothing has happened for too long.

        Args:
            now: The present.
            kept_for: How long that is, unless the owner wants them kept shorter; None: for ever.
            limit: How many at most.
        """
        ...

    async def judge_sweep(self, now: datetime) -> tuple[Sweeps, bool]:
        """Whether what is old by this clock may be deleted, as `clock_jumps.judged`; remembers it.

        All processes on the store are judged together.
        """
        ...

    async def unreviewed(self, limit: int) -> Sequence[tuple[str, str]]:
        """User and id of interviews whose report nobody writes any more."""
        ...

    async def forget_deletions(self, older_than: datetime) -> None:
        """Forgets that interviews were deleted before then."""
        ...

    # Of one user, all at once.

    async def keep_for(self, user: str, retention: timedelta | None) -> None:
        """Keeps a user's interviews no longer than so after something last happened in them."""
        ...

    async def transfer(
        self, user: str, heir: str, leases: Sequence[Lease], rewrapped: Rewrapped
    ) -> int:
        """Gives interviews of a user's to another, with all that belongs to them, all or nothing.

        Args:
            user: Whose they are.
            heir: Whose they are then.
            leases: One for each of them: nobody drives it, or will before the lease is given back.
            rewrapped: Gives a recording's wrapped key as it is kept for the new owner.

        Returns:
            How many they were; one that is gone, or not the user's, is left out.

        Raises:
            LeaseLost: Somebody drives one of them.
        """
        ...

    async def forget_owner(self, user: str) -> None:
        """Forgets what is known of a user who has no interview any more."""
        ...
