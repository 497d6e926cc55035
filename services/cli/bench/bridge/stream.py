"""A client of the bridge as cheap as can be, so that the bridge is what is measured.

Frames of RFC 6455 are written and cut by hand: the mask is zero, a message is one frame.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from typing import cast

_DATA, _HEADERS = 0x00, 0x80
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10
_PREFIX = struct.Struct(">BI")
_STAMP = struct.Struct(">d")


def _ws_frame(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        head = struct.pack(">BB", 0x80 | opcode, 0x80 | size)
    else:
        head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, size)
    return head + bytes(4) + payload


class Stream(asyncio.Protocol):
    """One socket that sends frames of speech and notes how long each took to come back."""

    def __init__(self, path: str, piece_bytes: int, heard: Callable[[float], None]) -> None:
        """Takes the method, the size of a message, and who is told each round trip in seconds."""
        self._path = path
        self._filling = bytes(piece_bytes - _STAMP.size)
        self._heard = heard
        self._buffer = bytearray()
        self._upgraded = False
        self._transport: asyncio.Transport
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: grpc-websockets\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """The bridge has closed the socket."""
        self.closed.set()
        self.opened.set()

    def say(self) -> None:
        """Sends a message with the time in it."""
        message = _STAMP.pack(time.perf_counter()) + self._filling
        self._write(b"\x00" + _PREFIX.pack(_DATA, len(message)) + message)

    def stop_reading(self) -> None:
        """Takes nothing more."""
        self._transport.pause_reading()

    def close(self) -> None:
        """Leaves without a word."""
        self._transport.abort()

    def _write(self, payload: bytes, opcode: int = _BINARY) -> None:
        self._transport.write(_ws_frame(opcode, payload))

    def data_received(self, data: bytes) -> None:
        """Cuts what comes into WebSocket messages, and those into frames."""
        self._buffer += data
        if not self._upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            del self._buffer[: end + 4]
            self._upgraded = True
            self._write(b"content-type: application/grpc-web+proto\r\n")
            self.opened.set()
        while (message := self._message()) is not None:
            opcode, payload = message
            if opcode == _PING:
                self._write(payload, _PONG)
            elif opcode == _BINARY:
                self._frames(payload)

    def _message(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1], 2
        if size == 126:
            if len(buffer) < 4:
                return None
            size, start = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            if len(buffer) < 10:
                return None
            size, start = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < start + size:
            return None
        message = buffer[0] & 0x0F, bytes(buffer[start : start + size])
        del buffer[: start + size]
        return message

    def _frames(self, payload: bytes) -> None:
        now = time.perf_counter()
        at = 0
        while at < len(payload):
            flags, size = _PREFIX.unpack_from(payload, at)
            at += _PREFIX.size
            if flags == _DATA:
                self._heard(now - _STAMP.unpack_from(payload, at)[0])
            at += size
