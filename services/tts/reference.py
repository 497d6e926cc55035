"""Recordings of a voice to imitate."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import replace

import numpy as np
from viva.serving.v1 import serving_pb2

from services.runtime.audio import pcm
from services.runtime.audio.decoding import detect, open_recording
from services.runtime.errors import InvalidField, InvalidFields, NotFound
from services.tts.speech import Reference

_FIELD = "config.reference_voice.audio"
_SHORTEST_SECONDS = 3.0
_LONGEST_SECONDS = 30.0
_KINDS = frozenset({serving_pb2.AUDIO_ENCODING_WAV, serving_pb2.AUDIO_ENCODING_FLAC})
_RATE_HZ = 22_050
"""What XTTS conditions on (XttsAudioConfig)."""


class ReferenceUnknown(NotFound):
    """A reference voice is named that is not held (any more); it has to be sent again."""

    reason = "REFERENCE_UNKNOWN"

    def __init__(self, digest: str) -> None:
        super().__init__("reference voice", digest, "config.reference_voice.digest")


class ReferenceVoices:
    """The recordings that callers have sent, by the SHA-256 of the file; the least used go first.

    They are kept in memory only. Safe to use from several threads.
    """

    def __init__(self, most: int = 32) -> None:
        """Takes how many to keep: one of 30 s is 2.6 MB."""
        self._most = most
        self._held: OrderedDict[str, Reference] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, audio: bytes, transcript: str | None) -> Reference:
        """The voice of a recording, which is kept. Blocking.

        Raises:
            InvalidField: It is no recording of a voice; see `read_reference`.
        """
        digest = hashlib.sha256(audio).hexdigest()
        with self._lock:
            held = self._found(digest)
        if held is None:
            held = read_reference(audio, None)
            with self._lock:
                self._held[digest] = held
                if len(self._held) > self._most:
                    self._held.popitem(last=False)
        return replace(held, transcript=transcript)

    def named(self, digest: str, transcript: str | None) -> Reference:
        """The voice of a recording that was sent before.

        Raises:
            ReferenceUnknown: It is not held.
        """
        with self._lock:
            held = self._found(digest)
        if held is None:
            raise ReferenceUnknown(digest)
        return replace(held, transcript=transcript)

    def _found(self, digest: str) -> Reference | None:
        held = self._held.get(digest)
        if held is not None:
            self._held.move_to_end(digest)
        return held


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
