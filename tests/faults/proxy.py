"""A TCP proxy that does what networks do: it stalls, drops a direction, cuts, and refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto

PIECE_BYTES = 16 * 1024


class Way(Enum):
    """A direction."""

    UP = auto()
    DOWN = auto()


BOTH = frozenset(Way)


@dataclass(eq=False)
class Proxy:
    """Forwards connections to a port.

    Attributes:
        target: The port, which may change: connections made from then on lead there.
        port: Where it listens.
        connections: How many there have been.
    """

    target: int
    port: int = 0
    connections: int = 0
    _flowing: dict[Way, asyncio.Event] = field(
        default_factory=lambda: {way: asyncio.Event() for way in Way}
    )
    _left: dict[Way, int | None] = field(default_factory=lambda: dict.fromkeys(Way))
    _connections: set[asyncio.Task[None]] = field(default_factory=set)
    _refuses: bool = False
    _until_next: bool = False

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def stall(self, ways: Collection[Way] = BOTH) -> None:
        """Stops forwarding and closes nothing: a black hole; one way of it, a half-open one."""
        for way in ways:
            self._flowing[way].clear()

    def stall_connections(self, ways: Collection[Way] = BOTH) -> None:
        """Stalls the connections that are open until there is a new one, which then flows."""
        self._until_next = True
        self.stall(ways)

    def refuse(self) -> None:
        """Closes every connection, and every new one at once."""
        self._refuses = True
        self.cut()

    def cut(self) -> None:
        """Resets every connection."""
        for connection in self._connections:
            connection.cancel()

    def cut_after(self, way: Way, size: int) -> None:
        """Resets the connection that has forwarded so many bytes more: in mid-message, mostly."""
        self._left[way] = size

    def mend(self) -> None:
        """Forwards everything again; what was stalled goes on."""
        self._refuses = False
        self._left = dict.fromkeys(Way)
        for flowing in self._flowing.values():
            flowing.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forwards a connection to its end."""
        self.connections += 1
        if self._until_next:
            self._until_next = False
            self.mend()
        try:
            if self._refuses:
                return
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
            try:
                pumps = [
                    asyncio.create_task(self._pump(reader, up_writer, Way.UP)),
                    asyncio.create_task(self._pump(up_reader, writer, Way.DOWN)),
                ]
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)
            finally:
                up_writer.transport.abort()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(PIECE_BYTES):
                await self._flowing[way].wait()
                left = self._left[way]
                if left is not None:
                    self._left[way] = left - len(data)
                    data = data[:left]
                writer.write(data)
                await writer.drain()
                if left is not None and left <= len(data):
                    self._left[way] = None
                    return

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes a connection."""
        task = asyncio.create_task(self.serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def close(self) -> None:
        """Closes every connection."""
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


@asynccontextmanager
async def proxied(target: int) -> AsyncIterator[Proxy]:
    """A proxy to a port of this machine."""
    proxy = Proxy(target)
    proxy.mend()
    listener = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
        await proxy.close()
