"""Why a socket is closed: the codes of docs/websocket-transport.md.

1000 to 1015 are those of RFC 6455; 4000 to 4999 are an application's own, here four times a
hundred and what HTTP would say.
"""

from __future__ import annotations

from enum import IntEnum

import grpc


class Close(IntEnum):
    """A close code."""

    OVER = 1000
    """The call has ended; its trailers say how."""
    RESTARTING = 1012
    """The bridge stops; join again at once."""
    NOT_BINARY = 1003
    """A text message came."""
    INTERNAL = 1011
    """A fault of the bridge."""
    MALFORMED = 4400
    """Headers, a frame or a control message make no sense."""
    TOKEN = 4401
    """The token has expired, was revoked, or the one offered in its place is none."""
    TOO_MANY = 4429
    """The user holds as many sockets as they may."""
    TOO_LARGE = 4413
    """Headers or a message larger than allowed."""
    NO_HELLO = 4408
    """The headers, what follows them, or a user did not come in time."""
    IDLE = 4410
    """No message for too long."""
    STALLED = 4411
    """One side took nothing for too long of what waited for it."""


class Ended(Exception):
    """The bridge ends a call before its server did.

    Attributes:
        close: Why, to those who read close codes.
        status: Why, to those who read gRPC's trailers.
        reason: Why, in words; at most 123 bytes.
    """

    def __init__(self, close: Close, status: grpc.StatusCode, reason: str) -> None:
        """Takes both codes and the words."""
        super().__init__(reason)
        self.close = close
        self.status = status
        self.reason = reason


class Gone(Exception):
    """The client's side of the socket is closed; nobody reads an answer."""


def malformed(reason: str) -> Ended:
    """What came makes no sense."""
    return Ended(Close.MALFORMED, grpc.StatusCode.INVALID_ARGUMENT, reason)


def too_large(reason: str) -> Ended:
    """What came is larger than allowed."""
    return Ended(Close.TOO_LARGE, grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
