"""An encoder's ONNX graph on onnxruntime, CPU or CUDA."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.embed.checkpoint import Format, find_checkpoint
from services.embed.engines import DEVICE_SETTING, EngineInfo
from services.embed.model_files import ModelFiles
from services.embed.pooling import Pooling
from services.embed.tokenization import TokenizedText, pad
from services.embed.vectors import pool
from services.runtime.errors import ResourceMissing
from services.runtime.onnx_session import open_session

try:
    import onnxruntime
except ModuleNotFoundError as error:
    raise ResourceMissing(
        f"the engine onnxruntime needs the package {error.name}", "install viva-mesh[embed]"
    ) from None

# What exporters call the last layer; others have one output of three axes.
_HIDDEN = ("last_hidden_state", "token_embeddings")


class OnnxEncoder:
    """Runs one batch after another, each on all threads."""

    def __init__(self, files: ModelFiles, *, device: str, threads: int, pooling: Pooling) -> None:
        """Loads a model folder's graph onto "cpu", "cuda" or "cuda:N".

        Raises:
            ResourceMissing: There is no graph, it is of another kind, or the device is not there.
        """
        checkpoint = find_checkpoint(files.weights)
        if checkpoint is None or checkpoint.format is not Format.ONNX:
            raise ResourceMissing(
                f"{files.weights} holds no ONNX graph",
                "set VIVA_EMBED_ENGINE=transformers or ctranslate2",
            )
        (graph,) = checkpoint.files
        self._session = _session(graph, device, threads)
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        self._output = _hidden_output(graph, self._session)
        self._padding = int(files.config.get("pad_token_id") or 0)
        self._pooling = pooling
        size = sum(file.stat().st_size for file in graph.parent.glob(f"{graph.name}*"))
        self._info = EngineInfo("onnxruntime", device, size)
        self._dimensions = int(self.encode([TokenizedText((0,), (0,))]).shape[1])

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        return self._info

    @property
    def dimensions(self) -> int:
        """Length of its vectors."""
        return self._dimensions

    def encode(self, batch: Sequence[TokenizedText]) -> NDArray[np.float32]:
        """Pooled vectors, float32 [n, dimensions], not normalised."""
        lengths = [len(text.ids) for text in batch]
        ids, mask, types = pad(batch, self._padding)
        fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        (hidden,) = self._session.run([self._output], {name: fed[name] for name in self._inputs})
        return pool(np.asarray(hidden, dtype=np.float32), lengths, self._pooling)

    def close(self) -> None:
        """Nothing to do: onnxruntime frees the weights with the object."""


def _session(graph: Path, device: str, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return open_session(graph, options, device=device, setting=DEVICE_SETTING)
    except ResourceMissing:
        raise
    # onnxruntime's own errors have no base but this.
    except Exception as error:  # noqa: BLE001
        raise ResourceMissing(
            f"{graph} cannot be loaded ({error})", "check the model's folder"
        ) from None


def _hidden_output(graph: Path, session: Any) -> str:
    unknown = {entry.name for entry in session.get_inputs()} - {
        "input_ids",
        "attention_mask",
        "token_type_ids",
    }
    outputs = {entry.name: len(entry.shape) for entry in session.get_outputs()}
    named = [name for name in _HIDDEN if name in outputs]
    found = named or [name for name, axes in outputs.items() if axes == 3]
    if unknown or not found:
        raise ResourceMissing(
            f"{graph} is not an encoder's graph: it has the outputs {', '.join(outputs)}"
            + (f" and asks for {', '.join(sorted(unknown))}" if unknown else ""),
            "export it with the task feature-extraction",
        )
    return found[0]
