"""A process's output in a file that does not grow for ever, and that may fail."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

LARGEST_BYTES = 10 * 1024 * 1024


class LogFile:
    """Takes the lines of processes; keeps one older file.

    A line that cannot be written (a full disk, a quota) is counted and lost: the process whose
    line it is must not notice, or it would block on its full pipe. Each next line is tried again.
    """

    def __init__(self, path: Path, failed: Callable[[str], None] = lambda _: None) -> None:
        """Takes where to write, and whom to tell when that begins to fail."""
        self.path = path
        self._failed = failed
        self._file: BinaryIO | None = None
        self._lost = 0

    async def follow(self, stream: asyncio.StreamReader, last: deque[str]) -> None:
        """Writes every line of the stream until it ends; `last` gets them too."""
        self._write(b"")
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # a line longer than the reader's limit was thrown away
                continue
            if not line:
                return
            last.append(line.decode(errors="replace").rstrip("\n"))
            self._write(line)

    def _write(self, line: bytes) -> None:
        try:
            file = self._opened()
            if line and self._lost:
                file.write(f"{self._lost} lines could not be written\n".encode())
                self._lost = 0
            if line:
                file.write(line)
        except OSError as error:
            self._lost += 1
            self.close()
            if self._lost == 1:
                self._failed(f"its log cannot be written ({error.strerror}); it runs on")

    def _opened(self) -> BinaryIO:
        """The file, with room for more."""
        if self._file is not None and self._file.tell() >= LARGEST_BYTES:
            self.close()
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Without a buffer: what fails, fails here.
            self._file = self.path.open("ab", buffering=0)
        return self._file

    def close(self) -> None:
        """Closes the file; the next line would open it again."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
