"""What `viva up` says: a disk may be full, a terminal closed or stopped, the mesh goes on.

A thread does the writing. Whatever it cannot write is lost; whatever it has to wait for, as a
terminal does after Ctrl-S, or a pipe that nobody reads, nobody else waits for.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from types import TracebackType
from typing import IO, Self, TextIO, cast

from rich.console import Console

# A start says some hundred lines; a display that moves writes eight times a second.
_MOST_WAITING = 1000
# What is said last is waited for this long, if it can't be written.
_LAST_WORDS_SECONDS = 1.0

_Waiting = Queue[tuple[int, bytes] | None]


class Output:
    """Standard output and standard error, as consoles that never raise and never wait.

    Attributes:
        out: Standard output.
        err: Standard error. Both keep the order in which they are written to.
    """

    def __init__(self) -> None:
        """Takes the process's own output, from the scope's begin to its end."""
        self._waiting: _Waiting = Queue(_MOST_WAITING)
        self.out = _console(sys.stdout, self._waiting)
        self.err = _console(sys.stderr, self._waiting)
        # A write that waits for ever must not keep the process from ending.
        self._writing = Thread(target=self._write, daemon=True)
        self._ended = False

    def __enter__(self) -> Self:
        """Begins to write."""
        self._writing.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Waits a moment until everything is written; then nothing more is."""
        with suppress(Full):
            self._waiting.put(None, timeout=_LAST_WORDS_SECONDS)
            self._writing.join(_LAST_WORDS_SECONDS)
        self._ended = True

    def _write(self) -> None:
        while (found := self._waiting.get()) is not None and not self._ended:
            file, content = found
            with suppress(OSError):
                while content:
                    content = content[os.write(file, content) :]


class _Stream(io.TextIOBase):
    """A text stream whose text goes to the thread."""

    def __init__(self, stream: TextIO, waiting: _Waiting) -> None:
        self._stream = stream
        self._waiting = waiting

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def isatty(self) -> bool:
        return self._stream.isatty()

    def write(self, text: str) -> int:
        content = text.encode(self.encoding, "replace")
        with suppress(Full):
            self._waiting.put_nowait((self._stream.fileno(), content))
        return len(text)


def _console(stream: TextIO | None, waiting: _Waiting) -> Console:
    # Python has none where the process was started with it closed.
    if stream is None:
        return Console(quiet=True)
    # A TextIOBase is all that a Console needs.
    return Console(file=cast("IO[str]", _Stream(stream, waiting)), highlight=False)
