"""The interview's clock, and where on it a sample of the candidate's audio lies."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from dataclasses import dataclass
from operator import attrgetter

GAP_SECONDS = 0.5
"""Audio later than this was not sent meanwhile, rather than delayed on its way."""


class InterviewClock:
    """Seconds since the first join.

    It runs by the machine's monotonic clock, which no correction of the time of day can move. An
    interview that another process has begun goes on after `elapsed` seconds.
    """

    def __init__(self, elapsed: float | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._start: float | None = None if elapsed is None else self._loop.time() - elapsed

    def start(self) -> None:
        """Starts the clock; later calls change nothing."""
        if self._start is None:
            self._start = self._loop.time()

    def now(self) -> float:
        """Seconds since the start; 0 before it."""
        return 0.0 if self._start is None else self._loop.time() - self._start


class AudioTimeline:
    """Maps positions in the candidate's audio to the interview's clock.

    A microphone delivers a second of audio a second. A client that stops sending for a while leaves
    a gap, and what follows is placed when it arrives. If the audio was only held up on its way, the
    rest comes faster than real time; no sample can arrive before it was spoken, so the placement is
    moved back by as much as it runs ahead.
    """

    def __init__(self, clock: InterviewClock, begins: float | None = None) -> None:
        """Takes the clock; `begins` is when on it the first sample was spoken, if that is known."""
        self._clock = clock
        self._anchors = [] if begins is None else [_Anchor(0.0, begins, begins)]
        self._received = 0.0

    @property
    def received(self) -> float:
        """Seconds of audio so far."""
        return self._received

    @property
    def ahead(self) -> float:
        """Seconds of audio beyond what can have been spoken by now; 0 or less from a microphone."""
        return self.at(self._received) - self._clock.now()

    def add(self, seconds: float) -> None:
        """Counts a piece of audio that has just arrived."""
        now = self._clock.now()
        begins = max(0.0, now - seconds)
        if not self._anchors or begins > self.at(self._received) + GAP_SECONDS:
            self._anchors.append(_Anchor(self._received, begins, self.at(self._received)))
        self._received += seconds
        last = self._anchors[-1]
        last.when = max(last.earliest, last.when - max(0.0, self.at(self._received) - now))

    def skip(self, seconds: float) -> None:
        """What comes next was spoken so much later than right behind what came last."""
        when = self.at(self._received) + seconds
        self._anchors.append(_Anchor(self._received, when, self.at(self._received)))

    def places(self) -> list[tuple[float, float]]:
        """Where stretches of the audio begin, and when on the clock; both rise."""
        return [(anchor.place, anchor.when) for anchor in self._anchors]

    def at(self, position: float) -> float:
        """Seconds on the interview's clock of `position` seconds into the audio."""
        place, when = 0.0, 0.0
        following = bisect_right(self._anchors, position, key=attrgetter("place"))
        if following:
            anchor = self._anchors[following - 1]
            place, when = anchor.place, anchor.when
        return when + position - place


@dataclass(slots=True)
class _Anchor:
    """`place` in the audio was spoken at `when`, and not before `earliest`."""

    place: float
    when: float
    earliest: float
