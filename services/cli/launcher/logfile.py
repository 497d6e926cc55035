"""A process's output in a file that does not grow for ever, and that may fail."""

from __future__ import annotations

import asyncio
import os
import stat
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

LARGEST_BYTES = 10 * 1024 * 1024
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, _FILE_MODE)


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
            self.path.replace(self._older)
        if self._file is None:
            self._hide()
            # Without a buffer: what fails, fails here.
            self._file = open(self.path, "ab", buffering=0, opener=_private)  # noqa: SIM115
        return self._file

    def _hide(self) -> None:
        """Keeps the folder, and what older versions have written there, from other accounts.

        Whose interviews there are, from which addresses and when, is nobody else's.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for path, mode in (
            (self.path.parent, _FOLDER_MODE),
            (self.path, _FILE_MODE),
            (self._older, _FILE_MODE),
        ):
            # Not there yet, or another's who has to know; the log is written all the same.
            with suppress(OSError):
                if stat.S_IMODE(path.stat().st_mode) & ~mode and not path.is_symlink():
                    path.chmod(mode)

    @property
    def _older(self) -> Path:
        return self.path.with_name(f"{self.path.name}.1")

    def close(self) -> None:
        """Closes the file; the next line would open it again."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
