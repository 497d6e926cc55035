"""Everything that is kept of a user's interviews, as files."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from contextlib import aclosing, suppress
from functools import partial

from google.protobuf import json_format
from google.protobuf.message import Message

from services.interview.house import House
from services.interview.record import Speaker
from services.interview.recordings.flac import Digest, FlacStream
from services.interview.store.store import Place, Summary
from services.interview.wire import records, reports
from services.runtime.at_once import AtOnce
from services.runtime.errors import Busy, FailedPrecondition, NotFound
from services.runtime.threads import in_thread

PIECE_BYTES = 64 * 1024
BATCH_BYTES = 128 * 1024
"""Samples are encoded so many bytes at a time: some seconds of them, in some ms."""
AT_ONCE = 10
"""Exports that a server has under way, those included that wait for whoever reads them."""
RETRY_SECONDS = 10.0
_PAGE = 50
_TURNS = 200
_LONGEST_GAP_SECONDS = 2.0
"""Silence between two stretches is cut to this: an interview may go on after days."""


class Exports:
    """Exports from a house; few at once, and one of each user's."""

    def __init__(self, house: House, thread: Executor) -> None:
        """Takes whose interviews, and the one thread that encodes them all.

        Not the event loop, where live audio would wait; nor many threads, for all of the cores.
        """
        self._house = house
        self._thread = thread
        self._under_way = AtOnce(
            AT_ONCE,
            1,
            full=lambda: Busy(f"{AT_ONCE} exports are being made here already", RETRY_SECONDS),
            own_full=lambda: Busy("everything of yours is being exported already", RETRY_SECONDS),
        )

    async def export(self, user: str) -> AsyncGenerator[tuple[str | None, bytes], None]:
        """All files of a user's, one after the other: a path with the first piece of each.

        Raises:
            Busy: One of theirs is under way, or as many as there may be.
        """
        place: Place | None = None
        with self._under_way.begun(user):
            while True:
                page, place = await self._house.page(user, _PAGE, place)
                for found in page:
                    made = _interview(self._house, user, found, self._thread)
                    async with aclosing(made) as files:
                        async for piece in files:
                            yield piece
                if place is None:
                    return


async def _interview(
    house: House, user: str, found: Summary, thread: Executor
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
        read = partial(_recorded, house, user, name, speaker)
        async with aclosing(_voice(read, path, thread)) as files:
            async for file in files:
                yield file


async def _turns(house: House, user: str, name: str) -> AsyncGenerator[bytes, None]:
    """All turns as a JSON array, some at a time; of what is deleted meanwhile those before."""
    between = "["
    start: int | None = 0
    while start is not None:
        try:
            some, start = await house.turns(user, name, _TURNS, start)
        except NotFound:
            break
        for turn in some:
            said = json_format.MessageToDict(records.turn(turn))
            yield between.encode() + b"\n" + _text(said)
            between = ","
    yield b"[]" if between == "[" else b"\n]"


Pieces = AsyncIterator[tuple[float, bytes]]
"""Samples, each piece with when it begins on the interview's clock."""
Joined = AsyncIterator[tuple[float | None, bytes]]
"""Samples one after the other; with the first ones of a stretch, when it begins."""
Read = Callable[[], Awaitable[tuple[int, Pieces] | None]]
"""Reads a voice from its beginning: its rate in Hz and its pieces; None where there is none."""


async def _recorded(
    house: House, user: str, name: str, speaker: Speaker
) -> tuple[int, Pieces] | None:
    return await house.recorded(user, name, speaker, start=0.0, end=math.inf)


async def _voice(
    read: Read, path: str, thread: Executor
) -> AsyncGenerator[tuple[str | None, bytes], None]:
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
    async for pcm in _batched(_noted(_joined(rate_hz, pieces), rate_hz, stretches)):
        await in_thread(thread, partial(digest.add, pcm))
    if not digest.samples:
        return
    yield f"{path}.json", _text(stretches)
    name: str | None = f"{path}.flac"
    with FlacStream(rate_hz, digest) as flac:
        async with aclosing(_encoded(flac, rate_hz, await read(), thread)) as encoded:
            async for data in encoded:
                yield name, data
                name = None


async def _noted(
    joined: Joined, rate_hz: int, stretches: list[dict[str, float]]
) -> AsyncIterator[bytes]:
    """The samples; where a stretch begins is noted."""
    samples = 0
    async for when, pcm in joined:
        if when is not None:
            stretches.append({"interview_seconds": when, "file_seconds": samples / rate_hz})
        samples += len(pcm) // 2
        yield pcm


async def _encoded(
    flac: FlacStream, rate_hz: int, found: tuple[int, Pieces] | None, thread: Executor
) -> AsyncGenerator[bytes, None]:
    """The file, in pieces of about PIECE_BYTES."""
    waiting = bytearray()
    async for pcm in _filled(flac, rate_hz, found):
        waiting += await in_thread(thread, partial(flac.feed, pcm))
        if len(waiting) >= PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    waiting += await in_thread(thread, flac.close)
    yield bytes(waiting)


async def _filled(
    flac: FlacStream, rate_hz: int, found: tuple[int, Pieces] | None
) -> AsyncIterator[bytes]:
    """What to feed until nothing is left: what there is, then silence."""
    if found is not None:
        async for pcm in _batched(pcm async for _, pcm in _joined(rate_hz, found[1])):
            yield pcm
            if not flac.left:
                return
    while flac.left:
        yield bytes(min(2 * flac.left, BATCH_BYTES))


async def _batched(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces put together: a second's samples are not worth another thread's while."""
    batch = bytearray()
    async for piece in pieces:
        batch += piece
        if len(batch) >= BATCH_BYTES:
            yield bytes(batch)
            batch.clear()
    yield bytes(batch)


async def _joined(rate_hz: int, pieces: Pieces) -> Joined:
    """The pieces one after the other, long silences cut."""
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
