"""What an earlier PostgreSQL has left in its folder: processes that hang, and locks.

PostgreSQL does not start while a process of an earlier server holds its shared memory, nor while
`postmaster.pid` names any process of this user, whatever that does. A server whose processes were
stopped (SIGSTOP), or whose postmaster was killed, leaves the first; a machine that starts anew, and
gives its process ids to others, the second.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from services.runtime.postgres.database import SOCKET

_PROC = Path("/proc")
_PROGRAM = "postgres"
_LOCK = "postmaster.pid"
_POLL_SECONDS = 0.02
ENDING_SECONDS = 20.0
"""For a server that is ending in order, and for killed processes to be gone."""


def clear(folder: Path, seconds: float = ENDING_SECONDS) -> None:
    """Ends what an earlier server of the folder has left; one that runs is left alone.

    To be called as the server's user, and by whoever holds the folder: of two that start in it at
    the same time, each may take the other's for a remnant.

    Args:
        folder: The server's.
        seconds: How long a server that is ending is waited for, and killed processes are.
    """
    until = time.monotonic() + seconds
    while _runs(folder):  # nobody's any more, and ending; or PostgreSQL will say whose it is
        if time.monotonic() > until:
            return
        time.sleep(_POLL_SECONDS)
    while left := _processes(folder):
        for process in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        if time.monotonic() > until:
            return
        time.sleep(_POLL_SECONDS)
    for lock in (_LOCK, f"{SOCKET}.lock"):
        (folder / lock).unlink(missing_ok=True)


def _runs(folder: Path) -> bool:
    """Whether the process that the folder's lock names is its server, and is not stopped."""
    try:
        owner = int((folder / _LOCK).read_text().partition("\n")[0])
    except (FileNotFoundError, ValueError):
        return False
    return owner in _processes(folder) and _state(owner) not in {"T", "t"}


def _processes(folder: Path) -> Collection[int]:
    """The processes of the folder's server: they run PostgreSQL's program in it."""
    place = folder.stat()
    found = []
    for entry in _PROC.iterdir():
        # One that ends meanwhile, or another user's, or a kernel's, is none of them.
        with suppress(OSError):
            if (
                entry.name.isdigit()
                and os.path.samestat((entry / "cwd").stat(), place)
                and (entry / "exe").readlink().name.removesuffix(" (deleted)") == _PROGRAM
            ):
                found.append(int(entry.name))
    return found


def _state(process: int) -> str:
    """As proc_pid_stat(5) has it: "R", "S", "T" for stopped …; "" when there is none."""
    try:
        # The name before it may have any character.
        return (_PROC / str(process) / "stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return ""
