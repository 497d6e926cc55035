"""The store in PostgreSQL. Statements name the owner; what goes wrong is `StoreFailed`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from services.interview.events import CandidateTurn, Entry
from services.interview.record import (
    UNBEGUN,
    Interview,
    InterviewSettings,
    Speaker,
    State,
    Turn,
)
from services.interview.reports.report import Report
from services.interview.store import codec, leasing, rows, transferring, writing
from services.interview.store.rows import uuid_of
from services.interview.store.store import (
    KEY_LIFE,
    Deletion,
    Expiry,
    Holder,
    KeyTaken,
    Lease,
    LeaseLost,
    NotExpired,
    Place,
    Previous,
    Recorded,
    Rewrapped,
    Summary,
)
from services.interview.store.writing import Written
from services.runtime.clock_jumps import Sweeps
from services.runtime.ids import new_id
from services.runtime.postgres import sweeping
from services.runtime.postgres.database import EVERYBODY, Database

_SUMMARY = f"""
    SELECT {rows.INTERVIEW_COLUMNS},
        (SELECT count(*) FROM turn t WHERE t.interview_id = i.id) AS turn_count
    FROM interview i
"""  # noqa: S608

_WITH_OWNER = "FROM interview i LEFT JOIN owner o USING (user_id)"
# The shorter of the two; where neither is known, never.
_EXPIRED = "i.changed < $1::timestamptz - least($2::interval, o.retention)"

# Until the transaction is over, also one that nobody waits for any more: a commit may be on its way
# to the database when whoever sent it goes away.
_CHANGING = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0))"
_UNCHANGING = "SELECT pg_advisory_xact_lock_shared(hashtextextended($1::uuid::text, 0))"


class PostgresStore:
    """Interviews in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # What the last commit under a lease left there.
        self._written: dict[Lease, Written] = {}

    # What users ask for.

    async def save(self, interview: Interview) -> None:
        """Keeps an interview that nobody drives."""
        values = rows.interview_values(interview)
        owner = uuid_of(interview.id), interview.user
        try:
            async with self._database.transaction("save", interview.user) as connection:
                await connection.execute(_CHANGING, uuid_of(interview.id))
                if await writing.write(connection, interview, None, (), None):
                    return
                if interview.key is not None:
                    await connection.execute(
                        "UPDATE interview SET key = NULL"
                        " WHERE user_id = $1 AND key = $2 AND created <= $3",
                        interview.user,
                        interview.key,
                        interview.created - KEY_LIFE,
                    )
                try:
                    async with connection.transaction():
                        await connection.execute(writing.INSERT, *owner, *values)
                except asyncpg.UniqueViolationError as error:
                    raise KeyTaken(interview.key or "") from error
                await writing.write(connection, interview, None, (), None)
        except asyncpg.UniqueViolationError as error:
            raise KeyTaken(interview.key or "") from error

    async def holds(self, interview_id: str) -> bool:
        """Whether there is an interview of this id, whosever it is."""
        async with self._database.transaction("holds", EVERYBODY) as connection:
            await connection.execute(_UNCHANGING, uuid_of(interview_id))
            row = await connection.fetchrow(
                "SELECT FROM interview WHERE id = $1", uuid_of(interview_id)
            )
        return row is not None

    async def find(self, user: str, interview_id: str) -> Interview | None:
        """The interview, if the user has one of this id."""
        owner = uuid_of(interview_id), user
        # One snapshot: a turn that is in the record belongs to the state that is told.
        async with self._database.transaction("find", user, snapshot=True) as connection:
            row = await connection.fetchrow(
                f"SELECT {rows.INTERVIEW_COLUMNS} FROM interview i WHERE id = $1 AND user_id = $2",  # noqa: S608
                *owner,
            )
            if row is None:
                return None
            turns = await connection.fetch(
                f"SELECT {rows.TURN_COLUMNS} FROM turn"  # noqa: S608
                " WHERE interview_id = $1 AND user_id = $2 ORDER BY place",
                *owner,
            )
        return rows.interview(row, [rows.turn(turn) for turn in turns])

    async def summary(self, user: str, interview_id: str) -> Summary | None:
        """`find` without the turns."""
        async with self._database.transaction("summary", user) as connection:
            row = await connection.fetchrow(
                f"{_SUMMARY} WHERE i.id = $1 AND i.user_id = $2", uuid_of(interview_id), user
            )
        return None if row is None else Summary(rows.interview(row), row["turn_count"])

    async def find_by_key(self, user: str, key: str) -> Interview | None:
        """The newest interview whose creation the user named by this key."""
        async with self._database.transaction("find_by_key", user) as connection:
            row = await connection.fetchrow(
                f"SELECT {rows.INTERVIEW_COLUMNS} FROM interview i"  # noqa: S608
                " WHERE user_id = $1 AND key = $2",
                user,
                key,
            )
        return None if row is None else rows.interview(row)

    async def page(self, user: str, limit: int, before: Place | None) -> Sequence[Summary]:
        """Up to `limit` interviews, newest first, older than the place `before`."""
        place = (None, None) if before is None else (before.created, uuid_of(before.interview_id))
        async with self._database.transaction("page", user) as connection:
            found = await connection.fetch(
                f"{_SUMMARY} WHERE i.user_id = $1"
                " AND ($3::timestamptz IS NULL OR (i.created, i.id) < ($3, $4::uuid))"
                " ORDER BY i.created DESC, i.id DESC LIMIT $2",
                user,
                limit,
                *place,
            )
        return [Summary(rows.interview(row), row["turn_count"]) for row in found]

    async def unbegun(self, user: str, limit: int) -> Sequence[str]:
        """Ids of up to `limit` interviews of the user's that nobody ever joined, oldest first."""
        async with self._database.transaction("unbegun", user) as connection:
            found = await connection.fetch(
                "SELECT id FROM interview"
                " WHERE user_id = $1 AND started IS NULL AND state = ANY($2)"
                " ORDER BY created, id LIMIT $3",
                user,
                [int(state) for state in UNBEGUN],
                limit,
            )
        return [row["id"].hex for row in found]

    async def turns(self, user: str, interview_id: str, limit: int, start: int) -> Sequence[Turn]:
        """Up to `limit` turns from number `start`, oldest first."""
        async with self._database.transaction("turns", user) as connection:
            found = await connection.fetch(
                f"SELECT {rows.TURN_COLUMNS} FROM turn"  # noqa: S608
                " WHERE interview_id = $1 AND user_id = $2 AND place >= $4"
                " ORDER BY place LIMIT $3",
                uuid_of(interview_id),
                user,
                limit,
                start,
            )
        return [rows.turn(row) for row in found]

    async def delete(
        self,
        user: str,
        interview_id: str,
        lease: Lease | None = None,
        expiry: Expiry | None = None,
    ) -> None:
        """Removes an interview with all that belongs to it, and remembers that it did."""
        owner = uuid_of(interview_id), user
        age = (None, None) if expiry is None else (expiry.now, expiry.kept_for)
        async with self._database.transaction("delete", user) as connection:
            await connection.execute(_CHANGING, uuid_of(interview_id))
            there = await connection.fetchrow(
                f"SELECT i.started IS NULL AND i.state = ANY($5) AS unbegun, {_EXPIRED} AS expired"
                f" {_WITH_OWNER} WHERE i.id = $3 AND i.user_id = $4 FOR UPDATE OF i",
                *age,
                *owner,
                [int(state) for state in UNBEGUN],
            )
            if there is None:
                return
            if expiry is not None and not there["expired"]:
                raise NotExpired(interview_id)
            await leasing.require_free(connection, interview_id, lease)
            await connection.execute(
                "INSERT INTO deletion (interview_id, user_id, unbegun) VALUES ($1, $2, $3)"
                " ON CONFLICT DO NOTHING",
                *owner,
                there["unbegun"],
            )
            await connection.execute("DELETE FROM interview WHERE id = $1 AND user_id = $2", *owner)
        if lease is not None:
            self._written.pop(lease, None)

    async def deleted(self, user: str, interview_id: str) -> Deletion | None:
        """The deletion of an interview of the user's of this id, if it was not long ago."""
        async with self._database.transaction("deleted", user) as connection:
            row = await connection.fetchrow(
                "SELECT unbegun FROM deletion WHERE interview_id = $1 AND user_id = $2",
                uuid_of(interview_id),
                user,
            )
        return None if row is None else Deletion(row["unbegun"])

    async def report(self, user: str, interview_id: str) -> Report | None:
        """The report, if there is one."""
        async with self._database.transaction("report", user) as connection:
            content = await connection.fetchval(
                "SELECT content FROM report WHERE interview_id = $1 AND user_id = $2",
                uuid_of(interview_id),
                user,
            )
        return None if content is None else codec.REPORT.validate_json(content)

    async def previous(self, user: str, interview: Interview) -> Previous | None:
        """The user's interview in the same language that was finished last before this one."""
        async with self._database.transaction("previous", user) as connection:
            row = await connection.fetchrow(
                f"SELECT {rows.INTERVIEW_COLUMNS}, r.content AS report FROM interview i"  # noqa: S608
                " JOIN report r ON r.interview_id = i.id AND r.user_id = i.user_id"
                " WHERE i.user_id = $1 AND i.state = $2 AND i.id <> $3"
                " AND i.settings ->> 'language' = $4 AND i.created < $5"
                " ORDER BY i.ended DESC LIMIT 1",
                user,
                int(State.COMPLETED),
                uuid_of(interview.id),
                interview.settings.language,
                interview.created,
            )
        if row is None:
            return None
        return Previous(rows.interview(row), codec.REPORT.validate_json(row["report"]))

    # What drives an interview.

    async def acquire(
        self, interview_id: str, holder: str, seconds: float, beyond: int | None = None
    ) -> Lease | Holder:
        """Takes the lease of an interview for so many seconds, or says who has it."""
        async with self._database.transaction("acquire", EVERYBODY) as connection:
            return await leasing.acquire(connection, interview_id, holder, seconds, beyond)

    async def holder(self, interview_id: str) -> Holder | None:
        """Who has the lease of an interview now."""
        async with self._database.transaction("holder", EVERYBODY) as connection:
            return await leasing.holder(connection, interview_id)

    async def renew_all(self, leases: Sequence[Lease], seconds: float) -> Sequence[Lease]:
        """Keeps leases for so many seconds from now; those that are lost."""
        async with self._database.transaction("renew_all", EVERYBODY, urgent=True) as connection:
            return await leasing.renew(connection, leases, seconds)

    async def release(self, lease: Lease) -> None:
        """Gives a lease back, unless another has it."""
        self._written.pop(lease, None)
        async with self._database.transaction("release", EVERYBODY) as connection:
            await leasing.release(connection, lease)

    async def commit(
        self,
        lease: Lease,
        interview: Interview,
        session: bytes,
        events: Sequence[Entry],
        report: Report | None = None,
    ) -> None:
        """Writes what has changed of an interview, all or nothing."""
        before = self._written.pop(lease, None)
        try:
            async with self._database.transaction("commit", interview.user) as connection:
                await leasing.require(connection, lease)
                there = await writing.write(connection, interview, session, events, before, report)
        except LeaseLost:
            raise
        except BaseException:
            if before is not None:
                self._written[lease] = before.or_by(interview, session)
            raise
        if not there:
            raise LeaseLost(lease.interview_id)
        self._written[lease] = Written.by(interview, session)

    async def try_out(self, user: str, size: int) -> None:
        """Writes what a commit does of an interview of the user's that is none, and removes it."""
        words = Turn(new_id(), Speaker.CANDIDATE, "", 0.0, 0.0)
        tried = Interview(
            new_id(), user, InterviewSettings(), (), datetime.now(UTC), turns=(words,)
        )
        events = [Entry(1, 0.0, CandidateTurn(words))]
        owner = uuid_of(tried.id), user
        async with self._database.transaction("try_out", user) as connection:
            await connection.execute(writing.INSERT, *owner, *rows.interview_values(tried))
            # Of chance: the database would make less of anything else.
            await writing.write(connection, tried, os.urandom(size), events, None)
            await connection.execute("DELETE FROM interview WHERE id = $1 AND user_id = $2", *owner)

    async def session(self, interview_id: str) -> tuple[bytes, Sequence[Entry]] | None:
        """The engine's state and the events that last, oldest first."""
        name = uuid_of(interview_id)
        async with self._database.transaction("session", EVERYBODY, snapshot=True) as connection:
            session = await connection.fetchval("SELECT session FROM interview WHERE id = $1", name)
            if session is None:
                return None
            found = await connection.fetch(
                "SELECT seq, at_seconds, kind, content FROM event"
                " WHERE interview_id = $1 ORDER BY seq",
                name,
            )
            content = await connection.fetchval(
                "SELECT content FROM report WHERE interview_id = $1", name
            )
        report = None if content is None else codec.REPORT.validate_json(content)
        return session, rows.entries(found, report)

    # Recordings.

    async def save_recorded(self, recorded: Recorded) -> str | None:
        """Keeps what is known of a file, if the interview is still its user's; whose it is."""
        owner = uuid_of(recorded.interview_id), recorded.user
        # It may have become another's: what it was recorded for does not see their rows.
        async with self._database.transaction("save_recorded", EVERYBODY) as connection:
            whose: str | None = await connection.fetchval(
                "SELECT user_id FROM interview WHERE id = $1 FOR KEY SHARE", owner[0]
            )
            if whose != recorded.user:
                return whose
            await connection.execute(
                f"INSERT INTO recording ({rows.RECORDED_COLUMNS})"  # noqa: S608
                " VALUES ($3, $1, $2, $4, $5, $6, $7, $8, $9)"
                " ON CONFLICT (file) DO UPDATE SET"
                " places = excluded.places, size = excluded.size, over = excluded.over",
                *owner,
                recorded.file,
                int(recorded.speaker),
                recorded.rate_hz,
                recorded.wrapped_key,
                codec.PLACES.dump_json(recorded.places).decode(),
                recorded.size,
                recorded.over,
            )
        return whose

    async def recorded(
        self, user: str, interview_id: str, speaker: Speaker | None = None
    ) -> Sequence[Recorded]:
        """The files of an interview, or of one voice, in their order."""
        async with self._database.transaction("recorded", user) as connection:
            found = await connection.fetch(
                f"SELECT {rows.RECORDED_COLUMNS} FROM recording"  # noqa: S608
                " WHERE interview_id = $1 AND user_id = $2 AND ($3::int IS NULL OR speaker = $3)"
                " ORDER BY file",
                uuid_of(interview_id),
                user,
                None if speaker is None else int(speaker),
            )
        return [rows.recorded(row) for row in found]

    # Housekeeping.

    async def known_files(self, files: Sequence[str]) -> set[str]:
        """Which of these recordings belong to an interview."""
        async with self._database.transaction("known_files", EVERYBODY) as connection:
            found = await connection.fetch(
                "SELECT file FROM recording WHERE file = ANY($1)", list(files)
            )
        return {row["file"] for row in found}

    async def expired(
        self, now: datetime, kept_for: timedelta | None, limit: int
    ) -> Sequence[tuple[str, str]]:
        """User and id of interviews in which nothing has happened for too long."""
        async with self._database.transaction("expired", EVERYBODY) as connection:
            found = await connection.fetch(
                f"SELECT i.user_id, i.id {_WITH_OWNER}"
                f" WHERE {_EXPIRED} ORDER BY i.changed LIMIT $3",
                now,
                kept_for,
                limit,
            )
        return [(row["user_id"], row["id"].hex) for row in found]

    async def judge_sweep(self, now: datetime) -> tuple[Sweeps, bool]:
        """Whether what is old by this clock may be deleted."""
        async with self._database.transaction("judge_sweep", EVERYBODY) as connection:
            return await sweeping.judge(connection, "sweep", now)

    async def unreviewed(self, limit: int) -> Sequence[tuple[str, str]]:
        """User and id of interviews whose report nobody writes any more."""
        async with self._database.transaction("unreviewed", EVERYBODY) as connection:
            found = await connection.fetch(
                "SELECT i.user_id, i.id FROM interview i WHERE i.state = $1 AND NOT EXISTS"
                " (SELECT FROM lease l WHERE l.interview_id = i.id"
                " AND l.expires > clock_timestamp()) ORDER BY i.changed LIMIT $2",
                int(State.REVIEWING),
                limit,
            )
        return [(row["user_id"], row["id"].hex) for row in found]

    async def forget_deletions(self, older_than: datetime) -> None:
        """Forgets that interviews were deleted before then."""
        async with self._database.transaction("forget_deletions", EVERYBODY) as connection:
            await connection.execute("DELETE FROM deletion WHERE deleted < $1", older_than)

    # Of one user, all at once.

    async def keep_for(self, user: str, retention: timedelta | None) -> None:
        """Keeps a user's interviews no longer than so after something last happened in them."""
        async with self._database.transaction("keep_for", user) as connection:
            if retention is None:
                await connection.execute("DELETE FROM owner WHERE user_id = $1", user)
            else:
                await connection.execute(
                    "INSERT INTO owner (user_id, retention) VALUES ($1, $2)"
                    " ON CONFLICT (user_id) DO UPDATE SET retention = excluded.retention",
                    user,
                    retention,
                )

    async def transfer(
        self, user: str, heir: str, leases: Sequence[Lease], rewrapped: Rewrapped
    ) -> int:
        """Gives interviews of a user's to another, with all that belongs to them."""
        async with self._database.transaction("transfer", EVERYBODY) as connection:
            return await transferring.transfer(connection, user, heir, leases, rewrapped)

    async def forget_owner(self, user: str) -> None:
        """Forgets what is known of a user who has no interview any more."""
        async with self._database.transaction("forget_owner", user) as connection:
            await connection.execute("DELETE FROM deletion WHERE user_id = $1", user)
            await connection.execute("DELETE FROM owner WHERE user_id = $1", user)

    async def identity(self) -> str:
        """The database's own id: files are kept apart by it."""
        async with self._database.connection("identity") as connection:
            found = await connection.fetchval("SELECT id FROM store")
        return str(found.hex)
