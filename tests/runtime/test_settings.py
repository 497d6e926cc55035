"""Settings come from the environment, with a prefix for one server or for all."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import ServerSettings


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
