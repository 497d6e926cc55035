"""The server as a process: what it says when it can't start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(data_dir: Path, missing: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m services.embed`, without one package if `missing` names it."""
    code = "import runpy, sys\n"
    if missing:
        code += f"sys.modules[{missing!r}] = None\n"
    code += "runpy.run_module('services.embed', run_name='__main__')"
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
        "VIVA_DATA_DIR": str(data_dir),
        "VIVA_EMBED_PORT": "0",
        **settings,
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("missing", "engine", "remedy"),
    [
        ("tokenizers", "ctranslate2", "install viva-mesh[embed]"),
        ("ctranslate2", "ctranslate2", "install viva-mesh[embed]"),
        ("torch", "transformers", "install viva-mesh[torch]"),
        ("ml_dtypes", "triton", "requirements/models-no-deps.txt"),
    ],
)
def test_a_missing_package_is_named_with_its_remedy(
    tmp_path: Path, missing: str, engine: str, remedy: str
) -> None:
    done = start(tmp_path, missing, VIVA_EMBED_ENGINE=engine)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("viva embed: ")
    assert missing in line
    assert remedy in line


def test_a_missing_model_is_named_with_its_variable(tmp_path: Path) -> None:
    done = start(tmp_path, VIVA_EMBED_MODEL="/none")
    assert done.returncode == 2
    assert done.stderr.startswith("viva embed: there is no model folder /none; set VIVA_EMBED_")


def test_a_wrong_setting_is_named_by_its_variable(tmp_path: Path) -> None:
    done = start(tmp_path, VIVA_EMBED_POOLING="max")
    assert done.returncode == 2
    assert done.stderr.startswith("VIVA_EMBED_POOLING: ")
