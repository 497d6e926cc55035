"""Checkpoints small enough to make: real architectures, random weights, character vocabularies."""

from __future__ import annotations

import json
import shutil
import string
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer
from tokenizers.models import Unigram, WordPiece
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Split, Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModel,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

_SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
_CHARACTERS = string.ascii_lowercase + string.digits + "?.,!:"


def _bert_tokenizer() -> Tokenizer:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *_CHARACTERS, *(f"##{c}" for c in _CHARACTERS)]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


def _bert_config(**more: Any) -> BertConfig:
    size = _bert_tokenizer().get_vocab_size()
    return BertConfig(vocab_size=size, max_position_embeddings=64, **_SHAPE, **more)


def tiny_bert(folder: Path, *, cls_pooling: bool = False, prompts: bool = False) -> Path:
    """A BERT encoder that takes 64 tokens."""
    torch.manual_seed(1)
    BertModel(_bert_config()).save_pretrained(folder)
    _bert_tokenizer().save(str(folder / "tokenizer.json"))
    if cls_pooling:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "cls"}))
    if prompts:
        (folder / "config_sentence_transformers.json").write_text(
            json.dumps({"prompts": {"query": "query: ", "document": "passage: "}})
        )
    return folder


def tiny_reranker(folder: Path, labels: int = 1) -> Path:
    """A BERT cross-encoder that takes 64 tokens."""
    torch.manual_seed(2)
    model = BertForSequenceClassification(_bert_config(num_labels=labels))
    # Random logits of a fresh head are too alike to tell an order from.
    torch.nn.init.normal_(model.classifier.weight, std=2.0)
    model.save_pretrained(folder)
    _bert_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def tiny_xlm_roberta(folder: Path) -> Path:
    """An XLM-RoBERTa encoder that takes 62 tokens: its positions begin at 2."""
    torch.manual_seed(3)
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *_CHARACTERS]
    tokenizer = Tokenizer(Unigram([(piece, -1.0) for piece in pieces], unk_id=3))
    tokenizer.pre_tokenizer = Split(Regex(r"\s+"), "removed")
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    config = XLMRobertaConfig(
        vocab_size=len(pieces), max_position_embeddings=64, type_vocab_size=1, **_SHAPE
    )
    XLMRobertaModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def bge_like(folder: Path) -> Path:
    """A folder put together as BAAI/bge-m3 is: XLM-RoBERTa, CLS pooling, vectors of length 1."""
    tiny_xlm_roberta(folder)
    modules = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    listed = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (path, kind) in enumerate(modules.items())
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True}
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({**pooling, "pooling_mode_mean_tokens": False})
    )
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 62}))
    # sentence-transformers shall read the tokenizer as it is, not make one of the architecture's.
    tokenizer = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    # Heads for sparse and token-wise vectors, which no engine here uses.
    torch.save({"weight": torch.ones(1, 32)}, folder / "sparse_linear.pt")
    return folder


def relaid(source: Path, folder: Path, layout: str) -> Path:
    """The same weights in another layout.

    Args:
        source: A folder with model.safetensors.
        folder: Where to.
        layout: safetensors, bin, either "-sharded", float16, bfloat16, onnx, onnx-external or
            old-names (those of the first BERT checkpoints).
    """
    shutil.copytree(source, folder)
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    weights.unlink()
    kind, _, way = layout.partition("-")
    match kind:
        case "onnx":
            _export(source, folder / "onnx" / "model.onnx", external=way == "external")
        case "float16" | "bfloat16":
            dtype = getattr(torch, kind)
            _save({name: tensor.to(dtype) for name, tensor in tensors.items()}, weights)
        case "old":
            ends = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
            renamed = dict(tensors)
            for name in tensors:
                for new, old in ends.items():
                    if name.endswith(new):
                        renamed[name.replace(new, old)] = renamed.pop(name)
            torch.save(renamed, folder / "pytorch_model.bin")
        case _:
            safe = kind == "safetensors"
            stem, suffix = ("model", "safetensors") if safe else ("pytorch_model", "bin")
            save = _save if safe else torch.save
            if way == "sharded":
                _save_shards(folder, tensors, stem, suffix, save)
            else:
                save(tensors, folder / f"{stem}.{suffix}")
    return folder


def _save(tensors: dict[str, Any], file: Path) -> None:
    save_file(tensors, file, metadata={"format": "pt"})


def _save_shards(
    folder: Path, tensors: dict[str, Any], stem: str, suffix: str, save: Callable[..., Any]
) -> None:
    names = sorted(tensors)
    places = {name: f"{stem}-{1 + n % 3:05}-of-00003.{suffix}" for n, name in enumerate(names)}
    for place in set(places.values()):
        save({name: tensors[name] for name in names if places[name] == place}, folder / place)
    index = {"metadata": {}, "weight_map": places}
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(index))


class _LastLayer(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def _export(source: Path, file: Path, *, external: bool) -> None:
    file.parent.mkdir()
    model = AutoModel.from_pretrained(source, attn_implementation="eager")
    ids = torch.tensor([[0, 5, 6, 2], [0, 7, 2, 1]])
    names = ["input_ids", "attention_mask", "last_hidden_state"]
    with warnings.catch_warnings():
        # The exporter that needs no further packages.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _LastLayer(model).eval(),
            (ids, (ids != 1).long()),
            str(file),
            input_names=names[:2],
            output_names=names[2:],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in names},
            opset_version=17,
            dynamo=False,
        )
    if external:
        onnx.save_model(
            onnx.load(file),
            str(file),
            save_as_external_data=True,
            location="model.onnx_data",
            size_threshold=0,
        )
