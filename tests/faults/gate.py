"""What a test holds before an engine: it lets work pass, keeps it waiting, or breaks it."""

from __future__ import annotations

import asyncio
import threading
from enum import Enum, auto

from tests.server_process import until

FAULT = "the engine's own words, which are no caller's business"


class Position(Enum):
    """What becomes of work that comes."""

    OPEN = auto()
    HELD = auto()
    BROKEN = auto()


class Gate:
    """One engine's gate; engines pass it in their threads or on the event loop."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._position = Position.OPEN
        self._waiting = 0

    def set(self, position: Position) -> None:
        """Lets what waits go on, unless the gate is held."""
        with self._changed:
            self._position = position
            self._changed.notify_all()

    def passed(self) -> None:
        """Passes in a thread, when it is let.

        Raises:
            RuntimeError: The engine is broken.
        """
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: self._position is not Position.HELD)
            self._waiting -= 1
            if self._position is Position.BROKEN:
                raise RuntimeError(FAULT)

    async def passed_async(self) -> None:
        """Passes on the event loop; as `passed`, and given up when it is cancelled."""
        self._waiting += 1
        try:
            while self._position is Position.HELD:  # noqa: ASYNC110 - set from any thread
                await asyncio.sleep(0.005)
        finally:
            self._waiting -= 1
        if self._position is Position.BROKEN:
            raise RuntimeError(FAULT)

    async def until_waiting(self) -> None:
        """Waits until work waits here."""

        async def waits() -> bool:
            return self._waiting > 0

        await until(waits)
