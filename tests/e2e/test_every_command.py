"""Every command as a person types it, in a terminal of 100 columns, and as a program does."""

from __future__ import annotations

import json
import re

import pytest
import typer

from services.cli.app import app
from tests.real_mesh import RealMesh
from tests.recordings import librivox

COLUMNS = 100
# With --json: what the printed object holds.
COMMANDS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "transcribe": (("{speech}", "--language", "en", "--words"), {"segments", "text"}),
    "say": (("A short sentence.", "--out", "{scratch}/said.wav"), {"file", "seconds"}),
    "voices": ((), {"voices"}),
    "chat": (("Is the sky blue?", "--choice", "yes", "--choice", "no"), {"text", "reason"}),
    "embed": (("a database index", "[a sunset]"), {"embeddings", "dimensions"}),
    "similarity": (("a database index", "a B-tree", "[/a sunset]"), {"scores"}),
    "rerank": (("undo a commit", "a cake recipe", "git revert"), {"results"}),
    "status": ((), {"running", "servers"}),
    "models": ((), {"asr", "tts", "llm", "embed"}),
    "doctor": ((), set()),
    "config": ((), {"VIVA_ASR_PORT", "VIVA_ENVOY_EDGE_PORT"}),
    "bench mesh": (("--calls", "100", "--direct", "{tts}", "--out", "{scratch}"), {"figures"}),
    "bench edge": (("--calls", "100", "--out", "{scratch}"), {"figures"}),
    "bench overload": (("--seconds", "1", "--deadline", "0.1", "--out", "{scratch}"), {"figures"}),
    "bench cancel": (("--streams", "10", "--out", "{scratch}"), {"figures"}),
    "bench bridge": (("--streams", "2", "--seconds", "1", "--out", "{scratch}"), {"figures"}),
    "bench endpointing": (("--out", "{scratch}"), {"figures"}),
}
UNFOLDED = {"config"}
"""Where no terminal is, a line a variable, for grep."""
# They take long: run once, and read from the file that they leave.
LONG = {name for name in COMMANDS if name.startswith("bench ")}
ELSEWHERE = {
    # tests/e2e/test_spoken_interview.py, tests/cli/test_{launcher,restart,fetching}.py
    "interview",
    "up",
    "down",
    "fetch",
    "restart",
    # tests/e2e/test_commands.py, tests/interview/test_migrations.py
    "migrate",
    # tests/cli/test_report.py, tests/interview/test_calibration.py
    "report",
    "bench report",
    # tests/edge/gateway/test_operators.py
    "account list",
    "account set-plan",
    "account set-kind",
    "account revoke",
    "account reset-link",
    # Minutes of model work: what they measure with is tested with each server.
    "bench asr",
    "bench denoise",
    "bench tts",
    "bench llm",
    "bench embed",
    # tests/cli/test_bench_turn.py; in real time they take minutes.
    "bench bargein",
    "bench sessions",
    "bench turn",
}


def typed(mesh: RealMesh, command: str) -> list[str]:
    values = {
        "speech": librivox()[2].path,
        "scratch": mesh.scratch,
        "tts": mesh.entry("tts").address,
    }
    arguments, _ = COMMANDS[command]
    return [*command.split(), *(argument.format_map(values) for argument in arguments)]


def test_no_command_is_forgotten() -> None:
    found = set()
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {f"{name} {each}" for each in inner} if inner else {name}
    assert found == set(COMMANDS) | ELSEWHERE


@pytest.mark.parametrize("command", COMMANDS)
def test_a_person_can_read_it(mesh: RealMesh, command: str) -> None:
    result = mesh.viva(*typed(mesh, command))
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    lines = (result.stdout + result.stderr).splitlines()
    assert lines
    if command not in UNFOLDED:
        assert max(map(len, lines)) <= COLUMNS
    # A word cut in the middle is lost for a reader.
    assert not [line for line in lines if re.search(r"\w…( |$)", line)]
    if command in LONG:
        file = mesh.scratch / f"{command.removeprefix('bench ')}.json"
        assert COMMANDS[command][1] <= set(json.loads(file.read_text()))


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in LONG])
def test_a_program_can_read_it(mesh: RealMesh, command: str) -> None:
    result = mesh.viva(*typed(mesh, command), "--json")
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    _, keys = COMMANDS[command]
    assert keys <= set(printed) if keys else isinstance(printed, list)


def test_what_looks_like_markup_is_printed(mesh: RealMesh) -> None:
    said = mesh.viva("similarity", "a database index", "[/a] sunset").stdout
    assert "[/a] sunset" in said


def test_live_events_are_a_json_object_a_line(mesh: RealMesh) -> None:
    heard = mesh.viva("transcribe", str(librivox()[2].path), "--stream", "--json")
    assert heard.returncode == 0, heard.stderr
    events = [json.loads(line) for line in heard.stdout.splitlines()]
    assert "end_of_turn" in events[-1]


def test_a_conversation_goes_on_until_an_empty_line(mesh: RealMesh) -> None:
    said = mesh.viva("chat", "--max-tokens", "8", text="Hello.\nAnd you?\n\n")
    assert said.returncode == 0, said.stderr
    assert said.stderr.count("tokens, the first after") == 2
