"""Model folders are complete or absent."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from services.runtime.errors import ResourceMissing
from services.runtime.weights import WeightsStore, package_files


def _build(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"weights")


def test_a_model_is_built_once(tmp_path: Path) -> None:
    store = WeightsStore(tmp_path / "models")
    place = store.prepare("m", "1", _build)
    assert (place / "model.bin").read_bytes() == b"weights"

    def never(folder: Path) -> None:
        raise AssertionError(folder)

    assert store.prepare("m", "1", never) == place


def test_whoever_waits_reads_what_is_prepared(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    store = WeightsStore(tmp_path)

    def build(folder: Path) -> None:
        assert caplog.messages == ["preparing kokoro-82m, once"]
        _build(folder)

    store.prepare("kokoro-82m", "1", build)
    store.prepare("kokoro-82m", "1", build)
    assert len(caplog.messages) == 1


def test_another_version_is_another_folder(tmp_path: Path) -> None:
    store = WeightsStore(tmp_path)
    assert store.prepare("m", "1", _build) != store.prepare("m", "2", _build)


def test_a_failed_build_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    store = WeightsStore(tmp_path)

    def fail(folder: Path) -> None:
        _build(folder)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.prepare("m", "1", fail)
    assert [p for p in tmp_path.iterdir() if p.is_dir()] == []
    assert store.prepare("m", "1", _build).is_dir()


def _die(directory: Path) -> None:
    def build(folder: Path) -> None:
        _build(folder)
        os.kill(os.getpid(), signal.SIGKILL)

    WeightsStore(directory).prepare("m", "1", build)


def test_what_a_killed_process_left_is_gone_after_the_next_build(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_die, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    place = WeightsStore(tmp_path).prepare("m", "1", _build)
    assert [p for p in tmp_path.iterdir() if p.is_dir()] == [place]


def test_a_name_of_several_parts_is_one_folder(tmp_path: Path) -> None:
    assert WeightsStore(tmp_path).prepare("org/m", "1", _build).parent == tmp_path


def _count(directory: Path, marks: Path, number: int) -> None:
    def build(folder: Path) -> None:
        (marks / str(number)).touch()
        _build(folder)

    WeightsStore(directory).prepare("m", "1", build)


@pytest.mark.slow
def test_processes_that_start_at_once_build_once(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_count, args=(tmp_path / "models", marks, number))
        for number in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list(marks.iterdir())) == 1


def test_a_missing_package_says_what_to_do() -> None:
    with pytest.raises(ResourceMissing, match="not installed; run `make setup`"):
        package_files("no_such_package_of_weights", "run `make setup`")
