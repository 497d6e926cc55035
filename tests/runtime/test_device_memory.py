"""Errors that mean too little device memory, in the words of each engine."""

from __future__ import annotations

import pytest
import torch

from services.runtime.device_memory import is_out_of_memory

_ARENA = "void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) "


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("CUDA failed with error out of memory"),
        RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"),
        RuntimeError(_ARENA + "Failed to allocate memory for requested buffer of size 939524096"),
        RuntimeError(_ARENA + "Available memory of 12 is smaller than requested bytes of 4096"),
        RuntimeError("CUDA failure 2: out of memory ; GPU=0 ; hostname=x ; expr=cudaMalloc"),
    ],
    ids=["torch", "torch-driver", "ctranslate2", "cublas", "ort", "ort-limit", "ort-driver"],
)
def test_too_little_memory_is_known_by_each_engines_words(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        ValueError("the window is empty"),
        MemoryError(),
    ],
    ids=["illegal-access", "value", "host"],
)
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    assert not is_out_of_memory(error)
