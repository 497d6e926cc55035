"""Any Hugging Face encoder or cross-encoder on torch, CPU or CUDA."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.embed.checkpoint import TORCH_FILES, Format, find_checkpoint
from services.embed.engines import DEVICE_SETTING, EngineInfo
from services.embed.model_files import ModelFiles
from services.embed.pooling import Pooling
from services.embed.tokenization import TokenizedText, pad
from services.runtime.device import require
from services.runtime.errors import ResourceMissing

try:
    import torch
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    from transformers import AutoModel, AutoModelForSequenceClassification
except ModuleNotFoundError as error:
    raise ResourceMissing(
        f"the engine transformers needs the package {error.name}", "install viva-mesh[torch]"
    ) from None

# What describes a model, its tokenizer and its modules; *.txt are older vocabularies.
_DESCRIPTIONS = ["*.json", "*.txt", "*.model"]
# Computed by the models for other purposes than a text's vector.
_UNUSED_PARTS = ("pooler.", "embeddings.position_ids")


def fetch(name: str, setting: str, endpoint: str | None = None) -> Path:
    """The folder of a model of the Hugging Face hub, downloaded once into its own cache.

    Of the formats its weights come in only the better one that torch reads is fetched.

    Args:
        name: The model's on the hub.
        setting: The variable that named it, for errors.
        endpoint: The hub's address; None takes its own.

    Raises:
        ResourceMissing: The hub doesn't have it or cannot be reached.
    """
    try:
        for weights in TORCH_FILES:
            folder = Path(
                snapshot_download(
                    name, endpoint=endpoint, allow_patterns=[*_DESCRIPTIONS, *weights]
                )
            )
            if any(any(folder.glob(pattern)) for pattern in weights):
                break
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ResourceMissing(
            f"the model {name} cannot be fetched from the Hugging Face hub ({error})",
            f"check the name and the network, or set {setting} to a folder",
        ) from None
    return folder


class _Module:
    """A loaded torch module and the way of a batch into it."""

    def __init__(
        self, loader: Any, files: ModelFiles, device: str, threads: int, dtype: str
    ) -> None:
        require(device, DEVICE_SETTING, "torch", torch.cuda.device_count)
        _check_weights(files)
        if device == "cpu":
            torch.set_num_threads(threads)
        try:
            # Pickled tensors are read with weights_only, transformers' default: no code runs.
            module, loading = loader.from_pretrained(
                files.weights,
                local_files_only=True,
                dtype=getattr(torch, dtype),
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError, UnpicklingError) as error:
            reason = str(error).partition("\n")[0]
            raise ResourceMissing(
                f"{files.weights} cannot be loaded ({reason})", "check the model's folder"
            ) from None
        # transformers draws what is missing at random.
        lost = [name for name in loading["missing_keys"] if not name.startswith(_UNUSED_PARTS)]
        if lost:
            raise ResourceMissing(
                f"the weights in {files.weights} lack {min(lost)}", "download them again"
            )
        self.device = device
        self._module = module.eval().to(device)
        self._padding = int(files.config.get("pad_token_id") or 0)
        self._segments = int(files.config.get("type_vocab_size") or 0) > 1
        # torch splits each batch among its threads: two at a time would fight for them.
        self._lock = threading.Lock()

    @property
    def memory_bytes(self) -> int:
        return sum(p.numel() * p.element_size() for p in self._module.parameters())

    @property
    def config(self) -> Any:
        return self._module.config

    def run(self, batch: Sequence[TokenizedText]) -> tuple[Any, Any]:
        """The module's output and the mask [n, longest] of what is not padding."""
        padded = pad(batch, self._padding)
        # One copy to the device; its parts are used there.
        ids, mask, types = torch.from_numpy(padded).to(self.device)
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self._segments:
            inputs["token_type_ids"] = types
        with self._lock, torch.inference_mode():
            return self._module(**inputs), mask


def _check_weights(files: ModelFiles) -> None:
    checkpoint = find_checkpoint(files.weights)
    if checkpoint is None:
        raise ResourceMissing(
            f"{files.weights} holds no weights that an engine here reads", "download them again"
        )
    if checkpoint.format is Format.ONNX:
        raise ResourceMissing(
            f"{files.weights} holds an ONNX graph, which the engine transformers does not run",
            "set VIVA_EMBED_ENGINE=onnxruntime",
        )


def pooled(hidden: Any, mask: Any, pooling: Pooling) -> Any:
    """One vector a text, float32 [n, d], on the device.

    Args:
        hidden: The last layer [n, longest, d], in any precision. Summed as float32: float16 ends at
            65,504.
        mask: 1 for a text's tokens [n, longest], 0 for padding.
        pooling: The mean of the text's tokens, or its first token.
    """
    if pooling is Pooling.CLS:
        return hidden[:, 0].float()
    weights = mask.unsqueeze(-1).float()
    return (hidden.float() * weights).sum(dim=1) / weights.sum(dim=1)


class TransformersEncoder:
    """Any encoder `AutoModel` loads."""

    def __init__(
        self, files: ModelFiles, *, device: str, threads: int, pooling: Pooling, dtype: str
    ) -> None:
        """Loads a model folder onto "cpu", "cuda" or "cuda:N", in a type of torch's by its name."""
        self._module = _Module(AutoModel, files, device, threads, dtype)
        self._pooling = pooling
        self._info = EngineInfo("transformers", device, self._module.memory_bytes)

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        return self._info

    @property
    def dimensions(self) -> int:
        """Length of its vectors."""
        return int(self._module.config.hidden_size)

    def encode(self, batch: Sequence[TokenizedText]) -> NDArray[np.float32]:
        """Pooled vectors, float32 [n, dimensions], not normalised."""
        output, mask = self._module.run(batch)
        vectors: NDArray[np.float32] = (
            pooled(output.last_hidden_state, mask, self._pooling).cpu().numpy()
        )
        return vectors

    def close(self) -> None:
        """Nothing to do: torch frees the weights with the object."""


class TransformersCrossEncoder:
    """Any cross-encoder with one label that `AutoModelForSequenceClassification` loads."""

    def __init__(self, files: ModelFiles, *, device: str, threads: int, dtype: str) -> None:
        """Loads a model folder onto "cpu", "cuda" or "cuda:N", in a type of torch's by its name.

        Raises:
            ResourceMissing: It classifies into several labels, so it has no one score.
        """
        self._module = _Module(AutoModelForSequenceClassification, files, device, threads, dtype)
        if self._module.config.num_labels != 1:
            raise ResourceMissing(
                f"{files.folder} has {self._module.config.num_labels} labels, a reranker has one",
                "set VIVA_EMBED_RERANK_MODEL to a reranker",
            )
        self._info = EngineInfo("transformers", device, self._module.memory_bytes)

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        return self._info

    def score(self, batch: Sequence[TokenizedText]) -> NDArray[np.float32]:
        """One logit a pair, float32 [n]."""
        output, _ = self._module.run(batch)
        scores: NDArray[np.float32] = output.logits[:, 0].float().cpu().numpy()
        return scores

    def close(self) -> None:
        """Nothing to do: torch frees the weights with the object."""
