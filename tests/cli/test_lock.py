"""A data folder has one holder, and may not be writable."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import pytest
from typer.testing import CliRunner

from services.cli.app import app
from services.cli.commands import mesh
from services.cli.launcher import lock
from services.cli.launcher.lock import AlreadyRunning, holder
from services.cli.launcher.plan import Plan
from tests.cli.running_mesh import unprepared


@pytest.fixture
def unnamed(tmp_path: Path) -> Iterator[TextIO]:
    """Held by somebody who has not written a number into it yet."""
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "mesh.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle


def test_a_folder_has_one_holder(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with lock.lock(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with pytest.raises(AlreadyRunning), lock.lock(tmp_path):
            pass
    assert holder(tmp_path) is None


def test_a_folder_that_somebody_only_looks_at_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lock.lock(tmp_path):
        pass
    with (tmp_path / "run" / "mesh.lock").open() as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(looker, fcntl.LOCK_UN))
        with lock.lock(tmp_path):
            assert holder(tmp_path) == os.getpid()


def test_no_number_of_a_former_holder_stands_for_the_next(tmp_path: Path) -> None:
    with lock.lock(tmp_path):
        pass
    assert (tmp_path / "run" / "mesh.lock").read_text() == ""


def test_a_holder_that_was_killed_does_not_stand_for_the_next(
    unnamed: TextIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    unnamed.write(str(killed.pid))
    unnamed.flush()
    monkeypatch.setattr(lock, "_UNNAMED_SECONDS", 0.05)
    with pytest.raises(TimeoutError):
        holder(tmp_path)


def test_a_mesh_that_ends_by_itself_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mesh, "mesh_on", lambda _: 4711)
    monkeypatch.setattr(mesh, "holder", lambda _: None)

    def kill(pid: int, _: int) -> None:
        raise ProcessLookupError(pid)

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setenv("VIVA_DATA_DIR", str(tmp_path))
    result = CliRunner().invoke(app, ["down"])
    assert (result.exit_code, result.output.strip()) == (0, "stopped")


def test_a_setting_that_makes_no_sense_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signalled: list[int] = []
    monkeypatch.setattr(mesh, "mesh_on", lambda _: 4711)
    monkeypatch.setattr(os, "kill", lambda pid, _: signalled.append(pid))
    monkeypatch.setenv("VIVA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("VIVA_DRAIN_SECONDS", "long")
    result = CliRunner().invoke(app, ["down"])
    assert result.exit_code == 2
    assert "VIVA_DRAIN_SECONDS" in result.output
    assert signalled == []


def test_who_finds_the_folder_held_by_nobody_any_more_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        ExitStack() as stack,
        ExitStack() as other,
    ):
        other.enter_context(lock.lock(tmp_path))
        monkeypatch.setattr(lock, "_LOOK_SECONDS", 0.0)

        def holder(_: Path) -> None:
            other.close()

        monkeypatch.setattr(mesh, "holder", holder)
        mesh._take(stack, tmp_path)
        assert lock.holder(tmp_path) == os.getpid()


def test_a_holder_that_has_not_named_itself_yet_is_waited_for(
    tmp_path: Path, unnamed: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        unnamed.write(str(os.getppid()))
        unnamed.flush()

    monkeypatch.setattr(time, "sleep", sleep)
    assert holder(tmp_path) == os.getppid()


@pytest.mark.usefixtures("unnamed")
def test_nobody_is_signalled_for_a_holder_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill(2) with 0 means everybody in the caller's own process group."""
    signalled: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: signalled.append(pid))
    monkeypatch.setattr(lock, "_UNNAMED_SECONDS", 0.05)
    monkeypatch.setenv("VIVA_DATA_DIR", str(tmp_path))
    for command in (["down"], ["restart"], ["status"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 1
        assert "has not named itself yet; try again" in " ".join(result.output.split())
    assert signalled == []


@pytest.mark.parametrize("command", ["down", "restart", "status"])
def test_a_data_folder_that_is_a_file_is_told_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("VIVA_DATA_DIR", str(file))
    result = CliRunner().invoke(app, [command])
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert said == f"error: {file}: not a folder; set VIVA_DATA_DIR to a folder of yours"


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EROFS, "mount its disk"),
        (errno.EACCES, "set VIVA_DATA_DIR"),
    ],
)
def test_a_folder_that_cannot_be_written_is_told_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    """A full disk's folder holds the interviews: another one would be empty."""

    def write_configuration(_: Plan) -> None:
        raise OSError(number, os.strerror(number))

    for name, value in unprepared(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Plan, "write_configuration", write_configuration)
    monkeypatch.setattr(mesh, "fetch_missing", lambda: None)
    result = CliRunner().invoke(app, ["up"])
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert f"{tmp_path}: {os.strerror(number)}; {remedy}" in said
    assert ("VIVA_DATA_DIR" in said) == (number == errno.EACCES)
