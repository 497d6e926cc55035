"""A file that grows and is sealed as it does: 64 KiB segments of AES-256-GCM, readable one by one.

The construction is STREAM (Hoang et al. 2015, "Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance"): a nonce is 7 random bytes of the file, the segment's number and
whether it is the last, so that segments can't be reordered, dropped at the end or moved to another
file unnoticed. The context (whose file it is) is authenticated with every segment.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SEGMENT_BYTES = 64 * 1024
KEY_BITS = 256
_TAG_BYTES = 16
_PREFIX_BYTES = 7
_MAGIC = b"viva-sealed-1"
_HEADER_BYTES = len(_MAGIC) + _PREFIX_BYTES
_SEALED_BYTES = SEGMENT_BYTES + _TAG_BYTES


class Tampered(Exception):
    """A segment is not what was written."""


def new_key() -> bytes:
    """A random key."""
    return AESGCM.generate_key(KEY_BITS)


def context_of(user: str, file: str) -> bytes:
    """Whose file it is: authenticated with every segment."""
    return "\0".join((user, file)).encode()


def _nonce(prefix: bytes, segment: int, *, last: bool) -> bytes:
    return prefix + segment.to_bytes(4, "big") + bytes([last])


class SealedFile:
    """One file, written from its beginning to its end. For one thread at a time.

    The last segment stays in memory until more comes or the file is closed.
    """

    def __init__(self, path: Path, key: bytes, context: bytes) -> None:
        """Makes the file, for the owner alone.

        Raises:
            OSError: It cannot be made, or is there already.
        """
        self._path = path
        self._cipher = AESGCM(key)
        self._context = context
        self._prefix = os.urandom(_PREFIX_BYTES)
        self._tail = bytearray()
        self._segments = 0
        self._length = 0
        self._file = os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0
        )
        self._write(_MAGIC + self._prefix)

    @property
    def length(self) -> int:
        """Bytes that can be read."""
        return self._length + len(self._tail)

    def append(self, data: bytes) -> None:
        """Adds data at the end.

        Raises:
            OSError: It cannot be written; what was written before can still be read.
        """
        self._tail += data
        while len(self._tail) > SEGMENT_BYTES:
            self._seal(last=False)

    def close(self) -> None:
        """Seals what is left. Nothing can be added any more.

        Raises:
            OSError: It cannot be written.
        """
        if self._file.closed:
            return
        try:
            self._seal(last=True)
        finally:
            self._file.close()

    def _seal(self, *, last: bool) -> None:
        plain = bytes(self._tail[:SEGMENT_BYTES])
        nonce = _nonce(self._prefix, self._segments, last=last)
        self._write(self._cipher.encrypt(nonce, plain, self._context))
        del self._tail[:SEGMENT_BYTES]
        self._length += len(plain)
        self._segments += 1

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`, as far as they are there.

        Raises:
            OSError: The file cannot be read.
            Tampered: It is not what was written.
        """
        end = min(end, self.length)
        if start >= end:
            return b""
        first = min(start // SEGMENT_BYTES, self._segments)
        until = min(-(-end // SEGMENT_BYTES), self._segments)
        plain = bytearray()
        if first < until:
            with self._path.open("rb") as file:
                file.seek(_HEADER_BYTES + first * _SEALED_BYTES)
                for segment in range(first, until):
                    plain += self._opened(segment, file.read(_SEALED_BYTES))
        if end > self._length:
            plain += self._tail
        begin = start - first * SEGMENT_BYTES
        return bytes(plain[begin : begin + end - start])

    def _opened(self, segment: int, sealed: bytes) -> bytes:
        last = self._file.closed and segment == self._segments - 1
        try:
            nonce = _nonce(self._prefix, segment, last=last)
            return self._cipher.decrypt(nonce, sealed, self._context)
        except (InvalidTag, ValueError) as error:
            raise Tampered(f"segment {segment} of {self._path.name}") from error


class LeftFile:
    """A sealed file that another process, or this one earlier, has written. For one thread."""

    def __init__(self, path: Path, key: bytes, context: bytes, *, over: bool) -> None:
        """Opens it; `over` says that it was written to its end, and must have all of it.

        Raises:
            OSError: It cannot be read.
            Tampered: It is no such file.
        """
        self._file = path.open("rb")
        self._name = path.name
        self._cipher = AESGCM(key)
        self._context = context
        self._over = over
        header = self._file.read(_HEADER_BYTES)
        if len(header) != _HEADER_BYTES or not header.startswith(_MAGIC):
            self._file.close()
            raise Tampered(f"{path.name} is no sealed file")
        self._prefix = header[len(_MAGIC) :]
        size = os.fstat(self._file.fileno()).st_size - _HEADER_BYTES
        self._segments = -(-size // _SEALED_BYTES)

    def close(self) -> None:
        """Closes it."""
        self._file.close()

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`, as far as they are there.

        Raises:
            OSError: The file cannot be read.
            Tampered: It is not what was written.
        """
        first = start // SEGMENT_BYTES
        until = min(-(-end // SEGMENT_BYTES), self._segments)
        if first >= until:
            return b""
        plain = bytearray()
        self._file.seek(_HEADER_BYTES + first * _SEALED_BYTES)
        for segment in range(first, until):
            plain += self._opened(segment, self._file.read(_SEALED_BYTES))
        begin = start - first * SEGMENT_BYTES
        return bytes(plain[begin : begin + end - start])

    def _opened(self, segment: int, sealed: bytes) -> bytes:
        final = segment == self._segments - 1
        # Of a file whose writer died nobody knows how it ends: sealed as the last segment, as one
        # of many, or in the midst of being written.
        for last in (True, False) if final and not self._over else (final,):
            try:
                nonce = _nonce(self._prefix, segment, last=last)
                return self._cipher.decrypt(nonce, sealed, self._context)
            except (InvalidTag, ValueError):
                continue
        if final and not self._over:
            return b""
        raise Tampered(f"segment {segment} of {self._name}")
