"""The default engine: CTranslate2 on weights converted at the first start."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.embed.checkpoint import find_checkpoint
from services.embed.engines import DEVICE_SETTING, EngineInfo
from services.embed.model_files import ModelFiles
from services.embed.pooling import Pooling
from services.embed.settings import ComputeType
from services.embed.tokenization import TokenizedText
from services.embed.tokenizer_files import load_tokenizer
from services.embed.vectors import pool
from services.runtime.device import ctranslate2_devices, require
from services.runtime.errors import ResourceMissing
from services.runtime.weights import WeightsStore

try:
    import ctranslate2
except ModuleNotFoundError as error:
    raise ResourceMissing(
        f"the engine ctranslate2 needs the package {error.name}", "install viva-mesh[embed]"
    ) from None

# Of the conversion; raise it when what it writes changes.
_REVISION = 2


class CTranslate2Encoder:
    """Runs one batch a thread: a batch's matrices are too small to split among cores."""

    def __init__(self, weights: Path, *, device: str, threads: int, pooling: Pooling) -> None:
        """Loads a prepared model.

        Args:
            weights: What `prepare` made.
            device: "cpu", "cuda" or "cuda:N".
            threads: Batches that may run at the same time on the CPU.
            pooling: How a text's vector is made.

        Raises:
            ResourceMissing: The device is not there.
        """
        place = require(device, DEVICE_SETTING, "CTranslate2", ctranslate2_devices)
        parallel = threads if place.kind == "cpu" else 1
        self._model: Any = ctranslate2.Encoder(
            str(weights),
            device=place.kind,
            device_index=place.index,
            inter_threads=parallel,
            intra_threads=1,
        )
        self._pooling = pooling
        size = (weights / "model.bin").stat().st_size
        self._info = EngineInfo("ctranslate2", device, size, parallel)
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
        output = self._model.forward_batch([list(text.ids) for text in batch]).last_hidden_state
        hidden = np.asarray(output.to_device(ctranslate2.Device.cpu), dtype=np.float32)
        return pool(hidden, [len(text.ids) for text in batch], self._pooling)

    def close(self) -> None:
        """Frees the weights."""
        self._model.unload_model()


def prepare(store: WeightsStore, files: ModelFiles, name: str, compute_type: ComputeType) -> Path:
    """The model in CTranslate2's format, converted once a source and precision.

    Raises:
        ResourceMissing: It cannot be converted.
    """
    checkpoint = find_checkpoint(files.weights)
    if checkpoint is None:
        raise ResourceMissing(
            f"{files.weights} holds no weights that an engine here reads", "download them again"
        )
    digest = hashlib.blake2b(repr(checkpoint.source).encode(), digest_size=6).hexdigest()

    def build(out: Path) -> None:
        # Imports torch where it is installed, which is only worth it when there is work to do.
        from services.embed.engines.conversion import convert

        vocabulary = load_tokenizer(files).get_vocab(with_added_tokens=True)
        convert(files, checkpoint, vocabulary, compute_type, out)

    return store.prepare(f"embed-{name}", f"{compute_type}-{_REVISION}-{digest}", build)
