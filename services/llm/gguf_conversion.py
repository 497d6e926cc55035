"""A GGUF file of the llama family becomes a CTranslate2 model, with numpy alone.

CTranslate2's own converter goes through torch and transformers; filling its model specification
straight from the GGUF tensors keeps 750 MB of torch out of the default install.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.llm.memory import return_freed_memory
from services.runtime.errors import ResourceMissing

VERSION = "1"
"""Raised when the conversion's result changes, so that prepared folders are made anew."""

DESCRIPTION_FILE = "viva.json"
TOKENIZER_FILE = "tokenizer.json"

FloatArray = NDArray[np.float32]


def convert(gguf_file: Path, out: Path, *, quantization: str = "int8") -> None:
    """Writes a CTranslate2 model, its tokenizer and a description into the folder `out`.

    Args:
        gguf_file: A model of architecture "llama" with a byte-level BPE tokenizer and a ChatML
            template.
        out: An existing empty folder.
        quantization: The weights' type on disk, one of CTranslate2's.

    Raises:
        ResourceMissing: The file is not such a model, or has parts that would be left out.
    """
    import gguf

    try:
        reader = gguf.GGUFReader(gguf_file)
    except (OSError, ValueError) as error:
        raise ResourceMissing(
            f"{gguf_file} cannot be read as GGUF ({error})", "set VIVA_LLM_MODEL to another file"
        ) from error
    try:
        _convert(reader, out, quantization)
    except _Unfit as reason:
        raise ResourceMissing(
            f"{gguf_file} {reason}",
            "this engine takes llama models with ChatML; the transformers engine takes any",
        ) from None
    except KeyError as missing:
        raise ResourceMissing(
            f"{gguf_file} lacks {missing}", "the transformers engine takes any model"
        ) from None
    return_freed_memory()


class _Unfit(Exception):
    """Why a file is no model for this engine, as the end of a sentence."""


def _convert(reader: Any, out: Path, quantization: str) -> None:
    from gguf.quants import dequantize

    from services.llm.chatml import default_system_prompt
    from services.llm.tokenizer import tokenizer_from_gguf

    metadata = {name: field.contents for name, field in reader.fields.items()}
    architecture = metadata["general.architecture"]()
    template = (
        metadata["tokenizer.chat_template"]() if "tokenizer.chat_template" in metadata else ""
    )
    if architecture != "llama":
        raise _Unfit(f"is a {architecture!r} model")
    if "<|im_start|>" not in template:
        raise _Unfit("has no ChatML template")
    scaling = metadata.get("llama.rope.scaling.type")
    if scaling is not None and scaling() != "none":
        raise _Unfit(f"scales its positions ({scaling()})")
    tokens: list[str] = metadata["tokenizer.ggml.tokens"]()
    eos = tokens[metadata["tokenizer.ggml.eos_token_id"]()]
    tokenizer = tokenizer_from_gguf(
        tokens=tokens,
        token_types=metadata["tokenizer.ggml.token_type"](),
        merges=metadata["tokenizer.ggml.merges"](),
        pre_tokenizer=metadata["tokenizer.ggml.pre"](),
    )
    tokenizer.save(str(out / TOKENIZER_FILE))
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    unread = set(tensors)

    def read(name: str) -> FloatArray:
        tensor = tensors[name]
        unread.discard(name)
        values: FloatArray = dequantize(tensor.data, tensor.tensor_type)
        # Quantisation works in place, and what needed no dequantising is the file itself.
        return np.require(values, dtype=np.float32, requirements="W")

    _save_model(
        read,
        {k: v for k, v in metadata.items() if k.startswith("llama.")},
        tokens,
        out,
        quantization=quantization,
        lm_head="output.weight" in tensors,
        eos=eos,
    )
    if unread:
        # Biases, experts, scaled positions: without them it would be another model.
        raise _Unfit(f"has tensors that llama models have not, {min(unread)} for one")
    description = {
        "context_tokens": int(metadata["llama.context_length"]()),
        "end_token": eos,
        "default_system_prompt": default_system_prompt(template),
        "languages": list(metadata["general.languages"]())
        if "general.languages" in metadata
        else [],
    }
    (out / DESCRIPTION_FILE).write_text(json.dumps(description, indent=2))


def _save_model(
    read: Any,
    metadata: dict[str, Any],
    tokens: list[str],
    out: Path,
    *,
    quantization: str,
    lm_head: bool,
    eos: str,
) -> None:
    from ctranslate2.specs import common_spec
    from ctranslate2.specs.transformer_spec import TransformerDecoderModelSpec

    layers = int(metadata["llama.block_count"]())
    heads = int(metadata["llama.attention.head_count"]())
    kv_heads = int(metadata["llama.attention.head_count_kv"]())
    spec = TransformerDecoderModelSpec.from_config(
        layers,
        heads,
        activation=common_spec.Activation.SWISH,
        pre_norm=True,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=False,
        rotary_base=float(metadata["llama.rope.freq_base"]()),
        num_heads_kv=None if kv_heads == heads else kv_heads,
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = read("token_embd.weight")
    decoder.layer_norm.gamma = read("output_norm.weight")
    decoder.projection.weight = read("output.weight") if lm_head else decoder.embeddings.weight
    for index, layer in enumerate(decoder.layer):
        block = f"blk.{index}"
        attention, feed_forward = layer.self_attention, layer.ffn
        attention.layer_norm.gamma = read(f"{block}.attn_norm.weight")
        attention.linear[0].weight = np.concatenate(
            [
                unpermute(read(f"{block}.attn_q.weight"), heads),
                unpermute(read(f"{block}.attn_k.weight"), kv_heads),
                read(f"{block}.attn_v.weight"),
            ]
        )
        attention.linear[1].weight = read(f"{block}.attn_output.weight")
        feed_forward.layer_norm.gamma = read(f"{block}.ffn_norm.weight")
        feed_forward.linear_0.weight = read(f"{block}.ffn_gate.weight")
        feed_forward.linear_0_noact.weight = read(f"{block}.ffn_up.weight")
        feed_forward.linear_1.weight = read(f"{block}.ffn_down.weight")
    spec.register_vocabulary(tokens)
    spec.config.bos_token = eos
    spec.config.eos_token = eos
    spec.config.unk_token = tokens[0]
    spec.config.layer_norm_epsilon = float(metadata["llama.attention.layer_norm_rms_epsilon"]())
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(out))


def unpermute(weight: FloatArray, heads: int) -> FloatArray:
    """Undoes the order llama.cpp gives the rows of a query or key projection.

    GGUF interleaves the two halves of each head so that rotary pairs are neighbours
    (`LlamaModel.permute` in llama.cpp's convert_hf_to_gguf.py); here they are halves again.

    Args:
        weight: float32 [heads * head_dim, model_dim].
        heads: Its heads.
    """
    rows, columns = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)
