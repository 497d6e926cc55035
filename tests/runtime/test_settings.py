"""Settings come from the environment, with a prefix for one server or for all."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError, model_validator
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import ServerSettings, load


class DemoSettings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="VIVA_DEMO_")


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


@pytest.mark.parametrize(("name", "value"), [("PORT", "70000"), ("THREADS", "0"), ("HOST", "")])
def test_a_value_out_of_range_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"VIVA_DEMO_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        DemoSettings()


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
