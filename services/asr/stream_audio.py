"""The stretch of a stream that may still be decoded."""

from __future__ import annotations

from collections import deque

import numpy as np

from services.asr.engines.engine import Float32


class StreamAudio:
    """Samples of a stream by their position in it; the oldest are forgotten when told so.

    Attributes:
        start: Position of the first sample that is still there.
        end: Position behind the last one.
    """

    def __init__(self) -> None:
        self._pieces: deque[Float32] = deque()
        self.start = 0
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
