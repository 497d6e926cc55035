"""Loudness, peaks, silence and pauses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.audio.pcm import Float32
from services.tts.loudness import gain_to, integrated_loudness, limit
from services.tts.pacing import pause_after, trim, voiced_region


def sine(hertz: float, seconds: float, amplitude: float, rate: int = 48_000) -> Float32:
    times = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 48_000])
def test_the_standards_reference_tone_is_read_right(rate: int) -> None:
    # BS.1770-4: a 997 Hz sine of full scale in one channel reads -3.01 LKFS.
    assert integrated_loudness(sine(997, 3, 1.0, rate), rate) == pytest.approx(-3.01, abs=0.1)


def test_silence_has_no_loudness_and_no_gain() -> None:
    assert integrated_loudness(np.zeros(48_000, np.float32), 48_000) == -math.inf
    assert integrated_loudness(np.zeros(0, np.float32), 48_000) == -math.inf
    assert gain_to(-18, -math.inf) == 1.0


def test_pauses_do_not_count() -> None:
    tone = sine(997, 2, 0.1)
    paused = np.concatenate([tone, np.zeros(4 * 48_000, np.float32), tone])

    assert integrated_loudness(paused, 48_000) == pytest.approx(
        integrated_loudness(tone, 48_000), abs=0.5
    )


def test_the_gain_reaches_the_target() -> None:
    tone = sine(500, 2, 0.03)
    gain = gain_to(-18, integrated_loudness(tone, 48_000))

    assert integrated_loudness(tone * np.float32(gain), 48_000) == pytest.approx(-18, abs=0.05)


@given(st.lists(st.floats(-4, 4, width=32), max_size=400))
def test_no_peak_passes_the_limiter(values: list[float]) -> None:
    samples = np.array(values, dtype=np.float32)

    limited = limit(samples, 24_000)

    assert len(limited) == len(samples)
    assert np.abs(limited).max(initial=0) <= 10 ** (-1 / 20) + 1e-5


def test_what_is_not_loud_passes_the_limiter_untouched() -> None:
    samples = sine(300, 0.1, 0.8)

    np.testing.assert_array_equal(limit(samples, 48_000), samples)


def test_silence_at_the_edges_is_cut_to_a_constant() -> None:
    rate = 24_000
    tone = sine(300, 0.5, 0.5, rate)
    samples = np.concatenate([np.zeros(rate, np.float32), tone, np.zeros(2 * rate, np.float32)])

    kept, skipped = trim(samples, rate)

    assert len(kept) / rate == pytest.approx(0.59, abs=0.02)
    assert skipped / rate == pytest.approx(0.97, abs=0.011)
    assert kept[0] == 0


def test_nothing_but_silence_has_no_voiced_region() -> None:
    assert voiced_region(np.zeros(1000, np.float32), 24_000) == (0, 0)
    assert voiced_region(np.zeros(0, np.float32), 24_000) == (0, 0)
    assert len(trim(np.zeros(1000, np.float32), 24_000)[0]) < 2500


def test_a_sentence_pauses_longer_than_a_clause_and_a_forced_cut_not_at_all() -> None:
    clause, sentence = (pause_after(mark, factor=1, speed=1) for mark in ",.")

    assert 0 < clause < sentence < 0.5
    assert pause_after("", factor=1, speed=1) == 0
    assert pause_after(".", factor=1.2, speed=2) == pytest.approx(sentence * 0.6)
