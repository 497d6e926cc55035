"""Everything that is kept of a user's interviews, as files."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial

from google.protobuf import json_format
from google.protobuf.message import Message

from services.interview.house import House
from services.interview.record import Speaker
from services.interview.recordings.flac import Digest, FlacStream
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
    turns: str | None = f"{folder}/turns.json"
    async with aclosing(_turns(house, user, name)) as pieces:
        async for piece in pieces:
            yield turns, piece
            turns = None
    with suppress(NotFound, FailedPrecondition):  # There is none, or none yet.
        yield f"{folder}/report.json", _json(reports.report(await house.report(user, name)))
    for speaker in Speaker:
        path = f"{folder}/recordings/{speaker.name.lower()}"
        async with aclosing(_voice(partial(_recorded, house, user, name, speaker), path)) as files:
            async for file in files:
                yield file


async def _turns(house: House, user: str, name: str) -> AsyncGenerator[bytes, None]:
    """All turns as a JSON array, some at a time."""
    between, start = "[", 0
    while True:
        some, following = await house.turns(user, name, _TURNS, start)
        for turn in some:
            said = json_format.MessageToDict(records.turn(turn))
            yield between.encode() + b"\n" + _text(said)
            between = ","
        if not following:
            break
        start = following
    yield b"[]" if between == "[" else b"\n]"


Pieces = AsyncIterator[tuple[float, bytes]]
"""Samples, each piece with when it begins on the interview's clock."""
Read = Callable[[], Awaitable[tuple[int, Pieces] | None]]
"""Reads a voice from its beginning: its rate in Hz and its pieces; None where there is none."""


async def _recorded(
    house: House, user: str, name: str, speaker: Speaker
) -> tuple[int, Pieces] | None:
    return await house.recorded(user, name, speaker, start=0.0, end=math.inf)


async def _voice(read: Read, path: str) -> AsyncGenerator[tuple[str | None, bytes], None]:
    """A voice as a FLAC file, and where its stretches begin, there and on the clock.

    It is read twice, first for what stands at the beginning of both files: so nothing waits in
    memory, nor on the disk, where what is sealed would lie open. A voice that goes on meanwhile
    ends where it ended then; of one that made room meanwhile the rest is silence.
    """
    found = await read()
    if found is None:
        return
    rate_hz, pieces = found
    digest, stretches = Digest(), list[dict[str, float]]()
    async for when, pcm in _joined(rate_hz, pieces):
        if when is not None:
            place = digest.samples / rate_hz
            stretches.append({"interview_seconds": when, "file_seconds": place})
        digest.add(pcm)
    if not digest.samples:
        return
    yield f"{path}.json", _text(stretches)
    name: str | None = f"{path}.flac"
    with FlacStream(rate_hz, digest) as flac:
        async with aclosing(_encoded(flac, rate_hz, await read())) as encoded:
            async for data in encoded:
                yield name, data
                name = None


async def _encoded(
    flac: FlacStream, rate_hz: int, found: tuple[int, Pieces] | None
) -> AsyncGenerator[bytes, None]:
    """The file, in pieces of about PIECE_BYTES."""
    waiting = bytearray()
    if found is not None:
        async for _, pcm in _joined(rate_hz, found[1]):
            waiting += flac.feed(pcm)
            if len(waiting) >= PIECE_BYTES:
                yield bytes(waiting)
                waiting.clear()
            if not flac.left:
                break
    while flac.left:
        waiting += flac.feed(bytes(min(2 * flac.left, PIECE_BYTES)))
    waiting += flac.close()
    yield bytes(waiting)


async def _joined(rate_hz: int, pieces: Pieces) -> AsyncIterator[tuple[float | None, bytes]]:
    """The samples one after the other, silences cut; of a stretch's first ones, when it begins."""
    expected = -math.inf
    async for when, audio in pieces:
        gap = when - expected
        begins = gap > 0.5 / rate_hz
        if begins and math.isfinite(gap):
            yield None, bytes(2 * round(min(gap, _LONGEST_GAP_SECONDS) * rate_hz))
        yield when if begins else None, audio
        expected = when + len(audio) / 2 / rate_hz


def _json(message: Message) -> bytes:
    return _text(json_format.MessageToDict(message))


def _text(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode()
