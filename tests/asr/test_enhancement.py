"""Noise goes down, speech stays, nothing is shifted."""

from __future__ import annotations

import numpy as np
import pytest

from services.asr.denoising import SpectralGate
from services.asr.engines.engine import Float32
from services.asr.enhancement import Enhancement, Filter
from services.asr.high_pass import HighPass
from services.asr.levelling import Leveller
from services.asr.vad import SileroVad
from tests.asr.audio import read_wav, silence, white_noise
from tests.recordings import librivox


def filtered(each: Filter, samples: Float32, piece: int = 1600) -> Float32:
    pieces = [each.feed(samples[i : i + piece]) for i in range(0, len(samples), piece)]
    return np.concatenate([*pieces, each.feed(silence(0), last=True)])[: len(samples)]


@pytest.fixture(params=["neural", "gate"])
def denoiser(request: pytest.FixtureRequest) -> Filter:
    if request.param == "gate":
        return SpectralGate()
    loaded = Enhancement.load().denoiser()
    assert not isinstance(loaded, SpectralGate)
    return loaded


def power(samples: Float32) -> float:
    return float(np.mean(samples.astype(np.float64) ** 2))


def test_steady_noise_goes_down(denoiser: Filter) -> None:
    noise = white_noise(4)
    assert power(filtered(denoiser, noise)[16_000:]) < 0.25 * power(noise)


def test_clean_speech_stays_where_it_is(denoiser: Filter) -> None:
    speech = read_wav(librivox()[0].path)
    out = filtered(denoiser, speech)
    assert len(out) == len(speech)
    assert np.corrcoef(out, speech)[0, 1] > 0.95


def test_noisy_speech_comes_nearer_to_the_clean(denoiser: Filter) -> None:
    speech = np.concatenate([silence(1), read_wav(librivox()[0].path)])
    noisy = speech + white_noise(len(speech) / 16_000, level=0.03)
    assert power(filtered(denoiser, noisy) - speech) < power(noisy - speech)


@pytest.mark.parametrize("piece", [1, 77, 512, 16_000])
@pytest.mark.parametrize("kind", ["neural", "gate", "level", "high-pass"])
def test_pieces_of_any_size_give_the_same(kind: str, piece: int) -> None:
    enhancement = Enhancement.load()

    def fresh() -> Filter:
        if kind in {"level", "high-pass"}:
            return Leveller() if kind == "level" else HighPass()
        return enhancement.denoiser() if kind == "neural" else SpectralGate()

    speech = read_wav(librivox()[0].path)[:4_000]
    whole, pieces = filtered(fresh(), speech, 4_000), filtered(fresh(), speech, piece)
    assert len(whole) == len(speech)
    np.testing.assert_allclose(pieces, whole, atol=1e-5)


def active(samples: Float32) -> float:
    """The level of the loudest tenth, in dB of full scale."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    return float(10 * np.log10(np.quantile((frames**2).mean(axis=1), 0.9) + 1e-12))


def test_quiet_speech_is_brought_to_a_usual_level() -> None:
    speech = np.concatenate([read_wav(r.path) for r in librivox()[:2]])
    for gain in (0.5, 0.05, 0.02):
        assert -30 < active(filtered(Leveller(), speech * np.float32(gain))[32_000:]) < -15


def test_loud_speech_keeps_its_level_and_is_never_clipped() -> None:
    speech = read_wav(librivox()[0].path)
    loud = (speech / np.abs(speech).max()).astype(np.float32)
    assert active(filtered(Leveller(), loud)) == pytest.approx(active(loud), abs=1.0)
    sudden = np.concatenate([speech * np.float32(0.02), loud])
    assert np.abs(filtered(Leveller(), sudden)).max() <= 1.0


def test_silence_and_steady_noise_are_not_turned_up() -> None:
    for quiet in (silence(5), white_noise(5, level=0.001)):
        np.testing.assert_array_equal(filtered(Leveller(), quiet), quiet)


@pytest.mark.parametrize(
    ("hertz", "least", "most"), [(0, -99, -60), (25, -30, -15), (200, -1, 0.1)]
)
def test_rumble_goes_and_voices_stay(hertz: float, least: float, most: float) -> None:
    tone = np.cos(2 * np.pi * hertz * np.arange(32_000) / 16_000).astype(np.float32)
    left = filtered(HighPass(), tone)[16_000:]
    assert least < 10 * np.log10(power(left) / power(tone) + 1e-9) < most


def test_quiet_speech_over_an_offset_is_noticed(vad: SileroVad) -> None:
    speech = np.concatenate([read_wav(r.path) for r in librivox()[:2]])
    hidden = speech * np.float32(0.01) + np.float32(0.3)
    cleaned = filtered(Enhancement(None).filters(denoise=False), hidden)
    assert np.mean(vad.stream().feed(hidden) > 0.5) < 0.3
    assert np.mean(vad.stream().feed(cleaned) > 0.5) > 0.6
