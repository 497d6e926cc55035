"""What a person reads who gave a command something that cannot be, or runs nothing: what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.app import app


@pytest.fixture(autouse=True)
def _nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def viva(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize("command", [("account", "list"), ("migrate", "--check")])
def test_the_embedded_database_is_run_by_viva_up(command: tuple[str, ...]) -> None:
    code, said = viva(*command)
    assert code == 3
    assert "`viva up` runs it" in said


@pytest.mark.parametrize("command", [("account", "list"), ("migrate", "--check")])
def test_another_database_is_not(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for server in ("INTERVIEW", "GATEWAY"):
        monkeypatch.setenv(f"VIVA_{server}_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    code, said = viva(*command)
    assert code == 3
    assert "PostgreSQL at 127.0.0.1:9/none" in said
    assert "viva up" not in said


def test_what_measures_a_mesh_says_that_there_is_none() -> None:
    code, said = viva("bench", "mesh")
    assert code == 3
    assert "`viva up` starts one" in said


def test_an_address_is_no_url() -> None:
    code, said = viva("embed", "x", "--address", "http://localhost:7000")
    assert code == 2
    assert "write HOST:PORT, without http://" in said


@pytest.mark.parametrize("named", ["nofile.json", "my-interview/", "./folder"])
def test_a_report_that_is_no_file_is_not_asked_of_the_server(named: str) -> None:
    code, said = viva("report", named)
    assert (code, said) == (2, f"error: {named}: no such file")


def test_an_empty_recording_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    code, said = viva("transcribe", "empty.wav")
    assert (code, said) == (2, "error: empty.wav: the file is empty")


@pytest.mark.parametrize("others", [[], ["--stream"], ["--json"]])
def test_pauses_are_asked_for_where_they_are_shown(others: list[str]) -> None:
    code, said = viva("transcribe", "talk.wav", "--pauses", *others)
    assert code == 2
    assert "--stream --json" in said
