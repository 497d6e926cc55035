"""Sessions of onnxruntime on the device that was asked for, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.runtime.device import Device, not_usable

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_REMEDY = (
    "install onnxruntime-gpu in place of onnxruntime, and the CUDA libraries as docs/gpu.md says,"
    " or set it to cpu"
)


def open_session(
    model: bytes | Path,
    options: Any,
    *,
    device: str,
    setting: str,
    memory_bytes: int | None = None,
) -> Any:
    """A session of a model.

    Args:
        model: The ONNX file, or what it holds.
        options: `onnxruntime.SessionOptions`.
        device: "cpu", "cuda" or "cuda:N".
        setting: The variable that named it, for errors.
        memory_bytes: Most memory of a CUDA device that it may take; None for no limit.

    Raises:
        ResourceMissing: onnxruntime has no such device; by itself it would go on with the CPU.
        Exception: Its own, when it cannot read the model.
    """
    import onnxruntime

    place = Device.parse(device)
    providers: list[Any] = [_CPU]
    if place.kind == "cuda":
        if _CUDA not in onnxruntime.get_available_providers():
            raise not_usable(device, setting, "this onnxruntime runs on CPUs alone", _REMEDY)
        # Those of the nvidia-* packages are on no path that a linker looks at.
        onnxruntime.preload_dlls()
        providers.insert(0, (_CUDA, _cuda_options(place, memory_bytes)))
    source = str(model) if isinstance(model, Path) else model
    session = onnxruntime.InferenceSession(source, options, providers=providers)
    # A provider whose libraries do not load, or whose device is not there, is dropped silently.
    if place.kind == "cuda" and session.get_providers()[0] != _CUDA:
        raise not_usable(device, setting, "onnxruntime cannot use it", _REMEDY)
    return session


def _cuda_options(place: Device, memory_bytes: int | None) -> dict[str, Any]:
    """See https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html."""
    options: dict[str, Any] = {
        "device_id": place.index,
        # By default every new shape is measured with all algorithms: seconds, for each length.
        "cudnn_conv_algo_search": "HEURISTIC",
        # By default the arena doubles, and neighbours on the device find half of it taken.
        "arena_extend_strategy": "kSameAsRequested",
    }
    if memory_bytes is not None:
        options["gpu_mem_limit"] = memory_bytes
    return options
