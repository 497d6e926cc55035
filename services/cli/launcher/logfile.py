"""A process's output in a file that does not grow for ever."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path

LARGEST_BYTES = 10 * 1024 * 1024
KEPT_LINES = 20


class LogFile:
    """Takes a process's lines; keeps one older file and the last lines in memory."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._handler = RotatingFileHandler(path, maxBytes=LARGEST_BYTES, backupCount=1)
        self.last: deque[str] = deque(maxlen=KEPT_LINES)

    async def follow(self, stream: asyncio.StreamReader) -> None:
        """Writes every line of the stream until it ends."""
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # a line longer than the reader's limit was thrown away
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip("\n")
            self.last.append(text)
            self._handler.emit(logging.makeLogRecord({"msg": "%s", "args": (text,)}))

    def close(self) -> None:
        """Closes the file."""
        self._handler.close()
