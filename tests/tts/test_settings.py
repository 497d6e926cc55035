"""Where the engines run."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.tts.settings import TtsSettings


def test_the_profile_chooses_the_device_and_the_device_overrides_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert TtsSettings().place() == "cpu"
    monkeypatch.setenv("VIVA_PROFILE", "gpu-48gb")
    assert TtsSettings().place() == "cuda"
    monkeypatch.setenv("VIVA_TTS_DEVICE", "cpu")
    assert TtsSettings().place() == "cpu"


def test_another_of_several_devices_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVA_TTS_DEVICE", "cuda:1")
    assert TtsSettings().place() == "cuda:1"
    monkeypatch.setenv("VIVA_TTS_DEVICE", "gpu")
    with pytest.raises(ValidationError, match="cuda:N"):
        TtsSettings()
