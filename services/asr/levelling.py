"""Quiet speech brought to a usual level, before voice activity and recognition.

Voice activity hears a distant microphone's speech as silence long before it is too quiet to be
understood. The gain follows the speech alone, slowly, and never turns down.
"""

from __future__ import annotations

import math

import numpy as np

from services.asr.engines.engine import SAMPLE_RATE, Float32

_HOP = 320
"""Samples (20 ms) that one gain is decided for."""
_HOPS_A_SECOND = SAMPLE_RATE / _HOP
_TARGET = -26.0
"""Level of speech aimed for, in dB of full scale (ITU-T P.56's usual active level)."""
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
        count = len(pending) // _HOP * _HOP
        out = [self._levelled(pending[i : i + _HOP]) for i in range(0, count, _HOP)]
        self._pending = pending[count:]
        if last and len(self._pending):
            out.append(self._levelled(self._pending))
            self._pending = np.zeros(0, dtype=np.float32)
        return np.concatenate(out) if out else np.zeros(0, dtype=np.float32)

    def _levelled(self, hop: Float32) -> Float32:
        level = 10 * math.log10(float(np.mean(hop * hop)) + 1e-12)
        before = self._gain
        self._follow(level)
        loudest = float(np.abs(hop).max(initial=0.0))
        headroom = -20 * math.log10(loudest + 1e-9)
        wanted = min(_MOST, _TARGET - self._level)
        self._gain = max(0.0, min(wanted, self._gain + _SLEW, headroom))
        if self._gain == before == 0.0:
            return hop
        # From one gain to the next without a step, and never beyond full scale.
        first, second = 10 ** (min(before, max(0.0, headroom)) / 20), 10 ** (self._gain / 20)
        return (hop * np.linspace(first, second, len(hop), dtype=np.float32)).astype(np.float32)

    def _follow(self, level: float) -> None:
        self._floor = level if self._floor is None else min(level, self._floor + _FLOOR_RISE)
        if level > max(_AUDIBLE, self._floor + _ABOVE_NOISE):
            rate = _LOUDER if level > self._level else _QUIETER
            self._level += rate * (level - self._level)
