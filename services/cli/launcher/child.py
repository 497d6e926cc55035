"""The first thing a child of the launcher runs: `child.py LAUNCHER_PID PROGRAM ARGUMENTS…`.

Linux kills it when the launcher ends, however that happened, and the setting outlives the exec that
turns this process into the server. Run by path in an isolated interpreter, it imports next to
nothing. On other systems it only runs the program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Binds this process to the launcher's life and becomes the program."""
    launcher = int(sys.argv[1])
    program = sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # It may have ended before the setting held.
        if os.getppid() != launcher:
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - the point of this program


if __name__ == "__main__":
    main()
