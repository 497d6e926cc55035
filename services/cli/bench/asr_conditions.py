"""Recordings as they are seldom but sometimes: over the telephone, clipped, noisy, with pauses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soxr

from services.cli.bench.recordings import Recording
from services.runtime.audio.pcm import Float32

RATE = 16_000
CONDITIONS = ("clean", "8 kHz", "clipped", "noise 10 dB", "long pauses", "fast")
_NARROW = 8_000
_GAIN = 12.0
_SNR_DB = 10.0
_PAUSE_SECONDS = 1.6
_TEMPO = 1.25
_FRAME = 512
_SUFFIXES = (".wav", ".flac", ".ogg")


def folder_of_recordings(folder: Path) -> list[Recording]:
    """The recordings of a folder: NAME.wav, .flac or .ogg with its transcript in NAME.txt.

    Raises:
        LookupError: It holds none, or one without its transcript.
    """
    files = sorted(f for f in folder.iterdir() if f.suffix in _SUFFIXES) if folder.is_dir() else []
    if not files:
        raise LookupError(f"{folder} holds no .wav, .flac or .ogg recording")
    recordings = []
    for file in files:
        transcript = file.with_suffix(".txt")
        if not transcript.is_file():
            raise LookupError(f"{file.name} has no transcript {transcript.name} beside it")
        text = " ".join(transcript.read_text(encoding="utf-8").split())
        recordings.append(Recording(file, text))
    return recordings


def under(condition: str, samples: Float32, *, seed: int = 0) -> Float32:
    """The samples (16 kHz mono) under one of CONDITIONS; the noise is the same for each seed."""
    match condition:
        case "8 kHz":
            narrow = soxr.resample(samples, RATE, _NARROW)
            return np.asarray(soxr.resample(narrow, _NARROW, RATE), dtype=np.float32)
        case "clipped":
            return np.asarray(np.clip(_GAIN * samples / _peak(samples), -1, 1), dtype=np.float32)
        case "noise 10 dB":
            return _noisy(samples, np.random.default_rng(seed))
        case "long pauses":
            return _paused(samples)
        case "fast":
            # Higher as well, as a tape played too fast.
            return np.asarray(soxr.resample(samples, RATE * _TEMPO, RATE), dtype=np.float32)
        case _:
            return samples


def _peak(samples: Float32) -> float:
    return max(1e-6, float(np.abs(samples).max(initial=0.0)))


def _noisy(samples: Float32, generator: np.random.Generator) -> Float32:
    """With pink noise, measured against the loud half of the frames."""
    white = np.fft.rfft(generator.normal(0, 1, len(samples)))
    pink = np.fft.irfft(white / np.sqrt(np.maximum(1, np.arange(len(white)))), len(samples))
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    powers = np.sort(np.mean(frames**2, axis=1)) if len(frames) else np.ones(1)
    power = float(np.mean(powers[len(powers) // 2 :])) / 10 ** (_SNR_DB / 10)
    noisy = samples + pink * np.sqrt(power / np.mean(pink**2))
    return np.asarray(noisy / max(1.0, float(np.abs(noisy).max())), dtype=np.float32)


def _paused(samples: Float32) -> Float32:
    """With a long pause wherever there is a short one: 0.25 s at a fiftieth of the peak."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    quiet = np.abs(frames).max(axis=1, initial=0.0) < _peak(samples) / 50
    pieces: list[Float32] = []
    last = 0
    for start, end in _runs(quiet):
        if end - start >= round(0.25 * RATE / _FRAME):
            middle = (start + end) // 2 * _FRAME
            pieces += [samples[last:middle], np.zeros(round(_PAUSE_SECONDS * RATE), np.float32)]
            last = middle
    return np.concatenate([*pieces, samples[last:]])


def _runs(flags: Sequence[bool] | np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(flags, dtype=np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
