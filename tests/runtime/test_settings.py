"""Settings come from the environment, with a prefix for one server or for all."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import ServerSettings, load, variable


class DemoSettings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="VIVA_DEMO_")

    places: dict[str, list[str]] = Field(default_factory=dict)


def test_a_servers_own_variable_has_its_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVA_DEMO_PORT", "7999")
    assert DemoSettings().port == 7999


def test_a_variable_of_the_mesh_reaches_every_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VIVA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("VIVA_LOG_LEVEL", "WARNING")
    assert DemoSettings().data_dir == tmp_path
    assert DemoSettings().log_level == "WARNING"


def test_code_can_set_what_the_environment_can(tmp_path: Path) -> None:
    assert DemoSettings(data_dir=tmp_path, port=1).data_dir == tmp_path


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "70000"), ("THREADS", "0"), ("HUNG_SECONDS", "0")]
)
def test_a_value_out_of_range_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"VIVA_DEMO_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        DemoSettings()


@pytest.mark.parametrize(
    ("name", "value"), [("LOG_LEVEL", "debug"), ("PROFILE", "work"), ("DATA_DIR", "/elsewhere")]
)
def test_variables_of_other_programs_are_not_read(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    before = DemoSettings()
    monkeypatch.setenv(name, value)
    assert DemoSettings() == before


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("VIVA_DEMO_PORT", "x", "valid integer"),
        ("VIVA_PROFILE", "x", "'cpu' or 'gpu-48gb'"),
        ("VIVA_DEMO_PLACES", "x", "JSON"),
    ],
)
def test_a_value_that_cannot_be_read_is_one_line_with_its_variable(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    says: str,
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        load(DemoSettings)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{variable}: ")
    assert says in line


@pytest.mark.parametrize(
    "url", ["localhost", "ftp://x:1", "http://", "http://x:port", "http://x:0", "http://x:1/v1"]
)
def test_a_collector_is_a_url_with_a_host_and_no_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.setenv("VIVA_OTLP_ENDPOINT", url)
    with pytest.raises(SystemExit):
        load(DemoSettings)
    assert "http://host:port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("http://localhost:4317", "http://localhost:4317"),
        ("https://collector.example", "https://collector.example:4317"),
        ("http://[::1]:1/", "http://[::1]:1"),
    ],
)
def test_a_collectors_url_may_leave_out_its_port(
    monkeypatch: pytest.MonkeyPatch, url: str, written: str
) -> None:
    monkeypatch.setenv("VIVA_OTLP_ENDPOINT", url)
    assert DemoSettings().otlp_endpoint == written


class PairSettings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="VIVA_PAIR_")

    least: int = 1
    most: int = 2

    @model_validator(mode="after")
    def _in_order(self) -> PairSettings:
        if self.most < self.least:
            raise ValueError("most is less than least")
        return self


def test_settings_that_do_not_fit_each_other_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIVA_PAIR_LEAST", "3")
    with pytest.raises(SystemExit) as ended:
        load(PairSettings)
    assert ended.value.code == 2
    assert "most is less than least" in capsys.readouterr().err


class SecretSettings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="VIVA_SECRET_")

    key: SecretStr | None = Field(default=None, min_length=100)
    word: SecretStr | None = Field(default=None, validation_alias="VIVA_SECRET_PASSPHRASE")

    @field_validator("word")
    @classmethod
    def _never(cls, value: SecretStr | None) -> SecretStr | None:
        raise ValueError("is wrong")


@pytest.mark.parametrize("variable", ["VIVA_SECRET_KEY", "VIVA_SECRET_PASSPHRASE"])
def test_a_secret_that_is_wrong_is_not_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str
) -> None:
    monkeypatch.setenv(variable, "hunter2")
    with pytest.raises(SystemExit):
        load(SecretSettings)
    said = capsys.readouterr().err
    assert said.startswith(f"{variable}: ")
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://ann:hunter2@collector:4317", "collector:4317"),
        ("http://ann:a/b@c'hunter2@collector:4317", "collector:4317"),
        ("ann:hunter2@collector:4317", "collector:4317"),
        ("collector:4317", "'collector:4317'"),
    ],
)
def test_the_password_of_a_url_that_is_wrong_is_not_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, told: str
) -> None:
    monkeypatch.setenv("VIVA_OTLP_ENDPOINT", url)
    with pytest.raises(SystemExit):
        load(DemoSettings)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("VIVA_OTLP_ENDPOINT: write http://host:port")
    assert told in line
    assert "hunter2" not in line
    assert "ann" not in line


def test_a_variable_that_is_empty_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    before = DemoSettings()
    for name in (*ServerSettings.model_fields, "places"):
        monkeypatch.setenv(variable(DemoSettings, name), "")
    assert DemoSettings() == before


def test_a_folder_may_be_named_by_a_home_that_no_shell_has_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VIVA_DATA_DIR", "~/viva")
    assert DemoSettings().data_dir == tmp_path / "viva"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIVA_DATA_DIR", "viva")
    assert DemoSettings().data_dir == tmp_path / "viva"
