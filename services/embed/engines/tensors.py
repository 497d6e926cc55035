"""A checkpoint's tensors as numpy arrays."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from services.embed.checkpoint import Checkpoint, Format
from services.runtime.errors import ResourceMissing

# safetensors' names of the types that weights come in; numpy has none for BF16.
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


def read_tensors(checkpoint: Checkpoint) -> dict[str, NDArray[np.float32]]:
    """All floating point tensors by name, as float32, each an array of its own.

    Raises:
        ResourceMissing: They cannot be read: a broken file, one that holds more than tensors, or
            pickled ones without torch.
    """
    read = _safetensors if checkpoint.format is Format.SAFETENSORS else _pickled
    return {name: tensor for file in checkpoint.files for name, tensor in read(file)}


def _safetensors(file: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    try:
        entries: list[tuple[str, dict[str, Any]]]
        entries = deserialize(file.read_bytes())  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise _unreadable(file, error) from None
    for name, entry in entries:
        if entry["dtype"] == "BF16":
            # The upper half of a float32.
            halves = np.frombuffer(entry["data"], dtype="<u2").astype(np.uint32)
            tensor = (halves << 16).view(np.float32)
        elif kind := _TYPES.get(entry["dtype"]):
            tensor = np.frombuffer(entry["data"], dtype=kind).astype(np.float32)
        else:
            continue
        yield name, tensor.reshape(entry["shape"])


def _pickled(file: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    try:
        import torch
    except ModuleNotFoundError:
        raise ResourceMissing(
            f"{file} holds pickled tensors, which only torch reads", "install viva-mesh[torch]"
        ) from None
    try:
        # A pickle can run code; these are tensors or they are refused.
        tensors = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise _unreadable(file, error) from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            yield name, tensor.float().numpy().copy()


def _unreadable(file: Path, error: Exception) -> ResourceMissing:
    reason = str(error).partition("\n")[0]
    return ResourceMissing(f"{file} cannot be loaded ({reason})", "check the model's folder")
