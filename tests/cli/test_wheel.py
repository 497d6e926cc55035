"""What is shipped: the wheel alone, in an environment and a folder of its own, runs the mesh."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from hatch_build import VOICE_NAMES
from tests.cli.running_mesh import READY, ROOT, unprepared, until_ready


@dataclass(frozen=True)
class Installed:
    """The wheel in a fresh environment, which borrows everything but the wheel from this one."""

    wheel: Path
    python: Path

    @property
    def viva(self) -> str:
        return str(self.python.with_name("viva"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run([*pip, *build], check=True, env=_without_tree())
    (wheel,) = folder.glob("*.whl")
    place = folder / "environment"
    venv.create(place)
    python = place / "bin" / "python"
    install = ["--python", str(python), "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run([*pip, *install], check=True, env=_without_tree())
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(wheel, python)


def _without_tree() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def test_the_wheel_takes_the_three_top_level_names_of_the_project(installed: Installed) -> None:
    names = {name.split("/")[0] for name in zipfile.ZipFile(installed.wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {
        "edge",
        "services",
        "viva",
    }


def test_the_wheel_carries_the_built_page_and_not_what_it_is_made_of(installed: Installed) -> None:
    names = {name for name in zipfile.ZipFile(installed.wheel).namelist() if "edge/web/" in name}
    assert {"edge/web/dist/index.html", "edge/web/dist/icon.svg"} <= names
    assert not {name for name in names if not name.startswith("edge/web/dist/")}


def test_the_wheel_carries_the_chinese_voices_with_their_licence(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    carried = {Path(name).name for name in names if "/kokoro_voices/" in name}
    assert carried == {"LICENSE", *(f"{name}.bin" for name in VOICE_NAMES)}


def test_the_installed_wheel_runs_the_mesh_from_an_empty_folder(
    installed: Installed, tmp_path: Path
) -> None:
    variables = unprepared(tmp_path / "data")
    del variables["PYTHONPATH"]
    empty = tmp_path / "empty"
    empty.mkdir()
    launcher = subprocess.Popen(
        [installed.viva, "up"],
        cwd=empty,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = until_ready(launcher)
    launcher.send_signal(signal.SIGTERM)
    launcher.communicate(timeout=60)
    assert READY in said, said
    assert launcher.returncode == 0
    assert list(empty.iterdir()) == []


def test_a_model_that_is_missing_is_fetched(installed: Installed) -> None:
    """Installed into the environment that runs, and nothing that it asks for in turn."""
    program = "from services.cli.launcher.fetching import fetch; fetch(['silero-vad'])"
    subprocess.run([str(installed.python), "-c", program], check=True, env=_without_tree())
    own = installed.python.parents[1]
    assert list(own.glob("lib/python*/site-packages/silero_vad/data/silero_vad.onnx"))
    assert not list(own.glob("lib/python*/site-packages/torch"))
