"""What the doctor finds where servers are set to a GPU."""

from __future__ import annotations

import ctypes

import ctranslate2
import onnxruntime
import pytest

from services.cli.launcher import gpu
from services.cli.launcher.gpu import OnGpu

ASR = OnGpu("VIVA_ASR_DEVICE", "cuda", "ctranslate2")
TTS = OnGpu("VIVA_TTS_DEVICE", "cuda", "onnxruntime")
EMBED = OnGpu("VIVA_EMBED_DEVICE", "cuda", "torch")


def test_without_a_word_nothing_is_wanted_of_a_gpu() -> None:
    assert not list(gpu.wanted())


def test_the_profile_wants_it_of_all_but_the_language_model_that_runs_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VIVA_PROFILE", "gpu-48gb")
    assert list(gpu.wanted()) == [ASR, TTS, EMBED]
    monkeypatch.setenv("VIVA_LLM_ENGINE", "transformers")
    monkeypatch.setenv("VIVA_LLM_DEVICE", "cuda:1")
    monkeypatch.setenv("VIVA_TTS_DEVICE", "cpu")
    monkeypatch.setenv("VIVA_ASR_ENGINE", "triton")
    assert list(gpu.wanted()) == [OnGpu("VIVA_LLM_DEVICE", "cuda:1", "torch"), EMBED]


def test_a_gpu_without_its_libraries_is_found_out_before_the_first_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = {"libcublas.so.12"}

    def load(name: str) -> None:
        if name not in there:
            raise OSError(name)

    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    monkeypatch.setattr(ctypes, "CDLL", load)
    missing = gpu.lacking(ASR)
    assert missing is not None
    assert missing.what == "VIVA_ASR_DEVICE is cuda, but libcudnn.so.9 cannot be loaded"
    assert "docs/gpu.md" in missing.remedy
    there.add("libcudnn.so.9")
    assert gpu.lacking(ASR) is None


def test_a_machine_without_one_says_what_is_set_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 0)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    for wanted in (ASR, TTS):
        missing = gpu.lacking(wanted)
        assert missing is not None
        assert wanted.setting in missing.what
