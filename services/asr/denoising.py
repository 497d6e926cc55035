"""Steady background noise turned down: spectral gating on a stream.

Each frequency's noise level follows the signal's minima (after Martin 2001, minimum statistics); a
Wiener-like gain turns down what is near that level. It suits fans, hum and hiss, not voices.
"""

from __future__ import annotations

import numpy as np

from services.runtime.audio.pcm import Float32

_WINDOW = 512
_HOP = 128
_BINS = _WINDOW // 2 + 1
_POWER_SMOOTHING = 0.85
# The noise level follows a fall within a few hops and a rise over about 15 s (hop 8 ms),
# so that a long vowel is not taken for noise.
_FALL = 0.2
_RISE = 0.0005
# The first quarter of a second is taken as noise, for want of better.
_LEARNING_HOPS = 32
_LEARNING_RATE = 0.1
# More than the estimate is subtracted: minima lie under the mean, and what is left would twitter
# (Berouti et al. 1979).
_SUBTRACTED = 2.0
_FLOOR = 0.1
"""The least gain (-20 dB): more would sound, and decode, worse."""
_SMOOTHING = 0.6


class SpectralGate:
    """Turns steady noise down in a 16 kHz mono stream; output is aligned with input."""

    def __init__(self) -> None:
        # A square-root Hann window, used twice, adds up to 2 at a quarter's hop.
        self._shape = np.sqrt(np.hanning(_WINDOW + 1)[:-1]).astype(np.float32)
        self._input = np.zeros(_WINDOW - _HOP, dtype=np.float32)
        self._overlap = np.zeros(_WINDOW, dtype=np.float32)
        self._power: Float32 | None = None
        self._noise = np.zeros(_BINS, dtype=np.float32)
        self._gain = np.ones(_BINS, dtype=np.float32)
        self._hops = 0
        self._skip = _WINDOW - _HOP

    def feed(self, samples: Float32, *, last: bool = False) -> Float32:
        """The next samples, denoised; they lag behind by up to 32 ms. `last` flushes the rest."""
        if last:
            samples = np.concatenate((samples, np.zeros(_WINDOW, dtype=np.float32)))
        pending = np.concatenate((self._input, samples))
        hops = max(0, (len(pending) - _WINDOW) // _HOP + 1)
        out = np.zeros(hops * _HOP, dtype=np.float32)
        for hop in range(hops):
            piece = pending[hop * _HOP : hop * _HOP + _WINDOW]
            self._overlap += self._gated(piece)
            out[hop * _HOP : (hop + 1) * _HOP] = self._overlap[:_HOP]
            self._overlap = np.concatenate((self._overlap[_HOP:], np.zeros(_HOP, dtype=np.float32)))
        self._input = pending[hops * _HOP :]
        skipped = min(self._skip, len(out))
        self._skip -= skipped
        return out[skipped:]

    def _gated(self, piece: Float32) -> Float32:
        spectrum = np.fft.rfft(piece * self._shape)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        noise = self._follow(power)
        ratio = np.maximum(0.0, 1.0 - _SUBTRACTED * noise / np.maximum(power, 1e-10))
        gain = np.maximum(_FLOOR, np.sqrt(ratio)).astype(np.float32)
        self._gain = _SMOOTHING * self._gain + (1 - _SMOOTHING) * gain
        shaped = np.fft.irfft(spectrum * self._gain, _WINDOW) * self._shape / 2
        return shaped.astype(np.float32)

    def _follow(self, power: Float32) -> Float32:
        self._hops += 1
        if self._power is None:
            self._power, self._noise = power.copy(), power.copy()
            return self._noise
        self._power = _POWER_SMOOTHING * self._power + (1 - _POWER_SMOOTHING) * power
        rise = _LEARNING_RATE if self._hops < _LEARNING_HOPS else _RISE
        rate = np.where(self._power < self._noise, np.float32(_FALL), np.float32(rise))
        self._noise = (self._noise + rate * (self._power - self._noise)).astype(np.float32)
        return self._noise
