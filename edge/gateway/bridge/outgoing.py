"""What waits to be sent to a client, in bounds counted in bytes."""

from __future__ import annotations

import asyncio


class Outgoing:
    """Frames for one client, in order; who adds waits while too much waits already."""

    def __init__(self, limit: int) -> None:
        """Takes the bytes beyond which nothing is added. One frame always has room."""
        self._limit = limit
        self._frames: list[bytes] = []
        self._bytes = 0
        self._last = False
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def add(self, frame: bytes, *, last: bool = False) -> None:
        """Adds a frame, once there is room for it; after the last one nothing is added."""
        await self._room.wait()
        self._frames.append(frame)
        self._bytes += len(frame)
        self._last = last
        if self._bytes >= self._limit:
            self._room.clear()
        self._filled.set()

    async def filled(self) -> None:
        """Waits until there is something to send."""
        await self._filled.wait()

    def take(self) -> tuple[bytes, bool]:
        """Everything that waits, as one piece, and whether nothing follows."""
        frames, self._frames = self._frames, []
        self._bytes = 0
        self._filled.clear()
        self._room.set()
        return frames[0] if len(frames) == 1 else b"".join(frames), self._last
