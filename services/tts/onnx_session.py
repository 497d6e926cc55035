"""ONNX models in onnxruntime, as this server runs them."""

from __future__ import annotations

from typing import Any

from services.runtime import onnx_session
from services.runtime.errors import ResourceMissing
from services.tts import installing
from services.tts.onnx_graph import has_operator

# Of quantised graphs, those that onnxruntime has for CPUs alone (its OperatorKernels.md): with
# one of them in a graph, each is a copy from the GPU and one back.
_CPU_OPERATORS = ("ConvInteger", "DynamicQuantizeLinear", "DynamicQuantizeLSTM")


def placed(model: bytes, device: str) -> str:
    """Where a model had better run: on the CPU, if it has operators that no GPU has."""
    return "cpu" if any(has_operator(model, name) for name in _CPU_OPERATORS) else device


def open_session(
    model: bytes, *, threads: int, device: str, device_memory_bytes: int | None = None
) -> Any:
    """A session of a model.

    Args:
        model: The ONNX file's content.
        threads: Of onnxruntime.
        device: "cpu", "cuda" or "cuda:N".
        device_memory_bytes: Most memory of a CUDA device that it may take; None for no limit.

    Raises:
        ResourceMissing: onnxruntime is not installed, or has no such device.
        Exception: onnxruntime's own, when it cannot read the model.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise ResourceMissing("onnxruntime is not installed", installing.EXTRA) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A plan is kept for every shape ever seen otherwise, and every phrase has a shape of its own.
    options.enable_mem_pattern = False
    # Threads that spin between calls would take the cores from the other servers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnx_session.open_session(
        model,
        options,
        device=device,
        setting="VIVA_TTS_DEVICE",
        memory_bytes=device_memory_bytes,
    )
