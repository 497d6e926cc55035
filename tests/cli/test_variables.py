"""Settings as files of variables leave them: all classes have them in common."""

from __future__ import annotations

import pytest

from edge.envoy.settings import EnvoySettings
from services.cli.variables import settings_classes
from services.runtime.settings import variable


@pytest.mark.parametrize("server", settings_classes())
def test_variables_that_are_empty_are_not_there(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_classes()[server]
    names = {field: variable(settings, field) for field in settings.model_fields}
    for name in names.values():
        monkeypatch.delenv(name, raising=False)
    before = settings().model_dump()
    for field, name in names.items():
        if field != "bridge_address":
            monkeypatch.setenv(name, "")
    assert settings().model_dump() == before


def test_an_empty_address_of_the_bridge_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert EnvoySettings().has_bridge
    monkeypatch.setenv("VIVA_ENVOY_BRIDGE_ADDRESS", "")
    assert not EnvoySettings().has_bridge
    assert EnvoySettings(bridge_address="127.0.0.1:1").has_bridge
