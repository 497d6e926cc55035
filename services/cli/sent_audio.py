"""The candidate's audio as it was sent, kept until the server says that it has it."""

from __future__ import annotations

from collections import deque

from viva.serving.v1 import serving_pb2

from services.cli.sound_card import RATE_HZ
from services.runtime.stats import duration

BYTES_PER_SECOND = 2 * RATE_HZ
MOST_SECONDS = 120.0
"""Of more, the beginning is given up: the server keeps no more of it for a recogniser either."""


class SentAudio:
    """16-bit mono samples at `RATE_HZ` with their offsets from the first.

    After `rewind` the samples that were not acknowledged come again.
    """

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        # Bytes before the first kept chunk, and how many of the chunks were sent.
        self._start = 0
        self._sent = 0

    def add(self, chunk: bytes) -> None:
        """Takes the next samples."""
        self._chunks.append(chunk)
        while sum(map(len, self._chunks)) > MOST_SECONDS * BYTES_PER_SECOND:
            self._drop_first()

    def _drop_first(self) -> None:
        self._start += len(self._chunks.popleft())
        self._sent = max(0, self._sent - 1)

    def next(self) -> serving_pb2.AudioChunk | None:
        """The next samples to send; None when all were."""
        if self._sent == len(self._chunks):
            return None
        before = sum(len(self._chunks[index]) for index in range(self._sent))
        offset = (self._start + before) / BYTES_PER_SECOND
        self._sent += 1
        return serving_pb2.AudioChunk(audio=self._chunks[self._sent - 1], offset=duration(offset))

    def forget(self, offset: float) -> None:
        """The server has everything before `offset`, in seconds from the first sample."""
        while self._chunks and self._start + len(self._chunks[0]) <= round(
            offset * BYTES_PER_SECOND
        ):
            self._drop_first()

    def rewind(self) -> None:
        """Sends again what the server has not acknowledged."""
        self._sent = 0
