"""ONNX models in onnxruntime, on the device that was asked for."""

from __future__ import annotations

from typing import Any

from services.runtime.errors import ResourceMissing
from services.tts import installing

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def open_session(model: bytes, *, threads: int, device: str) -> Any:
    """A session of a model.

    Args:
        model: The ONNX file's content.
        threads: Of onnxruntime.
        device: "cpu" or "cuda".

    Raises:
        ResourceMissing: onnxruntime is not installed, or has no such device; by itself it would go
            on with the CPU.
        Exception: onnxruntime's own, when it cannot read the model.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise ResourceMissing("onnxruntime is not installed", installing.EXTRA) from None
    wanted = _PROVIDERS[device]
    missing = ResourceMissing(
        f"onnxruntime cannot run on {device}",
        "install onnxruntime-gpu in place of onnxruntime, or set VIVA_TTS_DEVICE=cpu",
    )
    if wanted not in onnxruntime.get_available_providers():
        raise missing
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A plan is kept for every shape ever seen otherwise, and every phrase has a shape of its own.
    options.enable_mem_pattern = False
    # Threads that spin between calls would take the cores from the other servers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = list(dict.fromkeys([wanted, _PROVIDERS["cpu"]]))
    session = onnxruntime.InferenceSession(model, options, providers)
    # A provider whose libraries do not load is dropped without an error.
    if session.get_providers()[0] != wanted:
        raise missing
    return session
