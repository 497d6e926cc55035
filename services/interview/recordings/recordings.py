"""The recordings of a server: sealed files in a folder, and what the record knows of them.

A file belongs to one process. An interview that goes on in another has its voices go on in other
files; they are read as one, by the interview's clock.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from services.interview.clients.seams import HEARING_RATE_HZ
from services.interview.events import AudioFormat, Encoding
from services.interview.record import Speaker
from services.interview.recordings.keys import KeyRing
from services.interview.recordings.reading import Voice
from services.interview.recordings.recorder import NO_RECORDER, Places, Recorder, Spoken
from services.interview.recordings.sealing import SealedFile, Tampered, context_of, new_key
from services.interview.recordings.track import SAMPLE_BYTES, Space, Track
from services.interview.store.store import Recorded, Store
from services.runtime.audio.pcm import (
    StreamResampler,
    float_from_f32le,
    float_from_s16le,
    mono,
    s16le_from_float,
)
from services.runtime.ids import new_id
from services.runtime.logs import log
from services.runtime.postgres.failures import StoreFailed

_logger = logging.getLogger(__name__)

BOOKING_SECONDS = 2.0
"""So often the record is told how far recordings are; a process that dies may not tell the rest."""
STRANGE_SECONDS = 3600.0
"""A file that nobody has touched for so long and that no record names is removed."""


@dataclass
class _Recording:
    """Both voices of one interview."""

    new_track: Callable[[Speaker, int, Places], Track]
    tracks: dict[Speaker, Track] = field(default_factory=dict)
    over: bool = False
    _candidate_places: Places = list
    _interviewer_places: list[tuple[float, float]] = field(default_factory=list)

    def places_candidate(self, places: Places) -> None:
        self._candidate_places = places

    def candidate(self, audio: bytes) -> None:
        if not self.over:
            self._track(Speaker.CANDIDATE, HEARING_RATE_HZ, self._candidate_places).append(audio)

    def interviewer(self, spoken: Spoken) -> None:
        # Of what was announced and stopped before it sounded nothing was heard.
        if self.over or not spoken.stretches or spoken.format.sample_rate_hz is None:
            return
        rate = spoken.format.sample_rate_hz
        track = self._track(Speaker.INTERVIEWER, rate, lambda: self._interviewer_places)
        ends = [begin for begin, _ in spoken.stretches[1:]] + [spoken.heard]
        for (begin, when), stop in zip(spoken.stretches, ends, strict=True):
            end = min(stop, spoken.heard)
            if begin < end:
                self._interviewer_places.append((track.seconds, when))
                size = round((end - begin) * track.rate_hz) * SAMPLE_BYTES
                track.append_made(size, partial(_samples, spoken, begin, end, track.rate_hz))

    def _track(self, speaker: Speaker, rate_hz: int, places: Places) -> Track:
        track = self.tracks.get(speaker)
        if track is None:
            track = self.tracks[speaker] = self.new_track(speaker, rate_hz, places)
        return track

    def close(self) -> None:
        if not self.over:
            self.over = True
            for track in self.tracks.values():
                track.close()

    @property
    def size(self) -> int:
        return sum(track.size for track in self.tracks.values())


def _samples(spoken: Spoken, begin: float, end: float, rate_hz: int) -> bytes:
    """A stretch of an utterance as 16-bit mono samples at this rate."""
    shape = spoken.format
    own_rate = shape.sample_rate_hz or rate_hz
    first, last = (round(moment * own_rate) * shape.frame_bytes for moment in (begin, end))
    data = spoken.audio[first:last]
    if shape == AudioFormat(Encoding.PCM_S16LE, rate_hz):
        return data
    decode = float_from_s16le if shape.encoding is Encoding.PCM_S16LE else float_from_f32le
    resampler = StreamResampler(own_rate, rate_hz)
    return s16le_from_float(resampler.feed(mono(decode(data), shape.channels), last=True))


@dataclass
class _Booked:
    """A track and what the record knows of it."""

    track: Track
    recording: _Recording
    interview_id: str
    user: str
    speaker: Speaker
    wrapped_key: bytes
    known: Recorded | None = None

    def now(self) -> Recorded:
        return Recorded(
            file=self.track.name,
            interview_id=self.interview_id,
            user=self.user,
            speaker=self.speaker,
            rate_hz=self.track.rate_hz,
            wrapped_key=self.wrapped_key,
            places=tuple(self.track.places()),
            size=self.track.size,
            over=self.recording.over,
        )


class Recordings:
    """All recordings this process can read, and those it makes. `book` tells the record."""

    def __init__(
        self, folder: Path, most_bytes: int, thread: Executor, store: Store, keys: KeyRing
    ) -> None:
        """Takes the folder they lie in, what they may take together, the record and its keys."""
        self._folder = folder
        self._thread = thread
        self._store = store
        self._keys = keys
        self._space = Space(most_bytes, self._make_room)
        self._kept: dict[str, _Recording] = {}
        self._booked: dict[str, _Booked] = {}
        # What earlier processes left, the oldest first, and its size.
        self._left: dict[Path, int] = {}
        self._changed = asyncio.Event()
        # One after the other: what was known before must not be kept in the place of what is newer.
        self._booking = asyncio.Lock()

    def survey(self) -> None:
        """Counts what lies in the folder already. In the thread, before anything is recorded."""
        found = []
        for path in self._folder.iterdir():
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, path, status.st_size))
        self._left = {path: size for _, path, size in sorted(found)}
        self._space.taken = sum(self._left.values())

    def recorder(self, user: str, interview_id: str) -> Recorder:
        """Records an interview from here on."""
        if not self._space.most:
            return NO_RECORDER

        def new_track(speaker: Speaker, rate_hz: int, places: Places) -> Track:
            name = f"{interview_id}.{speaker.name.lower()}.{new_id()}"
            key, context = new_key(), context_of(user, name)
            path = self._folder / name
            made = Track(
                name,
                rate_hz,
                lambda: SealedFile(path, key, context),
                places,
                self._space,
                self._thread,
            )
            wrapped = self._keys.wrap(key, user, name)
            self._booked[name] = _Booked(made, recording, interview_id, user, speaker, wrapped)
            self._changed.set()
            return made

        self.close(interview_id)
        recording = self._kept[interview_id] = _Recording(new_track)
        return recording

    def close(self, interview_id: str) -> None:
        """The interview is over, or handed on: nothing more is recorded of it here."""
        if (recording := self._kept.get(interview_id)) is not None:
            recording.close()
            self._changed.set()

    def close_all(self) -> None:
        """Nothing more is recorded of any."""
        for interview_id in self._kept:
            self.close(interview_id)

    async def book(self) -> None:
        """Tells the record what is recorded, for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(BOOKING_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            with suppress(StoreFailed):
                await self.book_once()

    async def book_once(self) -> None:
        """Tells the record what is new.

        Raises:
            StoreFailed: It did not take all of it; the rest is told the next time.
        """
        async with self._booking:
            for booked in list(self._booked.values()):
                if booked.now() != booked.known:
                    booked.known = await self._save(booked)
                    if booked.known.over:
                        self._let_go(booked)

    async def _save(self, booked: _Booked) -> Recorded:
        """Tells the record of a track, for whoever has its interview now; what was told."""
        while True:
            now = booked.now()
            owner = await self._store.save_recorded(now)
            if owner is None or owner == now.user:
                return now
            # Another orchestrator gave it to them, while it was recorded here.
            booked.user, booked.wrapped_key = owner, self.rewrapped(owner, now)

    def _let_go(self, booked: _Booked) -> None:
        """The record knows all of a file that is over: now it is one of those that lie there."""
        self._booked.pop(booked.track.name, None)
        self._left[self._folder / booked.track.name] = booked.track.size
        tracks = booked.recording.tracks
        if self._kept.get(booked.interview_id) is booked.recording and not any(
            track.name in self._booked for track in tracks.values()
        ):
            del self._kept[booked.interview_id]

    async def read(
        self, user: str, interview_id: str, speaker: Speaker, start: float, end: float
    ) -> tuple[int, AsyncIterator[tuple[float, bytes]]] | None:
        """A voice between two moments of the interview's clock; None if nothing was recorded.

        Returns:
            Samples a second, and pieces with when they begin.
        """
        files = list(await self._store.recorded(user, interview_id, speaker))
        known = {recorded.file for recorded in files}
        files += [
            booked.now()
            for booked in self._booked.values()
            if (booked.interview_id, booked.user, booked.speaker) == (interview_id, user, speaker)
            and booked.track.name not in known
        ]
        if not files:
            return None
        files.sort(key=lambda recorded: [when for _, when in recorded.places[:1]])
        voice = Voice(self._folder, self._keys, self._thread, files[0].rate_hz)
        return files[0].rate_hz, voice.read(self._sources(files), start, end)

    def _sources(self, files: Sequence[Recorded]) -> Iterator[Recorded | Track]:
        """What is still in this process's hands is read from there."""
        tracks = {
            track.name: track for kept in self._kept.values() for track in kept.tracks.values()
        }
        return (tracks.get(recorded.file, recorded) for recorded in files)

    def rewrapped(self, heir: str, recorded: Recorded) -> bytes:
        """The key of a recording as it is kept for its next owner."""
        try:
            return self._keys.pass_on(recorded.wrapped_key, recorded.user, heir, recorded.file)
        except Tampered as error:
            # Nobody can hear it before, nor after.
            log(_logger, logging.WARNING, "recording's key not passed on", cause=error)
            return recorded.wrapped_key

    async def delete(self, interview_id: str) -> None:
        """Removes the files of an interview; what the record knew of them is gone already."""
        self.forget(interview_id)
        await asyncio.get_running_loop().run_in_executor(
            self._thread, contextvars.copy_context().run, self._unlink, interview_id
        )

    def forget(self, interview_id: str) -> None:
        """Removes the files of an interview in the background."""
        recording = self._kept.pop(interview_id, None)
        if recording is not None:
            recording.close()
            self._space.taken -= recording.size
        for booked in [b for b in self._booked.values() if b.interview_id == interview_id]:
            del self._booked[booked.track.name]
        self._thread.submit(self._unlink, interview_id)

    def _unlink(self, interview_id: str) -> None:
        for path in self._folder.glob(f"{interview_id}.*"):
            self._remove(path)

    def _remove(self, path: Path) -> None:
        self._space.taken -= self._left.pop(path, 0)
        with suppress(OSError):
            path.unlink()

    def _make_room(self, size: int) -> None:
        """Removes the oldest recordings of interviews that are over."""
        for path in list(self._left):
            if self._space.taken + size <= self._space.most:
                return
            self._space.taken -= self._left.pop(path)
            self._thread.submit(self._remove, path)
        for interview_id in [name for name, kept in self._kept.items() if kept.over]:
            if self._space.taken + size <= self._space.most:
                return
            self.forget(interview_id)

    async def sweep(self) -> None:
        """Removes files that no record names: of interviews that are gone, or were never kept."""
        try:
            old = await asyncio.to_thread(self._untouched)
        except OSError as error:  # Somebody has taken the folder away: there is nothing to sweep.
            log(_logger, logging.WARNING, "recordings not swept", cause=error)
            return
        for begin in range(0, len(old), 1000):
            some = old[begin : begin + 1000]
            known = await self._store.known_files([path.name for path in some])
            strange = [path for path in some if path.name not in known]
            await asyncio.gather(*(asyncio.to_thread(self._remove, path) for path in strange))

    def _untouched(self) -> list[Path]:
        before = time.time() - STRANGE_SECONDS
        found = []
        for path in self._folder.iterdir():
            with suppress(OSError):
                if path.name not in self._booked and path.stat().st_mtime < before:
                    found.append(path)
        return found


@asynccontextmanager
async def open_recordings(
    folder: Path, most_bytes: int, store: Store, keys: KeyRing
) -> AsyncIterator[Recordings]:
    """Recordings in a folder; without the folder, none.

    Args:
        folder: Where, of this database's interviews alone.
        most_bytes: What they may take together; 0 records nothing.
        store: Where it is kept what they are.
        keys: What their keys are kept under.
    """
    with ThreadPoolExecutor(1, "recordings") as thread:
        recordings = Recordings(folder, most_bytes, thread, store, keys)
        try:
            await asyncio.to_thread(folder.mkdir, parents=True, mode=0o700, exist_ok=True)
            await asyncio.to_thread(recordings.survey)
        except OSError as error:
            log(_logger, logging.WARNING, "nothing is recorded", cause=error)
            recordings = Recordings(folder, 0, thread, store, keys)
        booking = asyncio.create_task(recordings.book())
        try:
            yield recordings
        finally:
            booking.cancel()
            await asyncio.gather(booking, return_exceptions=True)
            recordings.close_all()
            with suppress(StoreFailed):
                await recordings.book_once()
            await asyncio.to_thread(thread.shutdown)
