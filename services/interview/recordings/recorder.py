"""What a conversation tells a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.interview.events import AudioFormat

Places = Callable[[], Sequence[tuple[float, float]]]
"""Where stretches of a track begin, in its seconds, and when on the interview's clock; rising."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance of the interviewer's, or what was heard of it.

    Attributes:
        audio: Raw samples from its beginning.
        format: Their shape; the rate is known.
        stretches: Where in it playback began or went on, in seconds, and when on the clock.
        heard: Seconds that were heard.
    """

    audio: bytes
    format: AudioFormat
    stretches: Sequence[tuple[float, float]]
    heard: float


class Recorder(Protocol):
    """Keeps the sound of one interview. Nothing here waits or fails."""

    def places_candidate(self, places: Places) -> None:
        """Says where the candidate's audio lies on the clock, whenever it is asked."""
        ...

    def candidate(self, audio: bytes) -> None:
        """Takes the candidate's next 16-bit mono samples at `HEARING_RATE_HZ`."""
        ...

    def interviewer(self, spoken: Spoken) -> None:
        """Takes what the interviewer has said."""
        ...


class _NoRecorder:
    def places_candidate(self, places: Places) -> None:
        pass

    def candidate(self, audio: bytes) -> None:
        pass

    def interviewer(self, spoken: Spoken) -> None:
        pass


NO_RECORDER: Recorder = _NoRecorder()
"""Keeps nothing."""
