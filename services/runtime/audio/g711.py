"""G.711, the telephone network's samples: 14 or 13 bits of range in a byte (ITU-T G.711, 1988)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from services.runtime.audio.pcm import Float32

_UInt8 = npt.NDArray[np.uint8]


def float_from_mulaw(data: bytes) -> Float32:
    """Samples in [-1, 1) from mu-law bytes."""
    return _MULAW[np.frombuffer(data, dtype=np.uint8)]


def float_from_alaw(data: bytes) -> Float32:
    """Samples in [-1, 1) from A-law bytes."""
    return _ALAW[np.frombuffer(data, dtype=np.uint8)]


def mulaw_from_float(samples: Float32) -> bytes:
    """Mu-law bytes, the nearest code for each sample; samples outside [-1, 1] are clipped."""
    return _nearest(samples, _MULAW)


def alaw_from_float(samples: Float32) -> bytes:
    """A-law bytes, the nearest code for each sample; samples outside [-1, 1] are clipped."""
    return _nearest(samples, _ALAW)


def _mulaw_table() -> Float32:
    """What each code stands for: G.711's table 2, scaled from 14 bits with a bias of 33."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = ((2 * mantissa + 33) << exponent) - 33
    return _signed(magnitude, code & 0x80 == 0, full_scale=8192)


def _alaw_table() -> Float32:
    """What each code stands for: G.711's table 1, scaled from 13 bits; even bits are inverted."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    linear = 2 * mantissa + 1
    magnitude = np.where(exponent == 0, linear, (linear + 32) << np.maximum(exponent - 1, 0))
    return _signed(magnitude, code & 0x80 != 0, full_scale=4096)


def _signed(
    magnitude: npt.NDArray[np.int32], positive: npt.NDArray[np.bool_], full_scale: int
) -> Float32:
    return (np.where(positive, magnitude, -magnitude) / full_scale).astype(np.float32)


def _nearest(samples: Float32, table: Float32) -> bytes:
    codes = np.argsort(table, kind="stable").astype(np.uint8)
    levels = table[codes]
    bounds = (levels[1:] + levels[:-1]) / 2
    return codes[np.searchsorted(bounds, samples)].tobytes()


_MULAW = _mulaw_table()
_ALAW = _alaw_table()
