"""Where the engines run."""

from __future__ import annotations

import pytest

from services.tts.settings import TtsSettings


def test_the_profile_chooses_the_device_and_the_device_overrides_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert TtsSettings().place() == "cpu"
    monkeypatch.setenv("VIVA_PROFILE", "gpu-48gb")
    assert TtsSettings().place() == "cuda"
    monkeypatch.setenv("VIVA_TTS_DEVICE", "cpu")
    assert TtsSettings().place() == "cpu"
