"""The candidate's audio on a timeline of its own, which goes on through every join."""

from __future__ import annotations

from dataclasses import dataclass

from services.interview.conversation.chronicle import Chronicle
from services.interview.events import AudioReceived
from services.interview.record import State

TOLERANCE_SECONDS = 0.0006
"""Clients round their offsets to milliseconds, or better."""
ACKNOWLEDGED_SECONDS = 1.0
"""So much audio is acknowledged at a time."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a chunk joins what came before: silence that is missing, and what was sent already.

    Attributes:
        gap: Seconds between the end of what was received and the chunk.
        repeated: Seconds of the chunk's beginning that were received before.
        added: Seconds by which more is received with it, the gap included.
    """

    gap: float
    repeated: float
    added: float


class Intake:
    """What was received of the candidate's audio. Offsets are seconds from its first sample."""

    def __init__(self, chronicle: Chronicle, received: float = 0.0) -> None:
        """Takes up to where the audio was acknowledged before, by whoever held the interview."""
        self._chronicle = chronicle
        self.received = received
        self.told = received
        """Up to where the audio was acknowledged: what lies before is not needed again."""

    def fit(self, offset: float | None, seconds: float, planned: float = 0.0) -> Fit:
        """How a chunk of so many seconds would join; None is right behind the chunk before.

        `planned` seconds are taken to have been received by then.
        """
        ahead = 0.0 if offset is None else offset - self.received - planned
        gap = ahead if ahead > TOLERANCE_SECONDS else 0.0
        repeated = min(-ahead, seconds) if -ahead > TOLERANCE_SECONDS else 0.0
        return Fit(gap, repeated, gap + seconds - repeated)

    def take(self, fit: Fit) -> None:
        """Counts a chunk that joins like this."""
        self.received += fit.added

    def acknowledge(self, until: float, least: float = 0.0) -> bool:
        """Tells that the audio was taken up to `until`, if it is `least` seconds more; whether."""
        news = until - self.told
        if news <= 0 or news < least or self._chronicle.interview.state.over:
            return False
        self.told = until
        self._chronicle.emit(AudioReceived(until))
        return True

    def remind(self) -> None:
        """Tells what was told once more, to a client of whom a message is kept now."""
        if self._chronicle.interview.state <= State.REVIEWING:
            self._chronicle.emit(AudioReceived(self.told))
