"""uvicorn's WebSocket protocol, where it leaves something without a bound.

Of uvicorn's implementations the one on websockets' Sans-I/O core stops reading while a message
waits for the application, makes the application wait while the peer does not read, and counts a
message's size over its fragments. Left are: fragments of no bytes, pongs for a peer that sends
pings and reads nothing, and connections that outlive their application because a peer never reads
what is left to be sent.
"""

from __future__ import annotations

import asyncio
from asyncio.transports import BaseTransport

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

_MOST_FRAGMENTS = 1024
_WRITE_BYTES = 16 * 1024
_PARTING_SECONDS = 5.0


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """One connection; its memory and its life have an end."""

    _pong = b""

    def connection_made(self, transport: BaseTransport) -> None:
        """What waits to be written beyond this makes the application wait."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_WRITE_BYTES)

    def handle_cont(self, event: Frame) -> None:
        """A fragment; an endless message of empty ones is ended."""
        if self.close_sent:
            return
        if len(self.frames) >= _MOST_FRAGMENTS:
            self.conn.fail(1008, "too many fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answers a ping; of several that come while nothing can be written only the last.

        RFC 6455, section 5.5.3, allows that.
        """
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)
        else:
            self._pong = pong

    def resume_writing(self) -> None:
        """The peer reads again."""
        super().resume_writing()
        pong, self._pong = self._pong, b""
        if pong and not self.transport.is_closing():
            self.transport.write(pong)

    async def send(self, message: ASGISendEvent) -> None:
        """Sends the application's message.

        Raises:
            ClientDisconnected: The socket is closed, perhaps by this protocol itself.
        """
        await self.writable.wait()
        if self.close_sent:
            raise ClientDisconnected
        await super().send(message)

    def keepalive_timeout(self) -> None:
        """No pong: the peer is gone, unless it is the bridge that has not read."""
        if self.read_paused:
            self.pong_timer = None
            self.pending_ping_payload = None
            self.schedule_ping()
            return
        super().keepalive_timeout()
        # A peer that is gone takes nothing of what is left to be written.
        self.transport.abort()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The application is through; the peer has a moment to take the rest."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(_PARTING_SECONDS, self.transport.abort)
