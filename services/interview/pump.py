"""What a client says in one call, read once, and there for whoever takes the call in the end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, Protocol, TypeVar

from services.runtime.errors import Unavailable

MOST_BYTES = 2 * 1024 * 1024
"""So much is kept of a call that nobody has answered yet: half a minute of 16-bit audio at 16 kHz,
in pieces of 20 ms. Of one that was answered so much waits to be read, and then the client waits."""
MESSAGE_BYTES = 512
"""What a message takes besides its content: 536 bytes were measured, of protobuf 7."""


class _Sized(Protocol):
    def ByteSize(self) -> int: ...


MessageT = TypeVar("MessageT", bound=_Sized)


def weight(message: _Sized) -> int:
    """What is counted for a message that is kept, in bytes."""
    return MESSAGE_BYTES + message.ByteSize()


class Pump(Generic[MessageT]):
    """The messages of a call. `run` reads them; `messages` gives them to one reader after another.

    A reader that could not take the call leaves all of it to the next. `settle` says that one has
    taken it: then nothing is kept any more but what waits to be read.
    """

    def __init__(self, first: MessageT, source: AsyncIterator[MessageT]) -> None:
        """Takes the first message, which was read already, and where the others come from."""
        self._source = source
        self._kept: deque[MessageT] = deque([first])
        self._bytes = weight(first)
        self._dropped = 0
        # How many the newest reader has had, and which one that is.
        self._read = 0
        self._reader = 0
        self._settled = False
        self._over = False
        self._failure: Exception | None = None
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Reads to the end of the call; the readers are told what it failed with."""
        try:
            async for message in self._source:
                self._kept.append(message)
                self._bytes += weight(message)
                self._trim()
                self._wake()
                while self._bytes > MOST_BYTES:
                    await self._changed.wait()
        except Exception as error:  # noqa: BLE001 - it is the readers' to deal with
            self._failure = error
        finally:
            self._over = True
            self._wake()

    def settle(self) -> None:
        """The newest reader has taken the call."""
        if not self._settled:
            self._settled = True
            self._trim()
            self._wake()

    async def messages(self) -> AsyncIterator[MessageT]:
        """All messages from the first on; a reader before this one gets no more.

        Raises:
            Unavailable: Some are gone: nobody has taken the call for too long.
        """
        self._reader += 1
        mine, self._read = self._reader, 0
        if self._dropped:
            raise Unavailable("nobody has taken the call in time; call again", 0.1)
        while self._reader == mine:
            changed = self._changed
            if self._read < self._dropped + len(self._kept):
                message = self._kept[self._read - self._dropped]
                self._read += 1
                self._trim()
                self._wake()
                yield message
            elif not self._over:
                await changed.wait()
            elif self._failure is not None:
                raise self._failure
            else:
                return

    def _trim(self) -> None:
        """Drops what was read, unless another reader may want it."""
        while self._read > self._dropped and (self._settled or self._bytes > MOST_BYTES):
            self._bytes -= weight(self._kept.popleft())
            self._dropped += 1

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
