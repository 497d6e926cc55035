"""A child's output in files that do not grow without end."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path

MAX_BYTES = 16 * 1024 * 1024
_KEPT_LINES = 20


class BoundedLog:
    """Appends to `path`; at `max_bytes` the file becomes `path.1` and a new one is begun."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._max_bytes = max_bytes
        self._file = path.open("ab")
        self._last: deque[str] = deque(maxlen=_KEPT_LINES)

    def write(self, line: bytes) -> None:
        """Appends a line."""
        if self._file.tell() + len(line) > self._max_bytes:
            self._file.close()
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            self._file = self.path.open("ab")
        self._file.write(line)
        self._file.flush()
        self._last.append(line.decode(errors="replace").rstrip())

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The newest lines, oldest first."""
        return tuple(self._last)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


async def copy(stream: asyncio.StreamReader, log: BoundedLog) -> None:
    """Copies the stream's lines to the log until it ends. A longer line comes in pieces."""
    while True:
        try:
            line = await stream.readuntil(b"\n")
        except asyncio.IncompleteReadError as end:
            if end.partial:
                log.write(end.partial + b"\n")
            return
        except asyncio.LimitOverrunError as long:
            line = await stream.readexactly(long.consumed)
        log.write(line)
