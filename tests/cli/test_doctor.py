"""`viva doctor` and `viva config`: what a person learns before the first start."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.running_mesh import environment


def viva(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=variables,
        timeout=120,
    )


def findings(variables: dict[str, str]) -> dict[str, dict[str, Any]]:
    found = json.loads(viva(variables, "doctor", "--json").stdout)
    return {finding["what"]: finding for finding in found}


def test_the_doctor_looks_at_everything_the_mesh_needs(tmp_path: Path) -> None:
    found = findings(environment(tmp_path))
    assert {"Python", "processor", "memory", "data folder", "Whisper base", "Envoy"} <= set(found)
    assert found["ports"] == {"what": "ports", "found": "free", "remedy": ""}


def test_the_doctor_names_a_taken_port(tmp_path: Path) -> None:
    variables = environment(tmp_path)
    port = int(variables["VIVA_TTS_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        result = viva(variables, "doctor", "--json")
        found = {finding["what"]: finding for finding in json.loads(result.stdout)}
    assert result.returncode == 1
    assert f"port {port} (tts)" in found["ports"]["remedy"]


def test_config_shows_what_is_set_under_its_variable(tmp_path: Path) -> None:
    variables = {**environment(tmp_path), "VIVA_EMBED_MAX_BATCH_SIZE": "7", "COLUMNS": "200"}
    table = viva(variables, "config").stdout
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines() if "VIVA_" in line}
    assert rows["VIVA_EMBED_MAX_BATCH_SIZE"][0] == "7"
    assert rows["VIVA_DATA_DIR"][0] == str(tmp_path)
    assert rows["VIVA_ENVOY_MESH_PORT"][0] == variables["VIVA_ENVOY_MESH_PORT"]
    assert "VIVA_ASR_DATA_DIR" not in rows
    shown = json.loads(viva(variables, "config", "--json").stdout)
    assert shown["embed"]["max_batch_size"] == 7
    assert set(shown) == {"asr", "tts", "llm", "embed", "interview", "envoy"}


def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    variables = {**environment(tmp_path), "VIVA_EMBED_MAX_BATCH_SIZE": "many"}
    result = viva(variables, "config")
    assert result.returncode == 2
    assert "VIVA_EMBED_MAX_BATCH_SIZE" in result.stderr
