"""The recordings of a server, each under a key of its own that lives as long as the process.

They lie in a folder of the process, which it holds a lock on; a process that starts removes the
folders whose lock nobody holds. A recording whose interview is deleted or forgotten is removed.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from services.interview.clients.seams import HEARING_RATE_HZ
from services.interview.events import AudioFormat, Encoding
from services.interview.record import Speaker
from services.interview.recordings.recorder import NO_RECORDER, Places, Recorder, Spoken
from services.interview.recordings.sealing import SealedFile, new_key
from services.interview.recordings.track import SAMPLE_BYTES, Space, Track
from services.runtime.audio.pcm import (
    StreamResampler,
    float_from_f32le,
    float_from_s16le,
    mono,
    s16le_from_float,
)
from services.runtime.logs import log

_logger = logging.getLogger(__name__)


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
        if self.over or spoken.format.sample_rate_hz is None:
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


class Recordings:
    """All recordings of this process."""

    def __init__(self, folder: Path, most_bytes: int, thread: Executor) -> None:
        """Takes the folder they lie in, which is there, and what they may take together."""
        self._folder = folder
        self._thread = thread
        self._space = Space(most_bytes, self._make_room)
        self._kept: dict[str, _Recording] = {}

    def recorder(self, user: str, interview_id: str) -> Recorder:
        """Records an interview from here on."""
        if not self._space.most:
            return NO_RECORDER
        key = new_key()

        def new_track(speaker: Speaker, rate_hz: int, places: Places) -> Track:
            name = speaker.name.lower()
            context = "\0".join((user, interview_id, name)).encode()
            path = self._folder / f"{interview_id}.{name}"
            return Track(
                rate_hz, lambda: SealedFile(path, key, context), places, self._space, self._thread
            )

        recording = self._kept[interview_id] = _Recording(new_track)
        return recording

    def close(self, interview_id: str) -> None:
        """The interview is over: nothing more is recorded."""
        if (recording := self._kept.get(interview_id)) is not None:
            recording.close()

    def close_all(self) -> None:
        """Nothing more is recorded of any."""
        for recording in self._kept.values():
            recording.close()

    def track(self, interview_id: str, speaker: Speaker) -> Track | None:
        """What was recorded of a voice."""
        recording = self._kept.get(interview_id)
        return None if recording is None else recording.tracks.get(speaker)

    def delete(self, interview_id: str) -> None:
        """Removes a recording, if there is one."""
        recording = self._kept.pop(interview_id, None)
        if recording is None:
            return
        recording.close()
        self._space.taken -= recording.size
        self._thread.submit(self._unlink, interview_id)

    def _unlink(self, interview_id: str) -> None:
        for path in self._folder.glob(f"{interview_id}.*"):
            with suppress(OSError):
                path.unlink()

    def _make_room(self, size: int) -> None:
        """Removes the oldest recordings of interviews that are over."""
        for interview_id in [name for name, kept in self._kept.items() if kept.over]:
            if self._space.taken + size <= self._space.most:
                break
            self.delete(interview_id)


@asynccontextmanager
async def open_recordings(folder: Path, most_bytes: int) -> AsyncIterator[Recordings]:
    """Recordings in a folder of this process, removed at its end; without a folder, none."""
    with ThreadPoolExecutor(1, "recordings") as thread, ExitStack() as stack:
        own = folder
        try:
            if most_bytes:
                own, lock = await asyncio.to_thread(_settle_in, folder)
                stack.callback(lock.close)
                stack.callback(shutil.rmtree, own, ignore_errors=True)
        except OSError as error:
            log(_logger, logging.WARNING, "nothing is recorded", cause=error)
            most_bytes = 0
        recordings = Recordings(own, most_bytes, thread)
        try:
            yield recordings
        finally:
            recordings.close_all()
            await asyncio.to_thread(thread.shutdown)


def _settle_in(folder: Path) -> tuple[Path, IO[bytes]]:
    """Removes what dead processes left; makes this process's folder and locks it."""
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    with (folder / "starting").open("wb") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        for left in folder.glob("*/lock"):
            with suppress(OSError), left.open("rb") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left.parent, ignore_errors=True)
        own = folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        own.mkdir(mode=0o700)
        lock = (own / "lock").open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return own, lock
