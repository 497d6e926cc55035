"""The stretch of a stream that may still be decoded."""

from __future__ import annotations

from collections import deque

import numpy as np

from services.asr.engines.engine import Float32
from services.asr.margins import BEFORE_ALL


class StreamAudio:
    """Samples of a stream by their position in it; the oldest are forgotten when told so.

    It begins with the quiet before the stream, at a negative position.

    Attributes:
        start: Position of the first sample that is still there.
        end: Position behind the last one.
    """

    def __init__(self) -> None:
        self._pieces: deque[Float32] = deque([BEFORE_ALL])
        self.start = -len(BEFORE_ALL)
        self.end = 0

    def append(self, samples: Float32) -> None:
        """Takes the next samples."""
        self._pieces.append(samples)
        self.end += len(samples)

    def forget(self, before: int) -> None:
        """Lets go of pieces that lie before a position."""
        while self._pieces and self.start + len(self._pieces[0]) <= before:
            self.start += len(self._pieces.popleft())

    def slice(self, start: int, end: int) -> Float32:
        """The samples between two positions, as far as they are there."""
        joined = np.concatenate(self._pieces) if self._pieces else np.zeros(0, dtype=np.float32)
        return joined[max(0, start - self.start) : max(0, end - self.start)]
