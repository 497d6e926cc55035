"""What runs, for `viva status` and `viva down`; and that it runs once a data folder.

The lock is the truth: the kernel frees it however the launcher ends. The file says the rest.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

_LOCK = "mesh.lock"
_FILE = "mesh.json"


class AlreadyRunning(Exception):
    """Another launcher runs with this data folder."""

    def __init__(self, running: RunningMesh | None) -> None:
        super().__init__("the mesh is already running")
        self.running = running


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A child as the launcher sees it.

    Attributes:
        name: The server.
        pid: Its process; None between two starts.
        ports: Its ports by what they are for.
        services: The gRPC services it answers for.
        state: Where it stands.
        started: When, in seconds since the epoch.
        ready_in: Seconds from its first start until it served; None if it has not yet.
        restarts: How often it was started again.
        log: Its log file.
    """

    name: str
    pid: int | None
    ports: dict[str, int]
    services: list[str]
    state: str
    started: float
    ready_in: float | None
    restarts: int
    log: str


@dataclass(frozen=True, slots=True)
class RunningMesh:
    """What a launcher runs.

    Attributes:
        pid: The launcher.
        started: When, in seconds since the epoch.
        mesh: Address of the mesh listener.
        edge: Address of the edge listener.
        admin: Address of Envoy's admin port.
        servers: The children.
    """

    pid: int
    started: float
    mesh: str
    edge: str
    admin: str
    servers: Sequence[RunningServer]

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Reads what `asdict` wrote."""
        servers = [RunningServer(**server) for server in content.pop("servers")]
        return cls(servers=servers, **content)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Holds the data folder for this process.

    Raises:
        AlreadyRunning: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(read(folder)) from None
        try:
            yield
        finally:
            (folder / _FILE).unlink(missing_ok=True)


def is_held(folder: Path) -> bool:
    """Whether a launcher runs with this folder."""
    try:
        lock = (folder / _LOCK).open()
    except FileNotFoundError:
        return False
    with lock:
        try:
            # Shared, so that two that look at once do not see each other.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def write(folder: Path, mesh: RunningMesh) -> None:
    """Writes what runs; a reader sees the old or the new, never half of it."""
    scratch = folder / f".{_FILE}.{os.getpid()}"
    scratch.write_text(json.dumps(asdict(mesh), indent=2) + "\n", encoding="utf-8")
    scratch.replace(folder / _FILE)


def read(folder: Path) -> RunningMesh | None:
    """What runs; None when nothing does, or it has not said so yet."""
    if not is_held(folder):
        return None
    try:
        return RunningMesh.from_json(json.loads((folder / _FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
