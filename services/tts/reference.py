"""Recordings of a voice to imitate."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import soundfile

from services.runtime.audio import pcm
from services.runtime.errors import InvalidField
from services.tts.speech import Reference

_FIELD = "config.reference_voice.audio"
_SHORTEST_SECONDS = 3.0
_LONGEST_SECONDS = 30.0
_FORMATS = frozenset({"WAV", "WAVEX", "FLAC"})


def read_reference(audio: bytes, transcript: str | None) -> Reference:
    """Decodes a recording.

    Raises:
        InvalidField: It is no WAV or FLAC file, silent, or not 3 to 30 seconds long.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(audio)) as file:
            if file.format not in _FORMATS:
                raise InvalidField(_FIELD, f"is {file.format}; WAV or FLAC is needed")
            rate = file.samplerate
            # A header may claim any length; no more is read than is allowed.
            frames = file.read(round(rate * _LONGEST_SECONDS) + 1, "float32", always_2d=True)
    except (soundfile.LibsndfileError, ValueError, RuntimeError):
        raise InvalidField(_FIELD, "is no readable WAV or FLAC file") from None
    samples: pcm.Float32 = pcm.sound(frames).mean(axis=1, dtype=np.float32)
    seconds = len(samples) / rate
    if not _SHORTEST_SECONDS <= seconds <= _LONGEST_SECONDS:
        raise InvalidField(_FIELD, "must be 3 to 30 seconds long")
    if np.abs(samples).max() < 1e-3:
        raise InvalidField(_FIELD, "is silent")
    return Reference(samples, rate, hashlib.sha256(samples.tobytes()).hexdigest(), transcript)
