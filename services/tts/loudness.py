"""Loudness by ITU-R BS.1770-4, mono, and a limiter.

A voice gets one constant gain, measured once on a calibration line, so that its phrases keep their
own dynamics and none is pumped up or down.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from services.runtime.audio.pcm import Float32

_BLOCK_SECONDS = 0.4
_STEP_SECONDS = 0.1
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_CEILING_DBFS = -1.0
_LOOKAHEAD_SECONDS = 0.003


def integrated_loudness(samples: Float32, sample_rate_hz: int) -> float:
    """Gated loudness in LUFS; -inf for silence. Shorter than 0.4 s is one ungated block."""
    weighted = _k_weighted(samples, sample_rate_hz)
    block = round(_BLOCK_SECONDS * sample_rate_hz)
    step = round(_STEP_SECONDS * sample_rate_hz)
    if len(weighted) < block:
        powers = np.array([np.mean(weighted**2)]) if len(weighted) else np.zeros(1)
    else:
        blocks = np.lib.stride_tricks.sliding_window_view(weighted, block)[::step]
        powers = np.mean(blocks**2, axis=1)
    powers = powers[powers > _power(_ABSOLUTE_GATE_LUFS)]
    if not len(powers):
        return -math.inf
    gate = powers.mean() * 10 ** (_RELATIVE_GATE_LU / 10)
    return _lufs(float(powers[powers > gate].mean()))


def gain_to(target_lufs: float, measured_lufs: float, *, most_db: float = 20.0) -> float:
    """The linear gain between two loudnesses, kept within `most_db`; 1 for silence."""
    if not math.isfinite(measured_lufs):
        return 1.0
    return float(10 ** (min(max(target_lufs - measured_lufs, -most_db), most_db) / 20))


def limit(samples: Float32, sample_rate_hz: int) -> Float32:
    """The samples with peaks held under -1 dBFS by a gain that moves smoothly around them."""
    ceiling = 10 ** (_CEILING_DBFS / 20)
    peaks = np.abs(samples)
    if not len(samples) or peaks.max() <= ceiling:
        return samples
    reach = max(1, round(_LOOKAHEAD_SECONDS * sample_rate_hz))
    wanted = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9))
    window = np.lib.stride_tricks.sliding_window_view
    lowest = window(np.pad(wanted, 2 * reach, mode="edge"), 2 * reach + 1).min(axis=1)
    # The mean over a window of minima that all cover the peak never exceeds what the peak allows.
    kernel = np.full(2 * reach + 1, 1.0 / (2 * reach + 1))
    smooth = np.convolve(lowest, kernel, mode="valid")
    return (samples * smooth).astype(np.float32)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _lufs(power: float) -> float:
    return -0.691 + 10 * math.log10(power)


def _k_weighted(samples: Float32, sample_rate_hz: int) -> npt.NDArray[np.float64]:
    """The two filters of BS.1770 applied in the frequency domain."""
    if not len(samples):
        return np.zeros(0)
    # Room behind, so that the filters' tail does not wrap around to the start.
    size = 1 << (len(samples) + sample_rate_hz // 4 - 1).bit_length()
    z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    response = np.ones_like(z)
    for numerator, denominator in (_shelf(sample_rate_hz), _high_pass(sample_rate_hz)):
        response *= np.polyval(numerator[::-1], z) / np.polyval(denominator[::-1], z)
    spectrum = np.fft.rfft(samples.astype(np.float64), size)
    return np.fft.irfft(spectrum * response, size)[: len(samples)]


_Biquad = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def _shelf(sample_rate_hz: int) -> _Biquad:
    # The standard gives coefficients for 48 kHz only; these analogue parameters reproduce them
    # (De Man 2018, "Evaluation of implementations of the EBU R128 loudness measurement").
    centre, gain_db, q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
    k = math.tan(math.pi * centre / sample_rate_hz)
    high = 10 ** (gain_db / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    numerator = [high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k]
    denominator = [a0, 2 * (k * k - 1), 1 - k / q + k * k]
    return np.array(numerator) / a0, np.array(denominator) / a0


def _high_pass(sample_rate_hz: int) -> _Biquad:
    centre, q = 38.13547087602444, 0.5003270373238773
    k = math.tan(math.pi * centre / sample_rate_hz)
    a0 = 1 + k / q + k * k
    denominator = np.array([1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0])
    return np.array([1.0, -2.0, 1.0]), denominator
