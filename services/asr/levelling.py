"""Quiet speech brought to a usual level, before voice activity and recognition.

Voice activity hears a distant microphone's speech as silence long before it is too quiet to be
understood. The gain follows the speech alone, slowly, and never turns down.
"""

from __future__ import annotations

import numpy as np

from services.asr.engines.engine import SAMPLE_RATE, Float32

_HOP = 320
"""Samples (20 ms) that one gain is decided for."""
_HOPS_A_SECOND = SAMPLE_RATE / _HOP
_TARGET = -26.0
"""Level of speech aimed for, in dB of full scale (the usual active level, ITU-T P.56)."""
_MOST = 30.0
"""dB."""
_AUDIBLE = -72.0
"""dB of full scale: what is quieter may be a converter's own noise."""
_ABOVE_NOISE = 9.0
"""dB over the noise from which a hop counts as speech."""
_FLOOR_RISE = 4.0 / _HOPS_A_SECOND
"""The noise's level follows every fall at once and a rise by 4 dB a second."""
_LOUDER, _QUIETER = 0.3, 0.05
"""How much of the way the level follows a hop of louder, and of quieter speech."""
_SLEW = 20.0 / _HOPS_A_SECOND
"""The gain rises by 20 dB a second at most; it falls at once, before loud speech clips."""


class Leveller:
    """Levels a 16 kHz mono stream. Output is aligned with input, up to 20 ms later."""

    def __init__(self) -> None:
        self._pending = np.zeros(0, dtype=np.float32)
        self._floor: float | None = None
        self._level = _TARGET
        self._gain = 0.0

    def feed(self, samples: Float32, *, last: bool = False) -> Float32:
        """The next samples, levelled; `last` flushes the rest."""
        pending = np.concatenate((self._pending, samples))
        whole = len(pending) // _HOP * _HOP
        out = self._levelled(pending[:whole].reshape(-1, _HOP)).reshape(-1)
        self._pending = pending[whole:]
        if last and len(self._pending):
            out = np.concatenate((out, self._levelled(self._pending[None]).reshape(-1)))
            self._pending = np.zeros(0, dtype=np.float32)
        return out

    def _levelled(self, hops: Float32) -> Float32:
        """Hops of one length, [hops, samples], each with its gain."""
        levels = 10 * np.log10(np.mean(hops * hops, axis=1, dtype=np.float64) + 1e-12)
        headrooms = -20 * np.log10(np.abs(hops).max(axis=1, initial=0.0) + 1e-9)
        gains = [
            self._follow(level, headroom)
            for level, headroom in zip(levels.tolist(), headrooms.tolist(), strict=True)
        ]
        if not any(first or second for first, second in gains):
            return hops
        # From one gain to the next without a step, and never beyond full scale.
        ends: Float32 = (10 ** (np.array(gains) / 20)).astype(np.float32)
        slope = np.linspace(0, 1, hops.shape[1], dtype=np.float32)
        return hops * (ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * slope)

    def _follow(self, level: float, headroom: float) -> tuple[float, float]:
        """The gains a hop begins and ends with, in dB."""
        self._floor = level if self._floor is None else min(level, self._floor + _FLOOR_RISE)
        if level > max(_AUDIBLE, self._floor + _ABOVE_NOISE):
            rate = _LOUDER if level > self._level else _QUIETER
            self._level += rate * (level - self._level)
        before = self._gain
        wanted = min(_MOST, _TARGET - self._level)
        self._gain = max(0.0, min(wanted, before + _SLEW, headroom))
        return min(before, max(0.0, headroom)), self._gain
