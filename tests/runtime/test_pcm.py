"""Samples survive their encodings, and a resampled stream has no seams."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.audio.pcm import (
    StreamResampler,
    float_from_f32le,
    float_from_s16le,
    mono,
    s16le_from_float,
)


@given(st.binary(max_size=400).filter(lambda data: len(data) % 2 == 0))
def test_16_bit_samples_survive_a_round_trip_within_one_step(data: bytes) -> None:
    samples = float_from_s16le(data)
    back = float_from_s16le(s16le_from_float(samples))
    assert np.abs(back - samples).max(initial=0) <= 1.5 / 32768


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        float_from_s16le(b"\x00")


def test_what_is_no_number_becomes_silence_and_what_is_too_loud_is_clipped() -> None:
    data = np.array([np.nan, np.inf, -np.inf, 7.0, -7.0, 0.5], dtype="<f4").tobytes()
    assert float_from_f32le(data).tolist() == [0.0, 0.0, 0.0, 1.0, -1.0, 0.5]


def test_channels_are_mixed_by_their_mean() -> None:
    assert mono(np.array([1.0, 0.0, 0.5, 0.5], dtype=np.float32), 2).tolist() == [0.5, 0.5]


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=12))
def test_a_stream_resampled_in_pieces_is_the_whole_resampled_at_once(sizes: list[int]) -> None:
    time = np.arange(sum(sizes)) / 48000
    whole = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    stream = StreamResampler(48000, 16000)
    pieces = np.split(whole, np.cumsum(sizes)[:-1])
    joined = np.concatenate(
        [stream.feed(piece, last=n == len(pieces) - 1) for n, piece in enumerate(pieces)]
    )
    expected = soxr.resample(whole, 48000, 16000)
    assert abs(len(joined) - len(expected)) <= 1
    common = min(len(joined), len(expected))
    np.testing.assert_allclose(joined[:common], expected[:common], atol=1e-3)


def test_equal_rates_pass_through() -> None:
    samples = np.ones(10, dtype=np.float32)
    assert StreamResampler(16000, 16000).feed(samples) is samples
