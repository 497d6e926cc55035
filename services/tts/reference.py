"""Recordings of a voice to imitate."""

from __future__ import annotations

import hashlib

import numpy as np
from viva.serving.v1 import serving_pb2

from services.runtime.audio import pcm
from services.runtime.audio.decoding import detect, open_recording
from services.runtime.errors import InvalidField, InvalidFields
from services.tts.speech import Reference

_FIELD = "config.reference_voice.audio"
_SHORTEST_SECONDS = 3.0
_LONGEST_SECONDS = 30.0
_KINDS = frozenset({serving_pb2.AUDIO_ENCODING_WAV, serving_pb2.AUDIO_ENCODING_FLAC})
_RATE_HZ = 22_050
"""What XTTS conditions on (XttsAudioConfig)."""


def read_reference(audio: bytes, transcript: str | None) -> Reference:
    """Decodes a recording. Blocking.

    Raises:
        InvalidField: It is no whole WAV or FLAC file, silent, or not 3 to 30 seconds long.
    """
    if detect(audio) not in _KINDS:
        raise InvalidField(_FIELD, "is no WAV or FLAC file")
    try:
        samples = _samples(audio)
    except InvalidFields as error:
        raise InvalidField(_FIELD, error.violations[0][1]) from None
    if np.abs(samples).max() < 1e-3:
        raise InvalidField(_FIELD, "is silent")
    return Reference(samples, _RATE_HZ, hashlib.sha256(samples.tobytes()).hexdigest(), transcript)


def _samples(audio: bytes) -> pcm.Float32:
    with open_recording(audio, serving_pb2.AudioFormat(), target_hz=_RATE_HZ) as recording:
        # The header is asked first: no more is decoded than is allowed.
        if not _SHORTEST_SECONDS <= recording.seconds <= _LONGEST_SECONDS:
            raise InvalidField(
                "audio", f"must be 3 to 30 seconds long, and is {recording.seconds:.1f}"
            )
        return np.concatenate(list(recording.blocks()))
