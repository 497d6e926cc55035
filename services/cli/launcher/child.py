"""Starts a program that must not outlive the launcher.

`python -m services.cli.launcher.child PARENT FOLDER PROGRAM ARGUMENT…` asks the kernel to kill this
process when its parent ends, however it ends (prctl(2), PR_SET_PDEATHSIG), goes to the folder and
becomes the program. The wish survives exec. It is bound to the thread of the parent that forked,
which is why the launcher starts everything from its main thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Becomes the program named on the command line."""
    parent, folder, program = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # the parent ended before the wish was made
        sys.exit(1)
    os.chdir(folder)
    os.execvp(program[0], program)  # noqa: S606 - that is what it is for


if __name__ == "__main__":
    main()
