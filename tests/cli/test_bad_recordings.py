"""What `viva interview` refuses before it begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.test_errors import viva

pytestmark = pytest.mark.slow

NOWHERE = ("--address", "127.0.0.1:1")


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("no audio at all\n" * 100)


def silent(path: Path) -> None:
    soundfile.write(path, np.zeros(16_000), 16_000)


def cut_off(path: Path) -> None:
    soundfile.write(path, np.zeros(16_000), 16_000)
    path.write_bytes(path.read_bytes()[:20])


@pytest.mark.parametrize("make", [empty, text, silent, cut_off])
def test_an_answer_that_cannot_be_spoken_is_named(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    recording = tmp_path / "answer.wav"
    make(recording)
    result = viva("interview", "--answers", str(recording), "--out", str(tmp_path), *NOWHERE)
    assert result.returncode == 2
    assert str(recording) in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_answer_is_named_and_a_second_one_is_no_option(tmp_path: Path) -> None:
    speech(tmp_path / "there.wav")
    there, missing = str(tmp_path / "there.wav"), str(tmp_path / "missing.wav")
    result = viva("interview", "--answers", there, missing, "--out", str(tmp_path), *NOWHERE)
    assert result.returncode == 2
    assert f"{missing}: no such file" in result.stderr


def speech(path: Path) -> None:
    tone = 0.5 * np.sin(np.arange(16_000) / 10)
    soundfile.write(path, tone, 16_000)


def test_a_folder_that_cannot_be_written_is_told_before_the_interview(tmp_path: Path) -> None:
    speech(tmp_path / "answer.wav")
    taken = tmp_path / "a file"
    taken.touch()
    answer = str(tmp_path / "answer.wav")
    result = viva("interview", "--answers", answer, "--out", str(taken / "in it"), *NOWHERE)
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: --out {taken}/in it:")


def test_without_a_mesh_it_says_how_to_start_one(tmp_path: Path) -> None:
    speech(tmp_path / "answer.wav")
    answer = str(tmp_path / "answer.wav")
    result = viva("interview", "--answers", answer, "--out", str(tmp_path / "out"), *NOWHERE)
    assert result.returncode == 3
    assert "`viva up` starts it" in result.stderr
