"""The real mesh, with its models: started, stopped, and asked what a test wants of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.cli.launcher import control
from services.cli.launcher.overview import Entry, Overview
from tests.cli import in_process
from tests.cli.in_process import Said
from tests.cli.running_mesh import READY, until_ready

STOP_SECONDS = 60
HEALTHY_SECONDS = 120
POLL_SECONDS = 0.1


@dataclass
class RealMesh:
    """A running mesh on real models.

    Attributes:
        variables: Its environment.
        scratch: Where a test may leave files.
        launcher: `viva up`, as it runs now.
    """

    variables: Mapping[str, str]
    scratch: Path
    launcher: subprocess.Popen[str]

    @property
    def address(self) -> str:
        return f"localhost:{self.variables['VIVA_ENVOY_MESH_PORT']}"

    @property
    def edge(self) -> str:
        return f"http://localhost:{self.variables['VIVA_ENVOY_EDGE_PORT']}"

    def viva(self, *arguments: str, text: str = "") -> Said:
        """What a command says; where the mesh listens, commands find out by themselves."""
        return in_process.viva(self.variables, *arguments, text=text)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command as a process of its own: one that takes long, or signals."""
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=dict(self.variables),
            timeout=300,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Runs a command beside the test."""
        return subprocess.Popen(
            [sys.executable, "-m", "services.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(self.variables),
        )

    def restart(self) -> None:
        """Stops it in order, as whoever is done with it does, and starts it again."""
        self.launcher.terminate()
        self.launcher.communicate(timeout=STOP_SECONDS)
        assert self.launcher.returncode == 0
        self.launcher = _started(self.variables)

    def overview(self) -> Overview:
        """What `viva status` shows, without a process for each look."""
        return control.read(Path(self.variables["VIVA_DATA_DIR"]))

    def entry(self, server: str) -> Entry:
        """A server as it runs now: one that was replaced has another address than before."""
        (entry,) = [entry for entry in self.overview().entries if entry.server == server]
        return entry

    def process(self, server: str) -> psutil.Process:
        """The process of a server that runs."""
        entry = self.entry(server)
        assert entry.status is not None
        assert entry.status.pid is not None
        return psutil.Process(entry.status.pid)

    def wait_until_healthy(self) -> None:
        """Waits until every process that was killed is back; all there is to do is to ask."""
        until = time.monotonic() + HEALTHY_SECONDS
        while ill := [entry for entry in self.overview().entries if entry.health != "SERVING"]:
            assert time.monotonic() < until, ill
            time.sleep(POLL_SECONDS)

    def wait_until_replaced(self, server: str, before: psutil.Process) -> None:
        """Waits until another process than the one before serves, and all others do."""
        with suppress(psutil.NoSuchProcess):
            before.wait(HEALTHY_SECONDS)
        self.wait_until_healthy()
        assert self.process(server) != before

    def json(self, *arguments: str) -> Any:
        result = self.viva(*arguments, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


def _started(variables: Mapping[str, str]) -> subprocess.Popen[str]:
    launcher = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "up"],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = until_ready(launcher)
    if READY in said:
        return launcher
    logs = Path(variables["VIVA_DATA_DIR"]) / "logs"
    tails = [f"{path.name}:\n{path.read_text()[-2000:]}" for path in logs.glob("*.log")]
    pytest.fail("\n".join([said, *tails]))


def _killed(launcher: subprocess.Popen[str]) -> None:
    """Nothing outlives it. In order is how a restart stops it."""
    family = psutil.Process(launcher.pid).children(recursive=True)
    launcher.kill()
    launcher.communicate()
    _, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
    assert not [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@contextmanager
def running(variables: Mapping[str, str], scratch: Path) -> Iterator[RealMesh]:
    """A mesh until the scope ends; then it is killed."""
    mesh = RealMesh(variables, scratch, _started(variables))
    try:
        yield mesh
    finally:
        _killed(mesh.launcher)
