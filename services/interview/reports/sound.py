"""What a recording tells that its transcript does not: silences and drawn-out hesitations.

A filled pause ("um", "uh") is a stretch of voice with a steady pitch and spectrum between words,
longer than the syllables around it (Goto, Itou and Hayamizu 1999 find them by these two marks).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from services.interview.record import SpokenWord

FRAME_SECONDS = 0.02
SPEECH_DB = 25.0
"""Frames so far below the loudest tenth of a recording are silence."""
HESITATION_SECONDS = (0.20, 1.2)
"""A shorter sound is a breath or the end of a word; a longer one is speech nobody understood."""
MARGIN_SECONDS = 0.06
"""Recognisers place the edges of words no better than this."""
VOICED = 0.55
"""Least normalised autocorrelation of a voiced frame."""
STEADY = 0.12
"""Most change of the spectrum from frame to frame, as a share of its size."""
PITCH_HZ = (70.0, 350.0)

_Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch of mono sound, -1 to 1; `start` in seconds on the interview's clock."""

    samples: _Samples
    rate: int
    start: float

    @classmethod
    def of(cls, pcm: bytes, rate: int, start: float) -> Sound:
        """From 16-bit samples."""
        values = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768.0
        return cls(values, rate, start)

    def frames(self) -> _Samples:
        """The whole frames, [frames, samples]."""
        size = int(self.rate * FRAME_SECONDS)
        count = len(self.samples) // size
        return self.samples[: count * size].reshape(count, size)


def pauses_in(sound: Sound, words: Sequence[SpokenWord], least: float) -> list[tuple[float, float]]:
    """The silences between the first and the last word that last at least `least` seconds."""
    if not words:
        return []
    loud = _loud(sound.frames())
    edges = np.flatnonzero(np.diff(np.concatenate(([1], loud.astype(np.int8), [1]))))
    found = []
    for begin, end in zip(edges[::2], edges[1::2], strict=False):
        start, stop = _moment(sound, int(begin)), _moment(sound, int(end))
        start, stop = max(start, words[0].start), min(stop, words[-1].end)
        if stop - start >= least:
            found.append((start, stop))
    return found


def hesitations(sound: Sound, words: Sequence[SpokenWord]) -> list[tuple[float, float]]:
    """The filled pauses between recognised words."""
    frames = sound.frames()
    if not len(frames):
        return []
    held = _loud(frames) & _voiced(frames, sound.rate) & _steady(frames)
    found = []
    for one, other in pairwise(words):
        first = int((one.end + MARGIN_SECONDS - sound.start) / FRAME_SECONDS)
        last = int((other.start - MARGIN_SECONDS - sound.start) / FRAME_SECONDS)
        run = _longest(held[max(0, first) : max(0, last)])
        if run is None:
            continue
        begin, end = (max(0, first) + place for place in run)
        shortest, longest = HESITATION_SECONDS
        if shortest <= (end - begin) * FRAME_SECONDS <= longest:
            found.append((_moment(sound, begin), _moment(sound, end)))
    return found


def _moment(sound: Sound, frame: int) -> float:
    return sound.start + frame * FRAME_SECONDS


def _loud(frames: _Samples) -> npt.NDArray[np.bool_]:
    if not len(frames):
        return np.zeros(0, dtype=bool)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-9)
    result: npt.NDArray[np.bool_] = level >= np.percentile(level, 90) - SPEECH_DB
    return result


def _voiced(frames: _Samples, rate: int) -> npt.NDArray[np.bool_]:
    """Frames with a pitch: the autocorrelation over twice the frame peaks at its period."""
    doubled = np.concatenate((frames, np.roll(frames, -1, axis=0)), axis=1)
    doubled = doubled - doubled.mean(axis=1, keepdims=True)
    size = 2 * doubled.shape[1]
    spectrum = np.abs(np.fft.rfft(doubled, size, axis=1)) ** 2
    correlation = np.fft.irfft(spectrum, size, axis=1)
    shortest, longest = int(rate / PITCH_HZ[1]), int(rate / PITCH_HZ[0])
    lags = np.arange(shortest, longest)
    # The overlap shrinks with the lag.
    unbiased = correlation[:, lags] * doubled.shape[1] / (doubled.shape[1] - lags)
    peak = unbiased.max(axis=1) / np.maximum(correlation[:, 0], 1e-9)
    result: npt.NDArray[np.bool_] = peak >= VOICED
    return result


def _steady(frames: _Samples) -> npt.NDArray[np.bool_]:
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]), axis=1))[:, 2:80]
    bands = np.add.reduceat(spectrum, np.arange(0, spectrum.shape[1], 6), axis=1)
    shape = bands / np.maximum(bands.sum(axis=1, keepdims=True), 1e-9)
    change = np.abs(np.diff(shape, axis=0, prepend=shape[:1])).sum(axis=1) / 2
    smooth = np.convolve(change, np.ones(3) / 3, mode="same")
    result: npt.NDArray[np.bool_] = smooth <= STEADY
    return result


def _longest(held: npt.NDArray[np.bool_]) -> tuple[int, int] | None:
    best: tuple[int, int] | None = None
    start: int | None = None
    for place, on in enumerate([*held.tolist(), False]):
        if on and start is None:
            start = place
        elif not on and start is not None:
            if best is None or place - start > best[1] - best[0]:
                best = (start, place)
            start = None
    return best
