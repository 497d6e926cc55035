"""What onnxruntime is asked for, and what is done where it does not do it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import onnxruntime
import pytest

from services.runtime.errors import ResourceMissing
from services.runtime.onnx_session import open_session

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@dataclass
class Runtime:
    """An onnxruntime with a CUDA provider that loads, or does not."""

    works: bool = True
    asked: list[Any] = field(default_factory=list)
    preloaded: int = 0

    def open(self, model: object, options: object, providers: list[Any]) -> Runtime:
        self.asked = providers
        return self

    def get_providers(self) -> list[str]:
        names = [each if isinstance(each, str) else each[0] for each in self.asked]
        return names if self.works else [CPU]

    def preload_dlls(self) -> None:
        self.preloaded += 1


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    fake = Runtime()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", fake.open)
    monkeypatch.setattr(onnxruntime, "preload_dlls", fake.preload_dlls)
    return fake


def opened(device: str, **more: Any) -> Any:
    return open_session(b"", None, device=device, setting="VIVA_X_DEVICE", **more)


def test_cuda_is_asked_for_by_number_without_a_search_and_without_hoarding(
    runtime: Runtime,
) -> None:
    opened("cuda:1", memory_bytes=3_000_000_000)
    (name, options), fallback = runtime.asked
    assert (name, fallback) == (CUDA, CPU)
    assert options == {
        "device_id": 1,
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
        "gpu_mem_limit": 3_000_000_000,
    }
    assert runtime.preloaded == 1


def test_without_a_limit_none_is_set(runtime: Runtime) -> None:
    opened("cuda")
    assert "gpu_mem_limit" not in runtime.asked[0][1]


def test_the_cpu_alone_is_asked_for_nothing_of_cuda(runtime: Runtime) -> None:
    opened("cpu")
    assert runtime.asked == [CPU]
    assert not runtime.preloaded


def test_a_provider_that_is_dropped_silently_stops_the_start(runtime: Runtime) -> None:
    runtime.works = False
    with pytest.raises(ResourceMissing, match="VIVA_X_DEVICE is cuda:1"):
        opened("cuda:1")


def test_an_onnxruntime_without_cuda_says_what_to_install(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    with pytest.raises(ResourceMissing, match="onnxruntime-gpu"):
        opened("cuda")
