"""Audio in whatever pieces it comes, in those that a server takes."""

from __future__ import annotations

RATE_HZ = 16_000
"""Samples a second of the audio that clients send: 16-bit, mono."""
SAMPLE_BYTES = 2
BYTES_PER_SECOND = SAMPLE_BYTES * RATE_HZ
LARGEST_BYTES = BYTES_PER_SECOND
"""A second at a time: a server takes 1 MiB at most, and none that is empty."""


class Pieces:
    """Cuts audio into whole samples, a second of them at most; half a sample waits for the rest."""

    def __init__(self) -> None:
        self._half = b""

    def cut(self, samples: bytes) -> list[bytes]:
        """What can be sent with these samples."""
        samples = self._half + samples
        whole = len(samples) - len(samples) % SAMPLE_BYTES
        self._half = samples[whole:]
        return [
            samples[at : min(at + LARGEST_BYTES, whole)] for at in range(0, whole, LARGEST_BYTES)
        ]
