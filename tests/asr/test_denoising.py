"""Steady noise goes down, speech stays, nothing is shifted."""

from __future__ import annotations

import numpy as np
import pytest

from services.asr.denoising import SpectralGate
from services.asr.engines.engine import Float32
from tests.asr.audio import read_wav, silence, white_noise
from tests.recordings import librivox


def denoised(samples: Float32, piece: int = 1600) -> Float32:
    gate = SpectralGate()
    pieces = [gate.feed(samples[i : i + piece]) for i in range(0, len(samples), piece)]
    return np.concatenate([*pieces, gate.feed(silence(0), last=True)])[: len(samples)]


def power(samples: Float32) -> float:
    return float(np.mean(samples.astype(np.float64) ** 2))


def test_steady_noise_goes_down() -> None:
    noise = white_noise(4)
    assert power(denoised(noise)[16_000:]) < 0.25 * power(noise)


def test_clean_speech_stays_where_it_is() -> None:
    speech = read_wav(librivox()[0].path)
    out = denoised(speech)
    assert len(out) == len(speech)
    assert np.corrcoef(out, speech)[0, 1] > 0.95


def test_noisy_speech_comes_nearer_to_the_clean() -> None:
    speech = np.concatenate([silence(1), read_wav(librivox()[0].path)])
    noisy = speech + white_noise(len(speech) / 16_000, level=0.03)
    assert power(denoised(noisy) - speech) < power(noisy - speech)


@pytest.mark.parametrize("piece", [1, 77, 512, 16_000])
def test_pieces_of_any_size_give_the_same(piece: int) -> None:
    speech = read_wav(librivox()[0].path)[:8_000]
    np.testing.assert_allclose(denoised(speech, piece), denoised(speech, 8_000), atol=1e-5)
