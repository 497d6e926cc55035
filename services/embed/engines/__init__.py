"""The engines' seams: what the server asks of whatever runs a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.embed.tokenization import TokenizedText

DEVICE_SETTING = "VIVA_EMBED_DEVICE"
"""The variable that says where the engines run."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine says about itself.

    Attributes:
        engine: "ctranslate2", "transformers", "onnxruntime" or "triton".
        device: "cpu", "cuda:0" or the remote server's address.
        memory_bytes: Size of the weights; 0 when they lie elsewhere.
        parallel: Batches it runs at the same time; further ones would only wait for their turn.
    """

    engine: str
    device: str
    memory_bytes: int
    parallel: int = 1


class Encoder(Protocol):
    """Turns token sequences into vectors. Called from several threads at once."""

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of its vectors."""
        ...

    def encode(self, batch: Sequence[TokenizedText]) -> NDArray[np.float32]:
        """Pooled vectors, float32 [n, dimensions], not normalised.

        Args:
            batch: 1 to n texts, special tokens included, none longer than the model takes.

        Raises:
            Unavailable: The engine runs elsewhere and cannot be reached.
        """
        ...

    def close(self) -> None:
        """Releases what it holds; nothing is called afterwards."""
        ...


class CrossEncoder(Protocol):
    """Scores pairs of query and document read together. Called from several threads at once."""

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        ...

    def score(self, batch: Sequence[TokenizedText]) -> NDArray[np.float32]:
        """One score a pair, float32 [n]; higher is better, the scale is the model's."""
        ...

    def close(self) -> None:
        """Releases what it holds; nothing is called afterwards."""
        ...
