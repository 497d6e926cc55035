"""Which files of a model folder hold its weights, in every layout the Hugging Face hub knows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from services.runtime.errors import ResourceMissing


class Format(StrEnum):
    """How weights are written."""

    SAFETENSORS = "safetensors"
    PICKLED = "pytorch"
    ONNX = "onnx"


# The first that is there is taken. An index names the shards of sharded weights.
_LAYOUTS = (
    ("model.safetensors", Format.SAFETENSORS),
    ("model.safetensors.index.json", Format.SAFETENSORS),
    ("pytorch_model.bin", Format.PICKLED),
    ("pytorch_model.bin.index.json", Format.PICKLED),
    ("onnx/model.onnx", Format.ONNX),
    ("model.onnx", Format.ONNX),
)

TORCH_FILES = (
    ("model.safetensors", "model-*.safetensors"),
    ("pytorch_model.bin", "pytorch_model-*.bin"),
)
"""Patterns of the files with the weights that torch reads, by format, the better one first."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model's weights.

    Attributes:
        format: How they are written.
        files: Where; for ONNX the graph.
    """

    format: Format
    files: tuple[Path, ...]

    @property
    def source(self) -> tuple[tuple[str, int, int], ...]:
        """What changes when the weights do: each file's path, size and time of change."""
        return tuple(
            (str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns)
            for file in self.files
        )


def find_checkpoint(folder: Path) -> Checkpoint | None:
    """A folder's weights; None where it has none.

    Raises:
        ResourceMissing: An index names shards that are not there.
    """
    for name, written in _LAYOUTS:
        main = folder / name
        if not main.is_file():
            continue
        if main.suffix != ".json":
            return Checkpoint(written, (main,))
        shards = json.loads(main.read_text(encoding="utf-8"))["weight_map"].values()
        files = tuple(folder / shard for shard in sorted(set(shards)))
        lost = [file.name for file in files if not file.is_file()]
        if lost:
            raise ResourceMissing(f"{folder} lacks {', '.join(lost)}", "download it again")
        return Checkpoint(written, files)
    return None
