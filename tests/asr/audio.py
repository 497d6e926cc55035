"""Audio for tests: files read, noise made, bytes shaped."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import soundfile

from services.asr.engines.engine import SAMPLE_RATE, Float32
from services.runtime.audio import pcm


def read_wav(path: Path) -> Float32:
    """A 16 kHz mono 16-bit file's samples."""
    with wave.open(str(path)) as file:
        return pcm.float_from_s16le(file.readframes(file.getnframes()))


def encoded(samples: Float32, rate: int, container: str, subtype: str | None = None) -> bytes:
    """The samples, [n] or [n, channels], as a file soundfile knows: "WAV", "FLAC", "OGG"."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def silence(seconds: float) -> Float32:
    return np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)


def white_noise(seconds: float, level: float = 0.05) -> Float32:
    generator = np.random.default_rng(7)
    return generator.normal(0, level, round(seconds * SAMPLE_RATE)).astype(np.float32)


def words(text: str) -> list[str]:
    """The words of a text, letters only, lower case."""
    spaced = text.casefold().replace("-", " ")
    return ["".join(filter(str.isalnum, word)) for word in spaced.split()]
