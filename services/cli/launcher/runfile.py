"""What runs, for other commands to read; and a lock, so that only one mesh runs per data folder."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from services.cli.launcher.process import Status


class AlreadyRunning(Exception):
    """Another launcher holds the data folder."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One process in the run file."""

    name: str
    port: int
    metrics_port: int | None
    health_service: str | None
    admin_port: int | None
    status: Status


@dataclass(frozen=True, slots=True)
class RunFile:
    """The running mesh.

    Attributes:
        pid: The launcher.
        started: When it was started, in seconds since the epoch.
        mesh: The mesh listener's address.
        edge: The edge listener's address.
        processes: What it runs.
    """

    pid: int
    started: float
    mesh: str
    edge: str
    processes: tuple[Entry, ...]

    def write(self, data_dir: Path) -> None:
        """Replaces the run file as a whole."""
        path = _path(data_dir)
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(self), indent=2))
        scratch.replace(path)


def _path(data_dir: Path) -> Path:
    return data_dir / "run" / "mesh.json"


@contextmanager
def lock(data_dir: Path) -> Iterator[None]:
    """Holds the data folder until the scope ends; the kernel lets go if the process dies.

    Raises:
        AlreadyRunning: Somebody else holds it.
    """
    folder = data_dir / "run"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "mesh.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(str(data_dir)) from None
        try:
            yield
        finally:
            _path(data_dir).unlink(missing_ok=True)


def running(data_dir: Path) -> bool:
    """Whether a launcher holds the data folder."""
    path = data_dir / "run" / "mesh.lock"
    if not path.exists():
        return False
    with path.open() as handle:
        try:
            # Shared, so that two that look at the same time do not see each other.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read(data_dir: Path) -> RunFile | None:
    """The running mesh; None when there is none."""
    path = _path(data_dir)
    if not running(data_dir) or not path.exists():
        return None
    content = json.loads(path.read_text())
    entries = tuple(
        Entry(**{**entry, "status": Status(**entry["status"])})
        for entry in content.pop("processes")
    )
    return RunFile(**content, processes=entries)
