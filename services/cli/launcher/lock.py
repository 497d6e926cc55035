"""One mesh a data folder, and who runs it."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import psutil

_OWNER_ONLY = 0o700
# Who takes the lock writes its number at once.
_UNNAMED_SECONDS = 1.0
# Who only looks has the lock for a moment, too.
_LOOK_SECONDS = 0.2
_POLL_SECONDS = 0.02


class AlreadyRunning(Exception):
    """Another launcher holds the data folder."""


def run_folder(data_dir: Path) -> Path:
    """Where a running mesh keeps what others need to find it; for its owner alone."""
    return data_dir / "run"


class Standing:
    """A run folder as it was: its disk may be unmounted, and an empty folder take its place."""

    def __init__(self, data_dir: Path) -> None:
        """Remembers the one of the data folder, which is held."""
        self._folder = run_folder(data_dir)
        self._was = self._now()

    def _now(self) -> tuple[int, int] | None:
        try:
            found = self._folder.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @property
    def is_there(self) -> bool:
        """Whether it is still where it was."""
        return self._now() == self._was


@contextmanager
def lock(data_dir: Path) -> Iterator[None]:
    """Holds the data folder until the scope ends; the kernel lets go if the process dies.

    Raises:
        AlreadyRunning: Somebody else holds it.
        OSError: It cannot be written.
    """
    folder = run_folder(data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(_OWNER_ONLY)
    with _path(data_dir).open("a") as handle:
        _take(handle, data_dir)
        try:
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield
        finally:
            # Nobody is to take the next holder, which has not named itself yet, for this one.
            with suppress(OSError):
                handle.truncate(0)


def _take(handle: TextIO, data_dir: Path) -> None:
    until = time.monotonic() + _LOOK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise AlreadyRunning(str(data_dir)) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def holder(data_dir: Path) -> int | None:
    """The process that holds the data folder; None when nobody does.

    Raises:
        PermissionError: The folder is another user's.
        NotADirectoryError: It is a file.
        TimeoutError: Somebody holds it who does not say who they are.
    """
    until = time.monotonic() + _UNNAMED_SECONDS
    try:
        with _path(data_dir).open() as handle:
            while True:
                try:
                    # Shared, so that two that look at the same time do not see each other.
                    fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    pid = int(handle.read() or 0)
                    if pid and _lives(pid):
                        return pid
                else:
                    return None
                if time.monotonic() > until:
                    raise TimeoutError(
                        errno.ETIMEDOUT,
                        "it is held by a process that has not named itself yet",
                        handle.name,
                    )
                time.sleep(_POLL_SECONDS)
                handle.seek(0)
    except FileNotFoundError:
        return None


def launchers() -> Mapping[int, Path]:
    """The processes that hold data folders on this machine, as far as this user may know.

    Each with its folder, as the kernel tells it: of a disk that was unmounted, from its root on.
    """
    found: dict[int, Path] = {}
    with suppress(OSError):
        own = Path("/proc/self/ns/mnt").readlink()
        for line in Path("/proc/locks").read_text().splitlines():
            match line.split():
                case [_, "FLOCK", _, "WRITE", pid, *_]:
                    with suppress(OSError):
                        if Path(f"/proc/{pid}/ns/mnt").readlink() == own:
                            found |= {int(pid): folder for folder in _folders_of(pid)}
    return found


def _folders_of(pid: str) -> Iterator[Path]:
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            held = Path(str(file.readlink()).removesuffix(" (deleted)"))
            if held.parts[-2:] == _path(Path()).parts:
                yield held.parents[1]


def left_behind(data_dir: Path) -> int | None:
    """The launcher that held the data folder before it was gone or another took its place.

    For where nobody holds what lies there now.
    """
    for pid, folder in launchers().items():
        if folder == data_dir or _tells_its_servers(pid, data_dir):
            return pid
    return None


def _tells_its_servers(pid: int, data_dir: Path) -> bool:
    """Whether what a launcher runs was told this folder, whatever the kernel calls it now."""
    with suppress(psutil.Error):
        for child in psutil.Process(pid).children():
            with suppress(psutil.Error):
                if child.environ().get("VIVA_DATA_DIR") == str(data_dir):
                    return True
    return False


def _lives(pid: int) -> bool:
    """Whether there is such a process: one that was killed leaves its number to the next holder."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _path(data_dir: Path) -> Path:
    return run_folder(data_dir) / "mesh.lock"
