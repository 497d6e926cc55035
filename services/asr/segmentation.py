"""Cuts a recording into stretches of speech that fit a window, as it is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.asr import endpointing
from services.asr.endpointing import Endpointer, EndpointingConfig
from services.asr.engines.engine import SAMPLE_RATE, Float32
from services.asr.margins import BEFORE_ALL, PRE_ROLL, TAIL
from services.asr.vad import FRAME

_SILENCE_FRAMES = 22
"""A silence of 0.7 s ends a stretch: shorter ones are pauses within a sentence."""
_MAX_FRAMES = 812
"""26 s: a window's 30 s less the silence behind it, a pause in doubt, and the padding."""
LONGEST_STRETCH = _MAX_FRAMES * FRAME / SAMPLE_RATE
"""Seconds."""
_CUT_FRAMES = 250
"""A stretch that gets too long is cut at the least speech-like frame of its last 8 s."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Speech between two silences.

    Attributes:
        start: Where it starts, in samples from the start of the recording.
        samples: float32, mono, 16 kHz, with a little silence around.
        offset: Where `samples` starts; negative for speech at the recording's beginning.
        end: Where the speech ends.
    """

    start: int
    end: int
    offset: int
    samples: Float32

    @property
    def seconds(self) -> float:
        """Length of the speech."""
        return (self.end - self.start) / SAMPLE_RATE


class Segmenter:
    """Finds the stretches of one recording. Keeps at most a stretch of it in memory."""

    def __init__(self) -> None:
        self._endpointer = Endpointer(_endpointing())
        self._samples: Float32 = BEFORE_ALL
        self._first = -len(BEFORE_ALL)
        self._recent: deque[float] = deque(maxlen=_CUT_FRAMES)
        self._start: int | None = None
        self._done = self._first

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks at the end of what it was given."""
        return self._endpointer.speaking

    def feed(self, samples: Float32, probabilities: Float32) -> Iterator[Stretch]:
        """Takes the next samples and the speech probabilities of the frames they complete."""
        self._samples = np.concatenate((self._samples, samples))
        for probability in probabilities:
            self._recent.append(float(probability))
            for decision in self._endpointer.feed(float(probability)):
                match decision:
                    case endpointing.SpeechStarted(start):
                        self._start = start
                    case endpointing.EndOfTurn(end, _):
                        yield self._cut(end)
            frame = self._endpointer.frame
            # A silence may be the stretch's end, and says soon whether it is.
            pausing = self._endpointer.silence_start is not None
            if self._start is not None and frame - self._start >= _MAX_FRAMES and not pausing:
                recent = list(self._recent)
                quietest = min(range(len(recent)), key=recent.__getitem__)
                middle = frame - len(recent) + quietest
                yield self._cut(middle)
                self._start = middle
        self._forget()

    def finish(self) -> Iterator[Stretch]:
        """The stretch that the recording's end cuts off, if any."""
        for decision in self._endpointer.end(endpointing.EndReason.STREAM_ENDED):
            if isinstance(decision, endpointing.EndOfTurn):
                yield self._cut(decision.end)

    def _cut(self, end: int) -> Stretch:
        start = self._start or 0
        self._start = None
        first = max(self._done, start * FRAME - PRE_ROLL)
        last = min(self._first + len(self._samples), end * FRAME + TAIL)
        self._done = end * FRAME
        samples = self._samples[first - self._first : last - self._first].copy()
        return Stretch(start * FRAME, end * FRAME, first, samples)

    def _forget(self) -> None:
        start = self._endpointer.frame - 1 if self._start is None else self._start
        keep = max(self._first, start * FRAME - 2 * PRE_ROLL)
        self._samples = self._samples[keep - self._first :]
        self._first = keep


def _endpointing() -> EndpointingConfig:
    return EndpointingConfig(
        min_silence=_SILENCE_FRAMES, max_silence=_SILENCE_FRAMES, max_turn=10**9
    )
