"""Any Hugging Face encoder or cross-encoder on torch, CPU or CUDA."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.embed.engines import EngineInfo
from services.embed.model_files import ModelFiles
from services.embed.tokenization import TokenizedText
from services.embed.vectors import Pooling
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

_FILES = ["*.json", "*.safetensors", "1_Pooling/*", "*.model"]


def fetch(name: str, setting: str) -> Path:
    """The folder of a model of the Hugging Face hub, downloaded once into its own cache.

    Raises:
        ResourceMissing: The hub doesn't have it or cannot be reached.
    """
    try:
        return Path(snapshot_download(name, allow_patterns=_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ResourceMissing(
            f"the model {name} cannot be fetched from the Hugging Face hub ({error})",
            f"check the name and the network, or set {setting} to a folder",
        ) from None


class _Module:
    """A loaded torch module and the way of a batch into it."""

    def __init__(self, loader: Any, files: ModelFiles, device: str, threads: int) -> None:
        _check_device(device)
        if device == "cpu":
            torch.set_num_threads(threads)
        try:
            # CPUs are slow at half precision; a GPU takes the weights as they were saved.
            dtype = torch.float32 if device == "cpu" else "auto"
            module = loader.from_pretrained(files.folder, local_files_only=True, dtype=dtype)
        except (OSError, ValueError) as error:
            raise ResourceMissing(
                f"{files.folder} cannot be loaded ({error})", "check the model's folder"
            ) from None
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
        longest = max(len(text.ids) for text in batch)
        ids = torch.full((len(batch), longest), self._padding, dtype=torch.long)
        types = torch.zeros_like(ids)
        mask = torch.zeros_like(ids)
        for row, text in enumerate(batch):
            length = len(text.ids)
            ids[row, :length] = torch.tensor(text.ids)
            types[row, :length] = torch.tensor(text.types)
            mask[row, :length] = 1
        mask = mask.to(self.device)
        inputs = {"input_ids": ids.to(self.device), "attention_mask": mask}
        if self._segments:
            inputs["token_type_ids"] = types.to(self.device)
        with self._lock, torch.inference_mode():
            return self._module(**inputs), mask


def _check_device(device: str) -> None:
    kind, _, index = device.partition(":")
    found = torch.cuda.device_count() if kind == "cuda" else 0
    if kind == "cuda" and int(index or 0) >= found:
        raise ResourceMissing(
            f"VIVA_EMBED_DEVICE is {device}, but torch finds {found} CUDA devices", "set it to cpu"
        )


class TransformersEncoder:
    """Any encoder `AutoModel` loads."""

    def __init__(self, files: ModelFiles, *, device: str, threads: int, pooling: Pooling) -> None:
        """Loads a model folder onto "cpu", "cuda" or "cuda:N"."""
        self._module = _Module(AutoModel, files, device, threads)
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
        hidden = output.last_hidden_state
        if self._pooling is Pooling.CLS:
            pooled = hidden[:, 0]
        else:
            weights = mask.unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
        vectors: NDArray[np.float32] = pooled.float().cpu().numpy()
        return vectors

    def close(self) -> None:
        """Nothing to do: torch frees the weights with the object."""


class TransformersCrossEncoder:
    """Any cross-encoder with one label that `AutoModelForSequenceClassification` loads."""

    def __init__(self, files: ModelFiles, *, device: str, threads: int) -> None:
        """Loads a model folder onto "cpu", "cuda" or "cuda:N".

        Raises:
            ResourceMissing: It classifies into several labels, so it has no one score.
        """
        self._module = _Module(AutoModelForSequenceClassification, files, device, threads)
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
