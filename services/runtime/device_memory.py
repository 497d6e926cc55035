"""Which errors of an engine mean that its device has no memory left, or is lost altogether."""

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


# What CUDA calls the errors after which a process can do no more work on the device
# (cudaGetErrorString; "Error handling" in the CUDA runtime's manual calls them sticky).
_LOST = (
    "an illegal memory access was encountered",
    "device-side assert triggered",
    "unspecified launch failure",
    "an illegal instruction was encountered",
    "hardware stack error",
    "misaligned address",
    "invalid program counter",
    "uncorrectable ecc error",
    "the launch timed out and was terminated",
    "context is destroyed",
    "operation not supported on global/shared address space",
    "uncorrectable nvlink error",
    "an exception occurred on the device",
    "unknown error",
    "mps client terminated",
    "the remote procedural call between the mps server and the mps client failed",
)


def is_device_lost(error: BaseException) -> bool:
    """Whether an error, or one behind it, means that this process cannot use its device again.

    What was raised "from None" has nothing behind it: a lost device elsewhere is told so.
    """
    seen: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        said = str(behind).lower()
        if "cuda" in said and any(words in said for words in _LOST):
            return True
        context = None if behind.__suppress_context__ else behind.__context__
        behind = behind.__cause__ or context
    return False
