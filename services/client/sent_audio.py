"""The candidate's audio as it was sent, kept until the server says that it has it."""

from __future__ import annotations

from collections import deque

from viva.serving.v1 import serving_pb2

from services.runtime.stats import duration

RATE_HZ = 16_000
"""Samples a second of the audio that clients send."""
BYTES_PER_SECOND = 2 * RATE_HZ
MOST_SECONDS = 120.0
"""Of more, the beginning is given up: the server keeps no more of it for a recogniser either."""


class SentAudio:
    """16-bit mono samples at `RATE_HZ` with their offsets from the first.

    After `rewind` the samples that were not acknowledged come again.
    """

    def __init__(self) -> None:
        # Each with its offset in bytes; the first `_sent` of them were sent.
        self._chunks: deque[tuple[int, bytes]] = deque()
        self._sent = 0
        self._end = 0

    def add(self, chunk: bytes) -> None:
        """Takes the next samples."""
        self._chunks.append((self._end, chunk))
        self._end += len(chunk)
        self.forget(self._end / BYTES_PER_SECOND - MOST_SECONDS)

    def next(self) -> serving_pb2.AudioChunk | None:
        """The next samples to send; None when all were."""
        if self._sent == len(self._chunks):
            return None
        offset, chunk = self._chunks[self._sent]
        self._sent += 1
        return serving_pb2.AudioChunk(audio=chunk, offset=duration(offset / BYTES_PER_SECOND))

    def forget(self, offset: float) -> None:
        """The server has everything before `offset`, in seconds from the first sample."""
        known = round(offset * BYTES_PER_SECOND)
        while self._chunks and self._chunks[0][0] + len(self._chunks[0][1]) <= known:
            self._chunks.popleft()
            self._sent = max(0, self._sent - 1)

    def rewind(self) -> None:
        """Sends again what the server has not acknowledged."""
        self._sent = 0
