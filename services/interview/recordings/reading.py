"""A voice of an interview, read from the files it lies in as one."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from services.interview.recordings.keys import KeyRing
from services.interview.recordings.sealing import LeftFile, Tampered, context_of
from services.interview.recordings.track import PIECE_SECONDS, SAMPLE_BYTES, Track, spans
from services.interview.store.store import Recorded
from services.runtime.audio.pcm import StreamResampler, float_from_s16le, s16le_from_float
from services.runtime.logs import log
from services.runtime.threads import in_thread

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Voice:
    """How a voice is read.

    Attributes:
        folder: Where its files are.
        keys: What their keys are kept under.
        thread: Where files are touched.
        rate_hz: Samples a second; files of another rate are resampled.
    """

    folder: Path
    keys: KeyRing
    thread: Executor
    rate_hz: int

    async def read(
        self, sources: Iterable[Recorded | Track], start: float, end: float
    ) -> AsyncIterator[tuple[float, bytes]]:
        """Samples from `start` to `end` on the clock, each piece with when it begins."""
        for source in sources:
            if isinstance(source, Track):
                pieces = source.read(start, end)
            else:
                pieces = self._left(source, start, end)
            async for when, audio in self._resampled(pieces, source.rate_hz):
                yield when, audio

    async def _resampled(
        self, pieces: AsyncIterator[tuple[float, bytes]], rate_hz: int
    ) -> AsyncIterator[tuple[float, bytes]]:
        async for when, audio in pieces:
            if rate_hz == self.rate_hz:
                yield when, audio
                continue
            resampler = StreamResampler(rate_hz, self.rate_hz)
            yield when, s16le_from_float(resampler.feed(float_from_s16le(audio), last=True))

    async def _left(
        self, recorded: Recorded, start: float, end: float
    ) -> AsyncIterator[tuple[float, bytes]]:
        """What lies in a file that nobody here writes to; nothing, when it is gone."""
        path = self.folder / recorded.file
        try:
            found = self.keys.unwrap(recorded.wrapped_key, recorded.user, recorded.file)
            context = context_of(found.sealed_for, recorded.file)
            opened = partial(LeftFile, path, found.key, context, over=recorded.over)
            file = await in_thread(self.thread, opened)
        except FileNotFoundError:  # It made room, or lies on another machine.
            return
        except (OSError, Tampered) as error:
            log(_logger, logging.WARNING, "recording cannot be read", cause=error)
            return
        with closing(file):
            rate, length = recorded.rate_hz, recorded.size / SAMPLE_BYTES / recorded.rate_hz
            step = round(PIECE_SECONDS * rate)
            for first, last, when in spans(recorded.places, length, start, end):
                position, until = round(first * rate), round(last * rate)
                for begin in range(position, until, step):
                    stop = min(begin + step, until)
                    reading = partial(file.read, begin * SAMPLE_BYTES, stop * SAMPLE_BYTES)
                    data = await in_thread(self.thread, reading)
                    if not data:
                        return
                    yield when + begin / rate - first, data
