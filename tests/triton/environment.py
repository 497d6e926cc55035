"""Makes the environment of the Triton server that the tests start.

`python tests/triton/environment.py` makes `.venv-triton` in the repository's root, or brings it up
to requirements/triton.lock; it does nothing when that is done. Standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements" / "triton.lock"
ENVIRONMENT = ROOT / ".venv-triton"


def environment() -> Path:
    """The environment's folder, made first if it is missing or out of date.

    Raises:
        subprocess.CalledProcessError: pip failed; what it said is on stderr.
    """
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    done = ENVIRONMENT / ".done"
    with ENVIRONMENT.with_name(".venv-triton.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (done.is_file() and done.read_text() == wanted):
            sys.stderr.write(f"making {ENVIRONMENT}: Triton, about 500 MB\n")
            venv.create(ENVIRONMENT, with_pip=True, clear=True)
            pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            locked = ["--require-hashes", "--no-deps", "-r", str(REQUIREMENTS)]
            subprocess.run([*pip, "--disable-pip-version-check", *locked], check=True)
            done.write_text(wanted)
    return ENVIRONMENT


def site_packages() -> Path:
    """Where the environment's packages lie."""
    return next((environment() / "lib").glob("python3*/site-packages"))


if __name__ == "__main__":
    environment()
