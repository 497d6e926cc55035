"""Who took calls where this process does now and is dead: what it drove can be taken at once."""

from __future__ import annotations

import asyncio
import fcntl
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from services.runtime.logs import log

_logger = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0
"""So often it is tried to have an address's file. Whoever dies sooner than that after the one that
had it is unknown to its successor, which waits for its leases to run out."""
_KEPT = 16
"""Names in a file: all that may have died within the life of one lease."""


class Predecessors:
    """Names of those that had this process's address before it and have died.

    Each holds the file of its address for as long as it lives; the kernel lets go when it dies, and
    nothing else proves that. Processes that share an address by mistake, or are on machines with
    folders of their own, learn nothing of each other.
    """

    def __init__(self, folder: Path, name: str, held: ExitStack) -> None:
        """Takes where the files are, this process's `Holder.name`, and what closes its file."""
        self._address = name.rpartition("/")[0]
        self._path = folder / quote(self._address, safe="")
        self._name = name
        self._held = held
        self._known: frozenset[str] | None = None
        self._told = False

    def __contains__(self, name: object) -> bool:
        """Whether a process is known to be dead."""
        return self._known is not None and name in self._known

    def learn(self) -> bool:
        """Has the file, if nobody else has, reads who had it and adds this process; whether it has.

        Without a folder nobody is known.
        """
        if self._known is None:
            with ExitStack() as tried:
                try:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    file = tried.enter_context(self._path.open("a+"))
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._known = frozenset(_succeed(file, self._name))
                except BlockingIOError:
                    self._tell(
                        "another interview server has this address: set VIVA_INTERVIEW_ADVERTISE",
                        None,
                    )
                except OSError as error:
                    self._tell("predecessors not known", error)
                else:
                    self._held.push(tried.pop_all())
        return self._known is not None

    async def run(self) -> None:
        """Has the file as soon as whoever has it lets go: its successor has to know of this one."""
        while True:
            if self.learn():
                return
            await asyncio.sleep(AGAIN_SECONDS)

    def _tell(self, what: str, cause: OSError | None) -> None:
        if not self._told:
            self._told = True
            log(_logger, logging.WARNING, what, address=self._address, cause=cause)


@contextmanager
def predecessors(folder: Path, name: str) -> Iterator[Predecessors]:
    """Those that had this process's address before it and have died; `run` learns of them later.

    Args:
        folder: Where the files are, one an address.
        name: Who this process is, as `Holder.name`.
    """
    with ExitStack() as held:
        known = Predecessors(folder, name, held)
        known.learn()
        yield known


def _succeed(file: TextIO, name: str) -> list[str]:
    """Reads who held the file, and adds who holds it now."""
    file.seek(0)
    before = file.read().splitlines()
    file.truncate(0)
    file.writelines(f"{each}\n" for each in (*before[1 - _KEPT :], name))
    file.flush()
    return before
