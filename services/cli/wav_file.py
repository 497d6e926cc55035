"""WAV files that came as a stream."""

from __future__ import annotations

import struct

_HEADER = struct.Struct("<4sI4s")
_CHUNK = struct.Struct("<4sI")


def with_length(audio: bytes) -> bytes:
    """A whole WAV file whose header left the lengths open, with the lengths filled in.

    Players take an open length for hours of sound. What is no WAV file comes back as it is.
    """
    if len(audio) < _HEADER.size or audio[:4] != b"RIFF" or audio[8:12] != b"WAVE":
        return audio
    closed = bytearray(audio)
    struct.pack_into("<I", closed, 4, len(audio) - _CHUNK.size)
    place = _HEADER.size
    while place + _CHUNK.size <= len(audio):
        name, length = _CHUNK.unpack_from(audio, place)
        if name == b"data":
            struct.pack_into("<I", closed, place + 4, len(audio) - place - _CHUNK.size)
            break
        # Chunks begin at even places.
        place += _CHUNK.size + length + length % 2
    return bytes(closed)
