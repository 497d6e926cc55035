"""Rows of the tables as values of the record."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from services.interview.events import Entry
from services.interview.record import (
    Interview,
    Phase,
    Speaker,
    State,
    Turn,
)
from services.interview.reports.report import Report
from services.interview.store import codec
from services.interview.store.store import Recorded

Row = Mapping[str, Any]

INTERVIEW_COLUMNS = (
    "i.id, i.user_id, i.settings, i.asked, i.plan, i.phase, i.round, i.created, i.started, i.ended,"
    " i.key, i.voice, i.overall_score, i.failure, i.epoch,"
    # Live without anybody who drives it: it was interrupted, and waits for its candidate.
    f" CASE WHEN i.state = {State.LIVE} AND NOT EXISTS (SELECT FROM lease l"
    " WHERE l.interview_id = i.id AND l.expires > clock_timestamp())"
    f" THEN {State.PAUSED} ELSE i.state END AS state"
)
TURN_COLUMNS = (
    "id, speaker, text, start_seconds, end_seconds, words, round, question_id, typed, place"
)
RECORDED_COLUMNS = "file, interview_id, user_id, speaker, rate_hz, wrapped_key, places, size, over"


def uuid_of(interview_id: str) -> uuid.UUID | None:
    """The id as the database keeps it; None for what is no id."""
    try:
        return uuid.UUID(interview_id)
    except ValueError:
        return None


def interview(row: Row, turns: Sequence[Turn] = ()) -> Interview:
    """An interview of `INTERVIEW_COLUMNS`."""
    asked, failure = row["asked"], row["failure"]
    return Interview(
        id=row["id"].hex,
        user=row["user_id"],
        settings=codec.SETTINGS.validate_json(row["settings"]),
        plan=tuple(row["plan"]),
        created=row["created"],
        state=State(row["state"]),
        phase=Phase(row["phase"]),
        round=row["round"],
        started=row["started"],
        ended=row["ended"],
        turns=tuple(turns),
        asked=None if asked is None else codec.SETTINGS.validate_json(asked),
        key=row["key"],
        voice=row["voice"],
        overall_score=row["overall_score"],
        failure=None if failure is None else codec.FAILURE.validate_json(failure),
        epoch=row["epoch"],
    )


def interview_values(record: Interview) -> tuple[Any, ...]:
    """What `writing` puts into the columns of an interview, beside its id and user."""
    return (
        codec.SETTINGS.dump_json(record.settings).decode(),
        None if record.asked is None else codec.SETTINGS.dump_json(record.asked).decode(),
        list(record.plan),
        int(record.state),
        int(record.phase),
        record.round,
        record.created,
        record.started,
        record.ended,
        record.key,
        record.voice,
        record.overall_score,
        None if record.failure is None else codec.FAILURE.dump_json(record.failure).decode(),
        record.epoch,
    )


def turn(row: Row) -> Turn:
    """A turn of `TURN_COLUMNS`."""
    return Turn(
        id=row["id"],
        speaker=Speaker(row["speaker"]),
        text=row["text"],
        start=row["start_seconds"],
        end=row["end_seconds"],
        words=codec.WORDS.validate_json(row["words"]),
        round=row["round"],
        question_id=row["question_id"],
        typed=row["typed"],
    )


def turn_values(place: int, said: Turn) -> tuple[Any, ...]:
    """A turn's columns, in the order of `TURN_COLUMNS`."""
    return (
        said.id,
        int(said.speaker),
        storable(said.text),
        said.start,
        said.end,
        storable(codec.WORDS.dump_json(said.words).decode()),
        said.round,
        said.question_id,
        said.typed,
        place,
    )


def storable(text: str) -> str:
    """Text as PostgreSQL takes it: it knows no character 0, raw or in JSON."""
    return text.replace("\0", "").replace("\\u0000", "")


def entries(rows: Sequence[Row], report: Report | None) -> Sequence[Entry]:
    """The events that last; those of a kind that is not known any more are left out."""
    found = []
    for row in rows:
        event = codec.event_from_json(row["kind"], row["content"], report)
        if event is not None:
            found.append(Entry(row["seq"], row["at_seconds"], event))
    return found


def recorded(row: Row) -> Recorded:
    """A file of `RECORDED_COLUMNS`."""
    return Recorded(
        file=row["file"],
        interview_id=row["interview_id"].hex,
        user=row["user_id"],
        speaker=Speaker(row["speaker"]),
        rate_hz=row["rate_hz"],
        wrapped_key=row["wrapped_key"],
        places=codec.PLACES.validate_json(row["places"]),
        size=row["size"],
        over=row["over"],
    )
