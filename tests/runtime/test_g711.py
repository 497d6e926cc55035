"""G.711 says what libsndfile says."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from services.runtime.audio.g711 import (
    alaw_from_float,
    float_from_alaw,
    float_from_mulaw,
    mulaw_from_float,
)
from services.runtime.audio.pcm import Float32

Decode = Callable[[bytes], Float32]
Encode = Callable[[Float32], bytes]

LAWS = pytest.mark.parametrize(
    ("subtype", "decode", "encode"),
    [
        ("ULAW", float_from_mulaw, mulaw_from_float),
        ("ALAW", float_from_alaw, alaw_from_float),
    ],
)


@LAWS
def test_every_code_means_what_libsndfile_says(
    subtype: str, decode: Decode, encode: Encode
) -> None:
    codes = bytes(range(256))
    theirs, _ = soundfile.read(
        io.BytesIO(codes),
        dtype="float32",
        format="RAW",
        subtype=subtype,
        channels=1,
        samplerate=8000,
    )
    np.testing.assert_array_equal(decode(codes), theirs)


@LAWS
def test_a_sample_becomes_the_nearest_code(subtype: str, decode: Decode, encode: Encode) -> None:
    samples = np.random.default_rng(7).uniform(-1.2, 1.2, 5000).astype(np.float32)
    heard = decode(encode(samples))
    levels = decode(bytes(range(256)))
    clipped = np.clip(samples, levels.min(), levels.max())
    nearest = np.abs(clipped[:, None] - levels[None, :]).min(axis=1)
    np.testing.assert_allclose(np.abs(heard - clipped), nearest, atol=1e-7)


@LAWS
def test_what_was_coded_is_coded_the_same_again(
    subtype: str, decode: Decode, encode: Encode
) -> None:
    codes = np.random.default_rng(3).integers(0, 256, 1000).astype(np.uint8).tobytes()
    assert decode(encode(decode(codes))).tolist() == decode(codes).tolist()
