"""gRPC-Web's frames: one byte of flags, four of length, then a message or a block of headers.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from edge.gateway.bridge.closing import malformed, too_large

DATA = 0x00
HEADERS = 0x80
_PREFIX = struct.Struct(">BI")
PREFIX_BYTES = _PREFIX.size


def frame(flags: int, payload: bytes) -> bytes:
    """A frame."""
    return _PREFIX.pack(flags, len(payload)) + payload


class FrameReader:
    """Cuts a stream of bytes, in pieces of any size, into the messages of its frames."""

    def __init__(self, max_message_bytes: int) -> None:
        """Takes the largest message."""
        self._limit = max_message_bytes
        self._rest = bytearray()

    @property
    def unfinished(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._rest)

    def feed(self, piece: memoryview) -> Iterator[bytes]:
        """Yields the messages that the piece completes.

        Raises:
            Ended: A frame is compressed, or no message, or larger than allowed: as soon as its
                prefix says so.
        """
        if self._rest:
            self._rest += piece
            piece = memoryview(bytes(self._rest))
            self._rest.clear()
        while len(piece) >= PREFIX_BYTES:
            flags, length = _PREFIX.unpack_from(piece)
            if flags != DATA:
                raise malformed(f"a frame with flags 0x{flags:02x}; a client sends 0x00 only")
            if length > self._limit:
                raise too_large(f"a message of {length} bytes; {self._limit} are allowed")
            end = PREFIX_BYTES + length
            if len(piece) < end:
                break
            yield bytes(piece[PREFIX_BYTES:end])
            piece = piece[end:]
        self._rest += piece
