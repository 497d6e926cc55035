"""A FLAC file (RFC 9639) that goes out while it is made.

What its header has to say, how many samples there are and their digest, is told beforehand: then
nothing is written twice, and nothing but what the encoder holds is in memory. libsndfile would
come back to the header at the end, and reads no file whose header leaves the length open.
"""

from __future__ import annotations

import os
import struct
from hashlib import md5
from types import TracebackType
from typing import Self

import numpy as np
import soundfile

# "fLaC", the head of the first block and that block, STREAMINFO (RFC 9639, 8.2): in it, from byte
# 18, eight bytes of which 36 bits are the number of samples, then 16 of their digest.
_HEAD_BYTES = 42
_SAMPLES_AT, _DIGEST_AT = 18, 26
_SAMPLES_BITS = 36


class Digest:
    """How many 16-bit samples there are, and what a header says of them."""

    def __init__(self) -> None:
        """Begins with none."""
        # What the format asks for; it guards against nobody.
        self._md5 = md5(usedforsecurity=False)
        self.samples = 0

    def add(self, pcm: bytes) -> None:
        """Adds samples (16 bits, little-endian)."""
        self._md5.update(pcm)
        self.samples += len(pcm) // 2

    def written_into(self, head: bytearray) -> None:
        """Completes the first bytes of a file."""
        (word,) = struct.unpack_from(">Q", head, _SAMPLES_AT)
        kept = word >> _SAMPLES_BITS << _SAMPLES_BITS
        struct.pack_into(">Q", head, _SAMPLES_AT, kept | self.samples)
        head[_DIGEST_AT:_HEAD_BYTES] = self._md5.digest()


class _Outlet:
    """The file that libsndfile writes: it grows, and what was passed on is not changed any more."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._length = self._position = 0

    def write(self, data: bytes) -> int:
        if self._position == self._length:
            self._waiting += data
            self._length += len(data)
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}
        self._position = begin[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def taken(self) -> bytearray:
        taken, self._waiting = self._waiting, bytearray()
        return taken


class FlacStream:
    """The file of one channel; close it, as a context manager, and take what is left."""

    def __init__(self, rate_hz: int, digest: Digest) -> None:
        """Takes the rate in Hz, and what will have been fed in the end."""
        self._digest = digest
        self._outlet = _Outlet()
        self._head = bytearray()
        self._headed = False
        self._file = soundfile.SoundFile(
            self._outlet, "w", rate_hz, channels=1, format="FLAC", subtype="PCM_16"
        )
        self._left = digest.samples

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def left(self) -> int:
        """Samples that are still to be fed."""
        return self._left

    def feed(self, pcm: bytes) -> bytes:
        """Encodes samples (16 bits, little-endian), no more than are left; what is ready so far."""
        samples = np.frombuffer(pcm, "<i2")[: self._left]
        self._left -= len(samples)
        self._file.write(samples)
        return self._ready()

    def close(self) -> bytes:
        """The rest of the file."""
        self._file.close()
        return self._ready()

    def _ready(self) -> bytes:
        data = self._outlet.taken()
        if self._headed:
            return bytes(data)
        self._head += data
        if len(self._head) < _HEAD_BYTES:
            return b""
        self._digest.written_into(self._head)
        self._headed = True
        return bytes(self._head)
