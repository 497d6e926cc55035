"""Which errors of an engine mean that its device has no memory left."""

from __future__ import annotations

# What the engines say; none but torch has an error of its own for it.
_OUT_OF_MEMORY = (
    "cuda out of memory",  # torch, torch.OutOfMemoryError
    "cuda error: out of memory",  # torch, from the driver
    "cuda failed with error out of memory",  # CTranslate2
    "cublas_status_alloc_failed",  # CTranslate2 and torch, from cuBLAS
    "failed to allocate memory for requested buffer",  # onnxruntime's arena
    "is smaller than requested bytes",  # onnxruntime's arena with a limit
    "cuda failure 2: out of memory",  # onnxruntime, from the driver
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, CTranslate2 or onnxruntime had too little device memory for a batch."""
    said = str(error).lower()
    return any(words in said for words in _OUT_OF_MEMORY)
