"""Checkpoints small enough to make: real architectures, random weights, character vocabularies."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer
from tokenizers.models import Unigram, WordPiece
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Split, Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
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
