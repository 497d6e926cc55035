"""The interview's clock, and where on it a sample of the candidate's audio lies."""

from __future__ import annotations

import asyncio

GAP_SECONDS = 0.5
"""Audio later than this was not sent meanwhile, rather than delayed on its way."""


class InterviewClock:
    """Seconds since the first join."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._start: float | None = None

    def start(self) -> None:
        """Starts the clock; later calls change nothing."""
        if self._start is None:
            self._start = self._loop.time()

    def now(self) -> float:
        """Seconds since the start; 0 before it."""
        return 0.0 if self._start is None else self._loop.time() - self._start


class AudioTimeline:
    """Maps positions in the candidate's audio to the interview's clock.

    A microphone delivers a second of audio a second, so one anchor would do. A client that stops
    sending for a while leaves a gap: the next piece gets a new anchor.
    """

    def __init__(self, clock: InterviewClock) -> None:
        self._clock = clock
        self._anchors: list[tuple[float, float]] = []
        self._received = 0.0

    @property
    def received(self) -> float:
        """Seconds of audio so far."""
        return self._received

    def add(self, seconds: float) -> None:
        """Counts a piece of audio that has just arrived."""
        now = self._clock.now()
        begins = max(0.0, now - seconds)
        if not self._anchors or begins > self.at(self._received) + GAP_SECONDS:
            self._anchors.append((self._received, begins))
        self._received += seconds

    def at(self, position: float) -> float:
        """Seconds on the interview's clock of `position` seconds into the audio."""
        place, when = 0.0, 0.0
        for anchor_place, anchor_when in self._anchors:
            if anchor_place > position:
                break
            place, when = anchor_place, anchor_when
        return when + position - place
