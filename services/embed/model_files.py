"""What a sentence encoder's folder says about the model, in the Hugging Face layout."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.embed.pooling import Pooling
from services.embed.tokenization import Purpose
from services.runtime.errors import ResourceMissing

# Of sentence-transformers' modules.json, by the last part of the type's name.
_UNDERSTOOD = {"Transformer", "Pooling", "Normalize"}
# Tokens of these take positions from `pad_token_id + 1` on (fairseq's convention). A text of more
# tokens than there are positions would make CUDA give up its context, so this must be right.
_OFFSET_POSITIONS = {
    "camembert",
    "data2vec-text",
    "ibert",
    "longformer",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
}
# What tokenizers say that know no limit is far above this.
_MOST_TOKENS = 1_000_000

MODEL_SETTING = "VIVA_EMBED_MODEL"
"""The variable that names the encoder."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model folder.

    Attributes:
        folder: Where it lies.
        weights: Where the transformer's own files lie: there too, or in a folder inside.
        config: Its config.json.
        max_tokens: Most tokens of a text, the special ones included: sentence-transformers'
            max_seq_length, else the tokenizer's limit, and no more than the model has positions.
        pooling: As the pooling module says, else the mean.
        instructions: What config_sentence_transformers.json puts before queries and passages.
    """

    folder: Path
    weights: Path
    config: dict[str, Any]
    max_tokens: int
    pooling: Pooling
    instructions: dict[Purpose, str]

    @property
    def model_type(self) -> str:
        """The architecture, "bert" say."""
        return str(self.config.get("model_type", ""))

    @property
    def is_bfloat16(self) -> bool:
        """Whether the weights were saved so: float16 ends at 65,504, which they may rely on."""
        return str(self.config.get("dtype") or self.config.get("torch_dtype")) == "bfloat16"

    @property
    def first_position(self) -> int:
        """The position of a text's first token."""
        if self.model_type in _OFFSET_POSITIONS:
            return int(self.config.get("pad_token_id", 1)) + 1
        return 0

    @property
    def positions(self) -> int:
        """Most tokens the model has positions for."""
        return int(self.config.get("max_position_embeddings", 512)) - self.first_position

    @property
    def tokenizer(self) -> Path:
        """The tokenizer's file; older folders have a vocabulary in its place."""
        return self.weights / "tokenizer.json"


def read_model_files(folder: Path, setting: str = MODEL_SETTING) -> ModelFiles:
    """Reads a model folder.

    Args:
        folder: Where it lies.
        setting: The variable that named it, for errors.

    Raises:
        ResourceMissing: It is not one, or asks for something the engines don't do.
    """
    modules = _modules(folder)
    weights = folder / modules.get("Transformer", "")
    if not (weights / "config.json").is_file():
        raise ResourceMissing(
            f"{weights} holds no config.json",
            f"set {setting} to a folder in the Hugging Face layout",
        )
    files = ModelFiles(
        folder=folder,
        weights=weights,
        config=_json(weights / "config.json"),
        max_tokens=0,
        pooling=_pooling(folder / modules.get("Pooling", "1_Pooling")),
        instructions=_instructions(folder),
    )
    limit = _json(weights / "sentence_bert_config.json").get("max_seq_length")
    told = int(limit or _json(weights / "tokenizer_config.json").get("model_max_length") or 0)
    known = told if 0 < told < _MOST_TOKENS else files.positions
    return replace(files, max_tokens=min(known, files.positions))


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _modules(folder: Path) -> dict[str, str]:
    """The parts of a model by kind, each with its place in the folder."""
    found: dict[str, str] = {}
    for module in _json(folder / "modules.json") or []:
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind not in _UNDERSTOOD:
            raise ResourceMissing(
                f"{folder} has a module {kind!r}, which no engine here runs",
                f"choose a model made of {', '.join(sorted(_UNDERSTOOD))}",
            )
        found[kind] = str(module.get("path", ""))
    return found


def _pooling(folder: Path) -> Pooling:
    config = _json(folder / "config.json")
    # Older files have a flag for each mode, newer ones its name.
    flags = {
        Pooling.MEAN: config.get("pooling_mode_mean_tokens"),
        Pooling.CLS: config.get("pooling_mode_cls_token"),
    }
    named = config.get("pooling_mode")
    chosen = [mode for mode, flag in flags.items() if flag or named == mode]
    # Some leave the instruction's tokens out of the mean, which no engine here does either.
    if config and (len(chosen) != 1 or not config.get("include_prompt", True)):
        raise ResourceMissing(
            f"{folder} pools in a way no engine here does", "choose mean or cls pooling"
        )
    return chosen[0] if chosen else Pooling.MEAN


def _instructions(folder: Path) -> dict[Purpose, str]:
    prompts = _json(folder / "config_sentence_transformers.json").get("prompts") or {}
    passage = prompts.get("passage") or prompts.get("document")
    found = {Purpose.QUERY: prompts.get("query"), Purpose.PASSAGE: passage}
    return {purpose: text for purpose, text in found.items() if text}
