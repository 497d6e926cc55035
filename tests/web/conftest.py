"""The page as it is built, and a real browser for it; all that is installed is ignored by git."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from hatch_build import build_web, install_node_packages, write_web_types
from tests.e2e.conftest import mesh

__all__ = ["mesh"]

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "edge/web"
BROWSER = Path(__file__).parent / "browser"
BROWSER_SECONDS = 600
BUILD_SECONDS = 120


def node(folder: Path, *command: str, variables: Mapping[str, str] | None = None) -> str:
    """What a command of Node's says; a test fails where it does."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    program = shutil.which(command[0], path=path)
    assert program is not None, f"{command[0]} is not installed"
    finished = subprocess.run(
        [program, *command[1:]],
        cwd=folder,
        env={**os.environ, "PATH": path, "NO_COLOR": "1", **(variables or {})},
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
    """The built page."""
    build_web(ROOT)
    return WEB / "dist"


@pytest.fixture(scope="session")
def browser() -> Browser:
    install_node_packages(BROWSER)
    found = json.loads(node(BROWSER, "node", "chromium.mjs"))
    return Browser({**found["variables"], "VIVA_CHROMIUM_PATH": found["path"]})


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
