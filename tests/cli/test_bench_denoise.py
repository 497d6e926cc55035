"""The noise that the benchmark makes."""

from __future__ import annotations

import numpy as np
import pytest

from services.cli.bench.denoise import NOISES, mixed, noise

RATE = 16_000


@pytest.mark.parametrize("kind", NOISES)
def test_noise_has_the_asked_ratio_to_the_speech(kind: str) -> None:
    speech = (0.1 * np.sin(np.arange(3 * RATE) / 20)).astype(np.float32)
    voice = np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)
    made = noise(kind, len(speech), [voice])
    np.testing.assert_array_equal(made, noise(kind, len(speech), [voice]))
    for ratio in (0, 10):
        together = mixed(speech, made, ratio)
        scale = float(np.dot(together, speech) / np.dot(speech, speech))
        rest = together - scale * speech
        found = 10 * np.log10(np.mean((scale * speech) ** 2) / np.mean(rest**2))
        assert found == pytest.approx(ratio, abs=1.5)
        assert np.abs(together).max() <= 0.91
