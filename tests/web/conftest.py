"""The page as it is built, and a real browser for it; all that is installed is ignored by git."""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soxr

from hatch_build import build_web, install_node_packages, write_web_types
from tests.recordings import librivox

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "edge/web"
BROWSER = Path(__file__).parent / "browser"
BROWSER_SECONDS = 600
BUILD_SECONDS = 120
RATE_HZ = 44_100
"""Of the microphone: not the page's, which has to resample, as for most microphones."""


def node(
    folder: Path, *command: str, variables: Mapping[str, str] | None = None, said: str = ""
) -> str:
    """What a command of Node's says, told something; a test fails where it does."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    program = shutil.which(command[0], path=path)
    assert program is not None, f"{command[0]} is not installed"
    finished = subprocess.run(
        [program, *command[1:]],
        cwd=folder,
        env={**os.environ, "PATH": path, "NO_COLOR": "1", **(variables or {})},
        input=said,
        capture_output=True,
        text=True,
        check=False,
        timeout=BROWSER_SECONDS,
    )
    assert finished.returncode == 0, finished.stdout[-6000:] + finished.stderr[-3000:]
    return finished.stdout


@dataclass(frozen=True)
class Browser:
    """Runs Playwright's tests of `browser/` with the Chromium there is."""

    variables: Mapping[str, str]

    def run(self, spec: str, variables: Mapping[str, str]) -> str:
        """Runs the tests of a file.

        Raises:
            AssertionError: One failed; its output is the message.
        """
        command = ("npx", "--no-install", "playwright", "test", spec)
        return node(BROWSER, *command, variables={**self.variables, **variables})


@pytest.fixture(scope="session")
def packages() -> Path:
    """The page's folder, its packages installed and its types written."""
    install_node_packages(WEB)
    write_web_types(ROOT)
    return WEB


@pytest.fixture(scope="session")
def built() -> Path:
    """The built page; `make test` has built it before."""
    fresh = subprocess.run(["make", "--question", "build/page.built"], cwd=ROOT, check=False)
    if fresh.returncode != 0:
        build_web(ROOT)
    return WEB / "dist"


def chromium() -> Mapping[str, str]:
    """The variables by which the scripts of `browser/` find the Chromium there is."""
    install_node_packages(BROWSER)
    found = json.loads(node(BROWSER, "node", "chromium.mjs"))
    return {**found["variables"], "VIVA_CHROMIUM_PATH": found["path"]}


@pytest.fixture(scope="session")
def browser() -> Browser:
    return Browser(chromium())


class _PageHandler(http.server.SimpleHTTPRequestHandler):
    """Files, and the page for every address that is none."""

    def translate_path(self, path: str) -> str:
        found = Path(super().translate_path(path))
        return str(found if found.is_file() else Path(self.directory) / "index.html")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="session")
def states(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page with every state of the room is served, without any server behind it."""
    out = tmp_path_factory.mktemp("states")
    node(packages, "npm", "run", "--silent", "build", variables={"VIVA_WEB_STATES": str(out)})
    handler = functools.partial(_PageHandler, directory=str(out))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def room_states() -> list[str]:
    """The names of the states in which the room can be looked at."""
    text = (WEB / "src/dev/logs.ts").read_text()
    listed = text[text.index("export const LOGS") :]
    return re.findall(r'^  "?([a-z-]+)"?: \(', listed, re.MULTILINE)


def speaking(path: Path, *, before_seconds: int, after_seconds: int) -> Path:
    """A recording in place of the microphone: somebody speaks, and is silent before and after."""
    with wave.open(str(librivox()[3].path)) as recording:
        samples = np.frombuffer(recording.readframes(recording.getnframes()), np.int16)
        rate = recording.getframerate()
    speech = soxr.resample(samples, rate, RATE_HZ)
    # No microphone gives nothing at all.
    noise = np.random.default_rng(7)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        for part in (
            noise.integers(-3, 4, before_seconds * RATE_HZ, np.int16),
            speech.astype(np.int16),
            noise.integers(-3, 4, after_seconds * RATE_HZ, np.int16),
        ):
            out.writeframes(part.tobytes())
    return path
