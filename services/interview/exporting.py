"""Everything that is kept of a user's interviews, as files."""

from __future__ import annotations

import io
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress

import numpy as np
import soundfile
from google.protobuf import json_format
from google.protobuf.message import Message

from services.interview.house import House
from services.interview.record import Speaker
from services.interview.store.store import Place, Summary
from services.interview.wire import records, reports
from services.runtime.errors import FailedPrecondition, NotFound

PIECE_BYTES = 64 * 1024
_PAGE = 50
_TURNS = 200
_LONGEST_GAP_SECONDS = 2.0
"""Silence between two stretches is cut to this: an interview may go on after days."""


async def export(house: House, user: str) -> AsyncGenerator[tuple[str | None, bytes], None]:
    """The files, one after the other: a path with the first piece of each."""
    place: Place | None = None
    while True:
        page, place = await house.page(user, _PAGE, place)
        for found in page:
            async with aclosing(_interview(house, user, found)) as pieces:
                async for piece in pieces:
                    yield piece
        if place is None:
            return


async def _interview(
    house: House, user: str, found: Summary
) -> AsyncGenerator[tuple[str | None, bytes], None]:
    name = found.interview.id
    folder = f"interviews/{name}"
    yield f"{folder}/interview.json", _json(records.interview(found.interview, found.turn_count))
    turns, start = [], 0
    while True:
        some, following = await house.turns(user, name, _TURNS, start)
        turns += [json_format.MessageToDict(records.turn(turn)) for turn in some]
        if not following:
            break
        start = following
    yield f"{folder}/turns.json", _text(turns)
    with suppress(NotFound, FailedPrecondition):  # There is none, or none yet.
        yield f"{folder}/report.json", _json(reports.report(await house.report(user, name)))
    for speaker in Speaker:
        voice = await house.recorded(user, name, speaker, start=0.0, end=math.inf)
        if voice is None:
            continue
        sound, stretches = await _flac(*voice)
        path = f"{folder}/recordings/{speaker.name.lower()}"
        yield f"{path}.json", _text(stretches)
        yield f"{path}.flac", bytes(sound[:PIECE_BYTES])
        for begin in range(PIECE_BYTES, len(sound), PIECE_BYTES):
            yield None, bytes(sound[begin : begin + PIECE_BYTES])


async def _flac(
    rate_hz: int, pieces: AsyncIterator[tuple[float, bytes]]
) -> tuple[memoryview, list[dict[str, float]]]:
    """A voice as a FLAC file in memory, and where its stretches begin, there and on the clock.

    Not by way of the disk, where what is sealed would lie open.
    """
    made = io.BytesIO()
    stretches: list[dict[str, float]] = []
    written, expected = 0, -math.inf
    with soundfile.SoundFile(
        made, "w", rate_hz, channels=1, format="FLAC", subtype="PCM_16"
    ) as file:
        async for when, audio in pieces:
            gap = when - expected
            if gap > 0.5 / rate_hz:
                silence = round(min(gap, _LONGEST_GAP_SECONDS) * rate_hz) if stretches else 0
                file.write(np.zeros(silence, np.int16))
                written += silence
                stretches.append({"interview_seconds": when, "file_seconds": written / rate_hz})
            samples = np.frombuffer(audio, "<i2")
            file.write(samples)
            written += len(samples)
            expected = when + len(samples) / rate_hz
    return made.getbuffer(), stretches


def _json(message: Message) -> bytes:
    return _text(json_format.MessageToDict(message))


def _text(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode()
