"""One voice of one interview: a sealed file, and where its stretches lie on the clock.

The event loop hands audio over in pieces of about a second; files are touched in one thread.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial

from prometheus_client import Counter

from services.interview.recordings.recorder import Places
from services.interview.recordings.sealing import SealedFile
from services.runtime.logs import log
from services.runtime.threads import in_thread

_logger = logging.getLogger(__name__)

SAMPLE_BYTES = 2
PIECE_SECONDS = 1.0
"""Audio is handed to the thread, and read, in pieces of this length."""
BACKLOG_BYTES = 8 * 1024 * 1024
"""A disk so far behind, four minutes of a voice, is given up."""

_FAILURES = Counter(
    "viva_interview_recording_failures_total", "Recordings that were given up.", ["reason"]
)


@dataclass
class Space:
    """What recordings may take of the disk, in bytes; `taken` counts what was handed over."""

    most: int
    make_room: Callable[[int], None]
    taken: int = 0

    def take(self, size: int) -> bool:
        """Whether there is room for so much more, which is then taken."""
        if self.taken + size > self.most:
            self.make_room(size)
        if self.taken + size > self.most:
            return False
        self.taken += size
        return True


@dataclass
class Track:
    """A voice's 16-bit mono samples.

    Attributes:
        name: The file's.
        rate_hz: Samples a second.
        create: Makes the file, in the thread.
        places: Where stretches begin and when.
    """

    name: str
    rate_hz: int
    create: Callable[[], SealedFile]
    places: Places
    space: Space
    thread: Executor
    size: int = 0
    _file: SealedFile | None = None
    _pending: bytearray = field(default_factory=bytearray)
    # Bytes handed to the thread, counted by the loop; and written, counted by the thread.
    _handed: int = 0
    _written: int = 0
    _failed: bool = False

    @property
    def seconds(self) -> float:
        """How much was recorded."""
        return self.size / SAMPLE_BYTES / self.rate_hz

    def append(self, audio: bytes) -> None:
        """Takes the next samples."""
        if self._failed:
            return
        if not self.space.take(len(audio)):
            self._fail("full")
            return
        self.size += len(audio)
        self._pending += audio
        if len(self._pending) >= PIECE_SECONDS * self.rate_hz * SAMPLE_BYTES:
            self.flush()

    def append_made(self, size: int, make: Callable[[], bytes]) -> None:
        """Takes the next `size` bytes of samples, which are made in the thread."""
        self.flush()
        if self._failed:
            return
        if not self.space.take(size):
            self._fail("full")
            return
        self.size += size
        self._handed += size
        self.thread.submit(lambda: self._write(make()[:size].ljust(size, b"\0")))

    def flush(self) -> None:
        """Hands over what waits."""
        data = bytes(self._pending)
        self._pending.clear()
        self._handed += len(data)
        if self._handed - self._written > BACKLOG_BYTES:
            self._fail("slow")
        elif data:
            self.thread.submit(self._write, data)

    def close(self) -> None:
        """Nothing more comes."""
        self.flush()
        self.thread.submit(self._close)

    def _write(self, data: bytes) -> None:
        if not self._failed:
            try:
                self._file = self._file or self.create()
                self._file.append(data)
            except OSError as error:
                self._fail("disk", error)
        self._written += len(data)

    def _close(self) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            self._fail("disk", error)

    def _fail(self, reason: str, cause: BaseException | None = None) -> None:
        if not self._failed:
            self._failed = True
            _FAILURES.labels(reason).inc()
            log(_logger, logging.WARNING, "recording given up", reason=reason, cause=cause)

    async def read(self, start: float, end: float) -> AsyncIterator[tuple[float, bytes]]:
        """Samples from `start` to `end` on the clock, each piece with when it begins."""
        self.flush()
        for first, last, when in spans(self.places(), self.seconds, start, end):
            position, until = round(first * self.rate_hz), round(last * self.rate_hz)
            step = round(PIECE_SECONDS * self.rate_hz)
            for begin in range(position, until, step):
                stop = min(begin + step, until)
                data = await in_thread(self.thread, partial(self._read, begin, stop))
                if not data:
                    return
                yield when + begin / self.rate_hz - first, data

    def _read(self, first: int, until: int) -> bytes:
        if self._file is None:
            return b""
        try:
            return self._file.read(first * SAMPLE_BYTES, until * SAMPLE_BYTES)
        except FileNotFoundError:  # deleted meanwhile
            return b""


def spans(
    places: Sequence[tuple[float, float]], length: float, start: float, end: float
) -> list[tuple[float, float, float]]:
    """The stretches of a track between two moments: from and to in its seconds, and when."""
    found = []
    ends = [place for place, _ in places[1:]] + [length]
    for (place, when), stop in zip(places, ends, strict=False):
        first = place + max(0.0, start - when)
        last = min(stop, length, place + end - when)
        if first < last:
            found.append((first, last, when + first - place))
    return found
