"""What the profile chooses, and what it never chooses by itself."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.llm.settings import PACKAGED_MODEL, LlmSettings, ModelChoice


def test_without_a_word_it_is_the_packaged_model_on_the_cpu() -> None:
    assert LlmSettings().choice() == ModelChoice("ctranslate2", PACKAGED_MODEL, "cpu")


def test_on_a_gpu_node_it_is_a_large_one_in_the_server_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VIVA_PROFILE", "gpu-48gb")
    choice = LlmSettings().choice()
    assert (choice.engine, choice.model) == ("openai", "Qwen/Qwen2.5-7B-Instruct")
    monkeypatch.setenv("VIVA_LLM_MODEL", "other")
    assert LlmSettings().choice().model == "other"


def test_there_the_small_one_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVA_PROFILE", "gpu-48gb")
    monkeypatch.setenv("VIVA_LLM_ENGINE", "ctranslate2")
    with pytest.raises(ValidationError, match="VIVA_LLM_MODEL must say which"):
        LlmSettings()
    monkeypatch.setenv("VIVA_LLM_MODEL", PACKAGED_MODEL)
    monkeypatch.setenv("VIVA_LLM_DEVICE", "cpu")
    assert LlmSettings().choice() == ModelChoice("ctranslate2", PACKAGED_MODEL, "cpu")
