"""The text of an answer as it grows: whole characters, cut before the first stop sequence."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class AnswerText:
    """Turns the bytes of tokens into text that may be said at once.

    A character split over tokens waits for its last byte. A text that could be the beginning of a
    stop sequence waits until it is known not to be one, so no part of a stop sequence is ever said.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        """Takes the stop sequences, none of them empty."""
        self._stop = tuple(stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False

    def push(self, piece: bytes) -> str:
        """What may be said after these bytes; nothing more once `stopped`."""
        return self.push_text(self._decoder.decode(piece))

    def push_text(self, piece: str) -> str:
        """The same for an engine that yields characters."""
        if self.stopped:
            return ""
        text = self._held + piece
        # The stop that is whole first counts, so that it does not matter how the text was cut.
        found = [
            (text.find(stop) + len(stop), text.find(stop)) for stop in self._stop if stop in text
        ]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)[1]]
        keep = self._beginning_of_a_stop(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """What was held back. Bytes of a character that never became whole are left out."""
        held, self._held = self._held, ""
        return "" if self.stopped else held

    def _beginning_of_a_stop(self, text: str) -> int:
        """Length of the longest end of `text` with which a stop sequence begins."""
        longest = max((len(stop) for stop in self._stop), default=1) - 1
        for length in range(min(longest, len(text)), 0, -1):
            end = text[-length:]
            if any(stop.startswith(end) for stop in self._stop):
                return length
        return 0
