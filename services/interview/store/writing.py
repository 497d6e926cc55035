"""Writing an interview: what has changed of it, in a transaction of the caller's."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from services.interview.events import Entry
from services.interview.record import Interview, Turn
from services.interview.reports.report import Report
from services.interview.store import codec, rows

_COLUMNS = (
    "settings, asked, plan, state, phase, round, created, started, ended, key, voice,"
    " overall_score, failure, epoch"
)
_PARAMETERS = ", ".join(f"${number}" for number in range(3, 17))
# What was written while the clock was behind is not old when it is right again.
_NOW = "greatest(now(), (SELECT trusted FROM sweep))"
INSERT = (
    f"INSERT INTO interview (id, user_id, {_COLUMNS}, changed)"  # noqa: S608
    f" VALUES ($1, $2, {_PARAMETERS}, {_NOW})"
)
_UPDATE = (
    f"UPDATE interview SET ({_COLUMNS}) = ROW ({_PARAMETERS}), changed = {_NOW}"  # noqa: S608
    " WHERE id = $1 AND user_id = $2"
)
_TURN = f"""
    INSERT INTO turn (interview_id, user_id, {rows.TURN_COLUMNS})
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (interview_id, id) DO UPDATE SET
        speaker = excluded.speaker, text = excluded.text, start_seconds = excluded.start_seconds,
        end_seconds = excluded.end_seconds, words = excluded.words, round = excluded.round,
        question_id = excluded.question_id, typed = excluded.typed, place = excluded.place
"""  # noqa: S608
_EVENT = """
    INSERT INTO event (interview_id, user_id, seq, at_seconds, kind, content)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (interview_id, seq) DO NOTHING
"""
_REPORT = """
    INSERT INTO report (interview_id, user_id, content) VALUES ($1, $2, $3)
    ON CONFLICT (interview_id) DO UPDATE SET content = excluded.content, written = now()
"""


@dataclass(frozen=True, slots=True)
class Written:
    """What is known to be in the database."""

    interview: Interview
    session: bytes


async def write(
    connection: asyncpg.Connection,
    interview: Interview,
    session: bytes | None,
    events: Sequence[Entry],
    before: Written | None,
    report: Report | None = None,
) -> bool:
    """Writes what differs from `before`; all of it when that is not known.

    Args:
        connection: In a transaction.
        interview: The record.
        session: The engine's state; None leaves it.
        events: New ones that last.
        before: What is there.
        report: A new one; None leaves it.

    Returns:
        Whether there is such an interview.
    """
    owner = (uuid.UUID(interview.id), interview.user)
    if not await _update(connection, owner, interview, session, before):
        return False
    await _write_turns(connection, owner, interview.turns, before)
    lasting = [
        (*owner, entry.seq, entry.at, kind, rows.storable(content))
        for entry in events
        for kind, content in [codec.event_to_json(entry.event)]
    ]
    if lasting:
        await connection.executemany(_EVENT, lasting)
    if report is not None:
        content = rows.storable(codec.REPORT.dump_json(report).decode())
        await connection.execute(_REPORT, *owner, content)
    return True


async def _update(
    connection: asyncpg.Connection,
    owner: tuple[uuid.UUID, str],
    interview: Interview,
    session: bytes | None,
    before: Written | None,
) -> bool:
    done = await connection.execute(_UPDATE, *owner, *rows.interview_values(interview))
    if session is not None and (before is None or before.session != session):
        keep = "UPDATE interview SET session = $3 WHERE id = $1 AND user_id = $2"
        await connection.execute(keep, *owner, session)
    return bool(done != "UPDATE 0")


async def _write_turns(
    connection: asyncpg.Connection,
    owner: tuple[uuid.UUID, str],
    turns: Sequence[Turn],
    before: Written | None,
) -> None:
    kept = {} if before is None else {t.id: (n, t) for n, t in enumerate(before.interview.turns)}
    changed = [
        (*owner, *rows.turn_values(place, turn))
        for place, turn in enumerate(turns)
        if kept.get(turn.id) != (place, turn)
    ]
    if changed:
        await connection.executemany(_TURN, changed)
    if before is None or kept.keys() - {turn.id for turn in turns}:
        await connection.execute(
            "DELETE FROM turn WHERE interview_id = $1 AND user_id = $2 AND id <> ALL($3)",
            *owner,
            [turn.id for turn in turns],
        )
