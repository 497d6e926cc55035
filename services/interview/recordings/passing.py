"""A folder for recordings that end with the process, where interviews do too."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from services.runtime.ids import new_id


@contextmanager
def passing_folder(folder: Path) -> Iterator[Path]:
    """A folder of this process, removed at its end; what dead processes left is removed before.

    Raises:
        OSError: It cannot be made.
    """
    own, lock = _settle_in(folder)
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)
        lock.close()


def _settle_in(folder: Path) -> tuple[Path, IO[bytes]]:
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    with (folder / "starting").open("wb") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        for left in folder.glob("*.lock"):
            with suppress(OSError), left.open("rb") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left.with_suffix(""), ignore_errors=True)
                left.unlink()
        own = folder / f"{os.getpid()}-{new_id()}"
        own.mkdir(mode=0o700)
        lock = own.with_suffix(".lock").open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return own, lock
