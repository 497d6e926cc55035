"""Model files on disk, each prepared once.

Packaged weights come in parts or in a foreign format; a server joins or converts them at its first
start. The result is complete or absent: it is built beside its place and renamed, under a lock, so
that several processes may start at once and a killed one leaves nothing half-done.
"""

from __future__ import annotations

import fcntl
import importlib.util
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.runtime.errors import ResourceMissing
from services.runtime.logs import log

_logger = logging.getLogger(__name__)


class WeightsStore:
    """The prepared model folders under one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def prepare(self, name: str, version: str, build: Callable[[Path], None]) -> Path:
        """The folder of `name` at `version`, built by `build(folder)` if it is not there.

        Blocks while another process builds the same. Whatever `build` raises leaves nothing behind,
        and what a killed process left is removed by the next that builds.
        """
        place = self._directory / f"{name}-{version}".replace("/", "--")
        if place.is_dir():
            return place
        self._directory.mkdir(parents=True, exist_ok=True)
        with self._lock(place.name):
            if place.is_dir():
                return place
            # It may take minutes: whoever waits for the server reads why.
            log(_logger, logging.INFO, f"preparing {name}, once")
            scratch = self._directory / f".{place.name}.building"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            try:
                build(scratch)
                scratch.rename(place)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        return place

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        with (self._directory / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def package_files(module: str, remedy: str) -> Path:
    """The installed folder of a package that carries weights, without importing it.

    Raises:
        ResourceMissing: It is not installed; `remedy` says what to do.
    """
    spec = importlib.util.find_spec(module)
    locations = spec.submodule_search_locations if spec else None
    if not locations:
        raise ResourceMissing(f"the package with the weights, {module}, is not installed", remedy)
    return Path(next(iter(locations)))
