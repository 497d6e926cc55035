"""The candidate's audio on a timeline of its own, which goes on through every join."""

from __future__ import annotations

from dataclasses import dataclass

from services.interview.conversation.chronicle import Chronicle
from services.interview.events import AudioReceived

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
        self._told = received
        self.owed = False
        """Whether what came last is of a turn that is not stored: it may be wanted again."""

    @property
    def told(self) -> float:
        """Up to where the audio was acknowledged."""
        return self._told

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
        if not self.owed and self.received - self._told >= ACKNOWLEDGED_SECONDS:
            self.acknowledge()

    def acknowledge(self) -> None:
        """Tells how far the audio was taken, if there is more than was told."""
        if self.received > self._told and not self._chronicle.interview.state.over:
            self._told = self.received
            self._chronicle.emit(AudioReceived(self.received))
