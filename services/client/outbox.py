"""What the candidate says, in order, kept until the server says that it has it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from viva.interview.v1 import conversation_pb2 as pb
from viva.serving.v1 import serving_pb2

from services.client.pieces import BYTES_PER_SECOND, RATE_HZ, Pieces
from services.runtime.stats import duration

MOST_SECONDS = 120.0
"""Of more audio, the beginning is given up: the server keeps no more for a recogniser either."""


@dataclass(slots=True, eq=False)
class _Audio:
    """Samples, and where they lie, in bytes, once they were sent."""

    samples: bytes
    offset: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Numbered:
    message: pb.CandidateMessage


class Outbox:
    """Audio, 16-bit mono samples at `RATE_HZ`, and numbered messages.

    After `rewind` what the server has not kept comes again, as it was and where it was: a message
    does not overtake the words that were said before it.
    """

    def __init__(self) -> None:
        self._told: deque[_Audio | _Numbered] = deque()
        self._waiting: deque[_Audio | _Numbered] = deque()
        self._end = 0
        self._audio_bytes = 0
        self._number = 0
        self._pieces = Pieces()

    def speak(self, samples: bytes) -> None:
        """Takes the next samples, in any pieces."""
        for piece in self._pieces.cut(samples):
            self._waiting.append(_Audio(piece))
            self._audio_bytes += len(piece)
        while self._audio_bytes > MOST_SECONDS * BYTES_PER_SECOND:
            self._give_up()

    def say(self, message: pb.CandidateMessage) -> int:
        """Takes anything else that is not to be lost; the number that it goes out under."""
        self._number += 1
        numbered = pb.CandidateMessage(number=self._number)
        numbered.MergeFrom(message)
        self._waiting.append(_Numbered(numbered))
        return self._number

    def next(self) -> pb.CandidateMessage | None:
        """What is to be sent next; None when all was."""
        if not self._waiting:
            return None
        item = self._waiting.popleft()
        self._told.append(item)
        if isinstance(item, _Numbered):
            return item.message
        if item.offset is None:
            item.offset = self._end
            self._end += len(item.samples)
        offset = duration(item.offset / BYTES_PER_SECOND)
        chunk = serving_pb2.AudioChunk(audio=item.samples, offset=offset)
        return pb.CandidateMessage(audio=pb.CandidateAudio(chunk=chunk))

    def begin_at(self, received: float) -> None:
        """What was never sent begins here at least, in seconds: another has spoken up to it."""
        self._end = max(self._end, round(received * RATE_HZ) * 2)

    def forget(self, offset: float, number: int) -> None:
        """The server has the audio before `offset`, in seconds, and the messages up to `number`."""
        known = round(offset * BYTES_PER_SECOND)

        def needed(item: _Audio | _Numbered) -> bool:
            if isinstance(item, _Numbered):
                return item.message.number > number
            return item.offset is None or item.offset + len(item.samples) > known

        self._told = deque(filter(needed, self._told))
        self._waiting = deque(filter(needed, self._waiting))
        self._audio_bytes = sum(len(each.samples) for each in _audio(self._told, self._waiting))

    def rewind(self) -> None:
        """Sends again what the server has not kept."""
        self._waiting.extendleft(reversed(self._told))
        self._told.clear()

    def _give_up(self) -> None:
        """Drops the oldest samples; what comes after them stays where it lies."""
        oldest = next(iter(_audio(self._told, self._waiting)))
        if oldest.offset is None:
            self._end += len(oldest.samples)
        (self._told if oldest in self._told else self._waiting).remove(oldest)
        self._audio_bytes -= len(oldest.samples)


def _audio(*items: Iterable[_Audio | _Numbered]) -> Iterable[_Audio]:
    return (each for some in items for each in some if isinstance(each, _Audio))
