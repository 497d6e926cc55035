"""Who took calls where this process does now and is dead: what it drove can be taken at once."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from services.runtime.logs import log

_logger = logging.getLogger(__name__)

_KEPT = 16
"""Names in a file: all that may have died within the life of one lease."""


@contextmanager
def predecessors(folder: Path, name: str) -> Iterator[frozenset[str]]:
    """Those that had this process's address before it and have died.

    Each holds the file of its address for as long as it lives; the kernel lets go when it dies, and
    nothing else proves that. Processes that share an address by mistake, or are on machines with
    folders of their own, learn nothing of each other.

    Args:
        folder: Where the files are, one an address.
        name: Who this process is, as `Holder.name`.
    """
    path = folder / quote(name.rpartition("/")[0], safe="")
    with ExitStack() as stack:
        before: list[str] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a+"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            before = _succeed(file, name)
        except BlockingIOError:
            what = "another interview server has this address: set VIVA_INTERVIEW_ADVERTISE"
            log(_logger, logging.WARNING, what, address=name.rpartition("/")[0])
        except OSError as error:
            log(_logger, logging.WARNING, "predecessors not known", cause=error)
        yield frozenset(before)


def _succeed(file: TextIO, name: str) -> list[str]:
    """Reads who held the file, and adds who holds it now."""
    file.seek(0)
    before = file.read().splitlines()
    file.truncate(0)
    file.writelines(f"{each}\n" for each in (*before[1 - _KEPT :], name))
    file.flush()
    return before
