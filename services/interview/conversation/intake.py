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
    """

    gap: float
    repeated: float


class Intake:
    """What was received of the candidate's audio. Offsets are seconds from its first sample."""

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle
        self.received = 0.0
        self._told = 0.0

    def gap(self, offset: float | None) -> float:
        """Seconds missing before a chunk at `offset`; None is right behind the chunk before."""
        ahead = 0.0 if offset is None else offset - self.received
        return ahead if ahead > TOLERANCE_SECONDS else 0.0

    def take(self, offset: float | None, seconds: float) -> Fit:
        """Counts a chunk of so many seconds; what it repeats is not counted again."""
        gap = self.gap(offset)
        behind = 0.0 if offset is None else self.received - offset
        repeated = min(behind, seconds) if behind > TOLERANCE_SECONDS else 0.0
        self.received += gap + seconds - repeated
        if self.received - self._told >= ACKNOWLEDGED_SECONDS:
            self.acknowledge()
        return Fit(gap, repeated)

    def acknowledge(self) -> None:
        """Tells how far the audio was taken, if there is more than was told."""
        if self.received > self._told and not self._chronicle.interview.state.over:
            self._told = self.received
            self._chronicle.emit(AudioReceived(self.received))
