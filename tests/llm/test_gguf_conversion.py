"""GGUF files that the conversion takes, and those it refuses in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctranslate2
import gguf
import numpy as np
import pytest
from tokenizers.pre_tokenizers import ByteLevel

from services.llm.gguf_conversion import convert
from services.runtime.errors import ResourceMissing

pytestmark = pytest.mark.slow

WIDTH, HEADS, HIDDEN = 16, 2, 32
TOKENS = [*sorted(ByteLevel.alphabet()), "ab", "<|im_start|>", "<|im_end|>"]
SHAPES = {
    "token_embd": (len(TOKENS), WIDTH),
    "output_norm": (WIDTH,),
    "blk.0.attn_norm": (WIDTH,),
    "blk.0.ffn_norm": (WIDTH,),
    "blk.0.attn_q": (WIDTH, WIDTH),
    "blk.0.attn_k": (WIDTH, WIDTH),
    "blk.0.attn_v": (WIDTH, WIDTH),
    "blk.0.attn_output": (WIDTH, WIDTH),
    "blk.0.ffn_gate": (HIDDEN, WIDTH),
    "blk.0.ffn_up": (HIDDEN, WIDTH),
    "blk.0.ffn_down": (WIDTH, HIDDEN),
}


def write(path: Path, change: str = "") -> Path:
    """A llama model of one layer with random weights, but for one change."""
    writer: Any = gguf.GGUFWriter(path, "mamba" if change == "architecture" else "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    if change == "scaling":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(TOKENS)
    kinds = [gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.CONTROL] * 2
    writer.add_token_types(kinds)
    if change != "merges":
        writer.add_token_merges(["a b"])
    writer.add_eos_token_id(TOKENS.index("<|im_end|>"))
    if change != "template":
        writer.add_chat_template("<|im_start|>user")
    random = np.random.default_rng(0)
    shapes = {f"{name}.weight": shape for name, shape in SHAPES.items()}
    if change == "bias":
        shapes["blk.0.attn_q.bias"] = (WIDTH,)
    if change == "tensor":
        del shapes["blk.0.ffn_up.weight"]
    for name, shape in shapes.items():
        writer.add_tensor(name, random.normal(size=shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("quantization", ["float32", "int8"])
def test_a_llama_model_is_converted(tmp_path: Path, quantization: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    convert(write(tmp_path / "model.gguf"), out, quantization=quantization)
    generator = ctranslate2.Generator(str(out), intra_threads=1)
    logits = np.asarray(generator.forward_batch([["ab", "<|im_end|>"]]))
    assert logits.shape == (1, 2, len(TOKENS))
    assert np.isfinite(logits).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("architecture", "is a 'mamba' model"),
        ("template", "has no ChatML template"),
        ("merges", "lacks 'tokenizer.ggml.merges'"),
        ("tensor", "lacks 'blk.0.ffn_up.weight'"),
        ("bias", r"has tensors that llama models have not, blk\.0\.attn_q\.bias for one"),
        ("scaling", "scales its positions"),
    ],
)
def test_what_would_become_another_model_is_refused(tmp_path: Path, change: str, says: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ResourceMissing, match=says) as refused:
        convert(write(tmp_path / "model.gguf", change), out)
    assert "transformers" in refused.value.remedy
