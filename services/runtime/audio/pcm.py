"""Raw samples: 16-bit and float, mixing down, resampling a stream."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

Float32 = npt.NDArray[np.float32]


def float_from_s16le(data: bytes) -> Float32:
    """Samples in [-1, 1) from signed 16-bit little-endian bytes.

    Raises:
        ValueError: The bytes are no whole samples.
    """
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768)


def float_from_f32le(data: bytes) -> Float32:
    """Samples from 32-bit little-endian floats, sound ones.

    Raises:
        ValueError: The bytes are no whole samples.
    """
    return sound(np.frombuffer(data, dtype="<f4").astype(np.float32))


def sound(samples: Float32) -> Float32:
    """The samples as a converter could play them, within [-1, 1].

    Not-a-number and infinities become silence: one of them would stay in every filter after it.
    """
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0)


def s16le_from_float(samples: Float32) -> bytes:
    """Signed 16-bit little-endian bytes; samples outside [-1, 1] are clipped."""
    scaled = np.round(np.clip(samples, -1.0, 1.0) * 32767.0)
    return scaled.astype("<i2").tobytes()


def mono(samples: Float32, channels: int) -> Float32:
    """The mean of interleaved channels.

    Raises:
        ValueError: The samples are no whole frames.
    """
    if channels == 1:
        return samples
    mixed: Float32 = samples.reshape(-1, channels).mean(axis=1, dtype=np.float32)
    return mixed


class StreamResampler:
    """Changes the rate of a stream piece by piece, without seams between the pieces."""

    def __init__(self, source_hz: int, target_hz: int) -> None:
        """Takes both rates in Hz; equal rates pass through."""
        self._stream = (
            None
            if source_hz == target_hz
            else soxr.ResampleStream(source_hz, target_hz, 1, dtype="float32", quality="HQ")
        )

    def feed(self, samples: Float32, *, last: bool = False) -> Float32:
        """Resamples the next piece; `last` flushes what the filter still holds."""
        if self._stream is None:
            return samples
        resampled: Float32 = self._stream.resample_chunk(samples, last=last)
        return resampled
