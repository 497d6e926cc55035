"""Rumble and offset taken out: what lies below voices hides quiet speech from all that follows."""

from __future__ import annotations

import math

import numpy as np

from services.asr.engines.engine import SAMPLE_RATE, Float32

_CUTOFF_HZ = 70.0
"""Under the lowest voices, which reach down to about 80 Hz."""
_BLOCK = 320
"""Samples (20 ms) that are computed as one product of matrices."""


class HighPass:
    """A second-order Butterworth high-pass for a 16 kHz mono stream; adds no delay."""

    def __init__(self) -> None:
        # The bilinear transform (Oppenheim and Schafer), as state space of the transposed form.
        warped = math.tan(math.pi * _CUTOFF_HZ / SAMPLE_RATE)
        scale = 1 / (1 + math.sqrt(2) * warped + warped**2)
        a1, a2 = 2 * (warped**2 - 1) * scale, (1 - math.sqrt(2) * warped + warped**2) * scale
        step = np.array([[-a1, 1.0], [-a2, 0.0]])
        entry = scale * np.array([-2 - a1, 1 - a2])
        self._powers = [np.eye(2)]
        for _ in range(_BLOCK):
            self._powers.append(step @ self._powers[-1])
        self._of_state = np.array([power[0] for power in self._powers[:_BLOCK]])
        self._into_state = np.array([power @ entry for power in reversed(self._powers[:_BLOCK])]).T
        response = np.concatenate(([scale], (self._of_state @ entry)[:-1]))
        delay = np.subtract.outer(np.arange(_BLOCK), np.arange(_BLOCK))
        self._of_input = np.where(delay >= 0, response[np.maximum(delay, 0)], 0.0)
        self._state = np.zeros(2)

    def feed(self, samples: Float32, *, last: bool = False) -> Float32:
        """The next samples, filtered."""
        out = np.empty(len(samples), dtype=np.float32)
        for start in range(0, len(samples), _BLOCK):
            block = samples[start : start + _BLOCK].astype(np.float64)
            count = len(block)
            out[start : start + count] = (
                self._of_state[:count] @ self._state + self._of_input[:count, :count] @ block
            )
            self._state = (
                self._powers[count] @ self._state + self._into_state[:, _BLOCK - count :] @ block
            )
        return out
