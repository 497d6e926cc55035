"""BERT-family encoders to CTranslate2, tensor by tensor; torch only reads pickled ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import TransformerEncoderModelSpec, common_spec
from ctranslate2.specs.transformer_spec import TransformerEncoderSpec
from numpy.typing import NDArray

from services.embed.checkpoint import Checkpoint, Format
from services.embed.engines.tensors import read_tensors
from services.embed.model_files import ModelFiles
from services.embed.settings import ComputeType
from services.runtime.errors import ResourceMissing

CONVERTIBLE = {"bert", "roberta", "xlm-roberta", "camembert"}
"""Architectures that share BERT's layers and their names."""

Tensors = Mapping[str, NDArray[np.float32]]

_ACTIVATIONS = {
    "gelu": common_spec.Activation.GELU,
    "gelu_new": common_spec.Activation.GELUTanh,
    "relu": common_spec.Activation.RELU,
}


def convert(
    files: ModelFiles,
    checkpoint: Checkpoint,
    vocabulary: Mapping[str, int],
    compute_type: ComputeType,
    out: Path,
) -> None:
    """Writes a model folder's encoder as a CTranslate2 model.

    Args:
        files: The model.
        checkpoint: Its weights.
        vocabulary: Its tokens with their ids.
        compute_type: How weights are stored: int8 (a scale a row), float16, bfloat16 or float32.
        out: An empty folder.

    Raises:
        ResourceMissing: It is of another architecture or kept in another way.
    """
    if checkpoint.format is Format.ONNX:
        raise ResourceMissing(
            f"{files.weights} holds an ONNX graph, which the engine ctranslate2 does not run",
            "set VIVA_EMBED_ENGINE=onnxruntime",
        )
    activation = _ACTIVATIONS.get(str(files.config.get("hidden_act", "gelu")))
    absolute = files.config.get("position_embedding_type") in {None, "absolute"}
    if files.model_type not in CONVERTIBLE or activation is None or not absolute:
        raise ResourceMissing(
            f"{files.weights} cannot be run by the engine ctranslate2 (it takes the architectures"
            f" {', '.join(sorted(CONVERTIBLE))})",
            "set VIVA_EMBED_ENGINE=transformers",
        )
    tensors = {
        _name(name, files.model_type): tensor for name, tensor in read_tensors(checkpoint).items()
    }
    try:
        spec = _specification(files, tensors, vocabulary, activation)
    except KeyError as error:
        raise ResourceMissing(
            f"the weights in {files.weights} lack {error.args[0]}", "download them again"
        ) from None
    spec.validate()
    # Quantisation works in place, so nothing else may hold these.
    del tensors
    spec.optimize(quantization=compute_type)
    spec.save(str(out))


def _name(name: str, model_type: str) -> str:
    """A tensor's name as this file knows it.

    It may be saved with or without the name of the part around the encoder, and the first BERT
    checkpoints had TensorFlow's names of a norm's parts.
    """
    bare = name.removeprefix(f"{model_type.replace('-', '_')}.").removeprefix("roberta.")
    return bare.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def _specification(
    files: ModelFiles, tensors: Tensors, vocabulary: Mapping[str, int], activation: Any
) -> Any:
    config = files.config
    encoder = TransformerEncoderSpec(
        config["num_hidden_layers"],
        config["num_attention_heads"],
        pre_norm=False,
        activation=activation,
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )
    encoder.scale_embeddings = False
    encoder.embeddings[0].weight = tensors["embeddings.word_embeddings.weight"]
    encoder.embeddings[1].weight = tensors["embeddings.token_type_embeddings.weight"]
    positions = tensors["embeddings.position_embeddings.weight"]
    encoder.position_encodings.encodings = positions[files.first_position :]
    _norm(encoder.layernorm_embedding, tensors, "embeddings.LayerNorm")
    for number, layer in enumerate(encoder.layer):
        _layer(layer, tensors, f"encoder.layer.{number}")
    spec = TransformerEncoderModelSpec(encoder)
    spec.register_vocabulary(_listed(vocabulary, encoder.embeddings[0].weight.shape[0]))
    spec.config.layer_norm_epsilon = config.get("layer_norm_eps", 1e-12)
    return spec


def _layer(layer: Any, tensors: Tensors, name: str) -> None:
    attention = layer.self_attention
    parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
    attention.linear[0].weight = np.concatenate([tensors[f"{part}.weight"] for part in parts])
    attention.linear[0].bias = np.concatenate([tensors[f"{part}.bias"] for part in parts])
    _linear(attention.linear[1], tensors, f"{name}.attention.output.dense")
    _norm(attention.layer_norm, tensors, f"{name}.attention.output.LayerNorm")
    _linear(layer.ffn.linear_0, tensors, f"{name}.intermediate.dense")
    _linear(layer.ffn.linear_1, tensors, f"{name}.output.dense")
    _norm(layer.ffn.layer_norm, tensors, f"{name}.output.LayerNorm")


def _linear(spec: Any, tensors: Tensors, name: str) -> None:
    spec.weight = tensors[f"{name}.weight"]
    spec.bias = tensors[f"{name}.bias"]


def _norm(spec: Any, tensors: Tensors, name: str) -> None:
    spec.gamma = tensors[f"{name}.weight"]
    spec.beta = tensors[f"{name}.bias"]


def _listed(vocabulary: Mapping[str, int], size: int) -> list[str]:
    """The tokens by id. CTranslate2 wants as many as there are embeddings; ids alone are used."""
    tokens = [f"[unused-{number}]" for number in range(size)]
    for token, number in vocabulary.items():
        if number < size:
            tokens[number] = token
    return tokens
