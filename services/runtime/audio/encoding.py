"""Samples to bytes, piece by piece: raw samples (G.711 among them), WAV, FLAC and Opus in Ogg.

The pieces, joined, are the file. WAV and Opus are streamed; WAV's header marks the length as
unknown, the way ffmpeg does when it writes to a pipe. FLAC comes out at the end: libsndfile cannot
read a FLAC file in one go when its header leaves the length open.
"""

from __future__ import annotations

import enum
import struct
import tempfile
from collections.abc import Callable
from typing import Protocol

import numpy as np
import soundfile

from services.runtime.audio.g711 import alaw_from_float, mulaw_from_float
from services.runtime.audio.pcm import Float32, s16le_from_float

OPUS_RATES_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)
"""The rates Opus codes (RFC 6716, section 2)."""


# A longer FLAC file waits on disk for its end.
_SPOOL_BYTES = 4 * 1024 * 1024


class Encoding(enum.Enum):
    """How samples are written."""

    PCM_S16LE = "pcm_s16le"
    PCM_F32LE = "pcm_f32le"
    WAV = "wav"
    MULAW = "mulaw"
    ALAW = "alaw"
    FLAC = "flac"
    OGG_OPUS = "ogg_opus"


class Encoder(Protocol):
    """Writes one stream of mono samples. Use `close` once, last."""

    def encode(self, samples: Float32) -> bytes:
        """The bytes that are ready after these samples; a file's may lag behind them."""

    def close(self) -> bytes:
        """The rest of the bytes."""


def encodable_rate(encoding: Encoding, sample_rate_hz: int) -> int:
    """The lowest rate of the encoding that loses nothing, in Hz; the highest there is if none."""
    if encoding is not Encoding.OGG_OPUS:
        return sample_rate_hz
    return next((rate for rate in OPUS_RATES_HZ if rate >= sample_rate_hz), OPUS_RATES_HZ[-1])


def open_encoder(encoding: Encoding, sample_rate_hz: int) -> Encoder:
    """An encoder of mono samples.

    Raises:
        ValueError: The encoding does not know the rate.
    """
    if encodable_rate(encoding, sample_rate_hz) != sample_rate_hz:
        raise ValueError(f"{encoding.value} has no rate of {sample_rate_hz} Hz")
    match encoding:
        case Encoding.WAV:
            return _Wav(sample_rate_hz)
        case Encoding.FLAC:
            return _Flac(sample_rate_hz)
        case Encoding.OGG_OPUS:
            return _OggOpus(sample_rate_hz)
        case _:
            return _Raw(_RAW[encoding])


def _f32le_from_float(samples: Float32) -> bytes:
    return samples.astype("<f4").tobytes()


_RAW = {
    Encoding.PCM_S16LE: s16le_from_float,
    Encoding.PCM_F32LE: _f32le_from_float,
    Encoding.MULAW: mulaw_from_float,
    Encoding.ALAW: alaw_from_float,
}


class _Raw:
    def __init__(self, encode: Callable[[Float32], bytes]) -> None:
        self._encode = encode

    def encode(self, samples: Float32) -> bytes:
        return self._encode(samples)

    def close(self) -> bytes:
        return b""


def wav_header(sample_rate_hz: int, data_bytes: int | None = None) -> bytes:
    """The 44 bytes before 16-bit mono samples; None leaves the length unknown (all bits set)."""
    unknown = 0xFFFFFFFF
    data = unknown if data_bytes is None else data_bytes
    riff = unknown if data_bytes is None else data_bytes + 36
    layout = struct.pack("<IHHIIHH", 16, 1, 1, sample_rate_hz, sample_rate_hz * 2, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + layout + b"data" + struct.pack("<I", data)
    )


class _Wav:
    def __init__(self, sample_rate_hz: int) -> None:
        self._header = wav_header(sample_rate_hz)

    def encode(self, samples: Float32) -> bytes:
        header, self._header = self._header, b""
        return header + s16le_from_float(samples)

    def close(self) -> bytes:
        header, self._header = self._header, b""
        return header


class _Flac:
    def __init__(self, sample_rate_hz: int) -> None:
        self._spool = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - closed in close
        self._file = soundfile.SoundFile(
            self._spool, "w", sample_rate_hz, 1, format="FLAC", subtype="PCM_16"
        )

    def encode(self, samples: Float32) -> bytes:
        # libsndfile wraps floats beyond full scale around when it writes integers.
        self._file.write(np.clip(samples, -1.0, 1.0))
        return b""

    def close(self) -> bytes:
        with self._spool as spool:
            self._file.close()
            spool.seek(0)
            return spool.read()


class _Pipe:
    """A file that only grows, as Ogg pages do."""

    def __init__(self) -> None:
        self._length = 0
        self._pending = bytearray()

    def write(self, data: bytes) -> int:
        self._pending += data
        self._length += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._length

    def tell(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        return b""

    def take(self) -> bytes:
        taken = bytes(self._pending)
        self._pending.clear()
        return taken


class _OggOpus:
    def __init__(self, sample_rate_hz: int) -> None:
        self._pipe = _Pipe()
        self._file = soundfile.SoundFile(
            self._pipe, "w", sample_rate_hz, 1, format="OGG", subtype="OPUS"
        )

    def encode(self, samples: Float32) -> bytes:
        self._file.write(np.clip(samples, -1.0, 1.0))
        return self._pipe.take()

    def close(self) -> bytes:
        self._file.close()
        return self._pipe.take()
