"""The engines agree with the reference implementation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder as ReferenceCrossEncoder
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

from services.embed.engines import Encoder
from services.embed.engines.selection import (
    load_cross_encoder,
    load_encoder,
    model_files,
    tokenization,
)
from services.embed.settings import EmbedSettings, Engine
from services.embed.tokenization import NamedText, Overflow, Purpose, TokenizedText
from services.embed.vectors import normalized
from services.runtime.errors import ResourceMissing
from tests.embed.checkpoints import tiny_bert, tiny_reranker
from tests.embed.conftest import SENTENCES

Embed = Callable[[Sequence[str]], np.ndarray]


def tokenized(settings: EmbedSettings, texts: Sequence[str]) -> list[TokenizedText]:
    named = [NamedText("", text) for text in texts]
    read = tokenization(model_files(settings))
    return read.tokenize(named, Purpose.PASSAGE, Overflow.TRUNCATE)


def load(settings: EmbedSettings) -> Encoder:
    return load_encoder(settings, model_files(settings))


def least_cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float((normalized(one) * normalized(other)).sum(axis=1).min())


@pytest.mark.parametrize(
    ("engine", "compute_type", "least"),
    [
        # The worst are texts of which most tokens are unknown; ordinary ones reach 0.995.
        ("ctranslate2", "int8", 0.98),
        ("ctranslate2", "float32", 0.99999),
        ("transformers", "float32", 0.99999),
    ],
)
def test_an_engine_agrees_with_sentence_transformers(
    engine: Engine,
    compute_type: str,
    least: float,
    data_dir: Path,
    reference: SentenceTransformer,
) -> None:
    settings = EmbedSettings.model_validate(
        {"engine": engine, "compute_type": compute_type, "data_dir": data_dir}
    )
    encoder = load(settings)
    vectors = encoder.encode(tokenized(settings, SENTENCES))
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(SENTENCES), encoder.dimensions)
    assert least_cosine(vectors, reference.encode(list(SENTENCES))) >= least
    assert (encoder.info.engine, encoder.info.device) == (engine, "cpu")
    assert encoder.info.memory_bytes > 20_000_000
    encoder.close()


@pytest.mark.parametrize("engine", ["ctranslate2", "transformers"])
@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_an_engine_runs_a_checkpoint_of_the_users(
    engine: Engine, kind: str, bert_folder: Path, xlm_roberta_folder: Path, tmp_path: Path
) -> None:
    folder = bert_folder if kind == "bert" else xlm_roberta_folder
    settings = EmbedSettings.model_validate(
        {
            "engine": engine,
            "model": str(folder),
            "compute_type": "float32",
            "data_dir": tmp_path,
        }
    )
    texts = tokenized(settings, ["what is a deadlock?", "abc", "locks in order. " * 9])
    vectors = load(settings).encode(texts)
    model = AutoModel.from_pretrained(folder).eval()
    for text, vector in zip(texts, vectors, strict=True):
        with torch.inference_mode():
            hidden = model(torch.tensor([text.ids])).last_hidden_state[0]
        assert np.allclose(vector, hidden.mean(dim=0).numpy(), atol=1e-4)


@pytest.mark.parametrize("engine", ["ctranslate2", "transformers"])
def test_cls_pooling_is_the_first_tokens_vector(engine: Engine, tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path / "model", cls_pooling=True)
    settings = EmbedSettings.model_validate(
        {"engine": engine, "model": str(folder), "compute_type": "float32", "data_dir": tmp_path}
    )
    texts = tokenized(settings, ["abc def", "a"])
    model = AutoModel.from_pretrained(folder).eval()
    for text, vector in zip(texts, load(settings).encode(texts), strict=True):
        with torch.inference_mode():
            hidden = model(torch.tensor([text.ids])).last_hidden_state[0]
        assert np.allclose(vector, hidden[0].numpy(), atol=1e-4)


@pytest.mark.parametrize("engine", ["ctranslate2", "transformers"])
def test_company_does_not_change_a_vector(engine: Engine, data_dir: Path) -> None:
    settings = EmbedSettings(engine=engine, data_dir=data_dir)
    encoder = load(settings)
    texts = tokenized(settings, SENTENCES)
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    assert least_cosine(together, alone) > 0.9999


@pytest.mark.parametrize("engine", ["ctranslate2", "transformers"])
def test_an_engine_is_called_from_several_threads(engine: Engine, data_dir: Path) -> None:
    settings = EmbedSettings(engine=engine, data_dir=data_dir)
    encoder = load(settings)
    texts = tokenized(settings, SENTENCES)
    expected = encoder.encode(texts)
    start = threading.Barrier(4)

    def call() -> np.ndarray:
        start.wait()
        return encoder.encode(texts)

    with ThreadPoolExecutor(4) as pool:
        for found in [future.result() for future in [pool.submit(call) for _ in range(4)]]:
            assert np.allclose(found, expected, atol=1e-5)


def test_a_cross_encoder_scores_as_sentence_transformers_does(reranker_folder: Path) -> None:
    settings = EmbedSettings(rerank_model=str(reranker_folder))
    model, files = load_cross_encoder(settings, str(reranker_folder))
    query, documents = "what is a deadlock?", ["locks in order", "cats", "deadlock: a cycle."]
    pairs = tokenization(files).tokenize_pairs(
        NamedText("", query), [NamedText("", text) for text in documents], Overflow.REFUSE
    )
    peer = ReferenceCrossEncoder(
        str(reranker_folder), device="cpu", activation_fn=torch.nn.Identity()
    )
    expected = peer.predict([(query, document) for document in documents])
    assert np.allclose(model.score(pairs), expected, atol=1e-4)


def test_a_classifier_is_no_reranker(tmp_path: Path) -> None:
    folder = tiny_reranker(tmp_path, labels=3)
    with pytest.raises(ResourceMissing, match="3 labels, a reranker has one"):
        load_cross_encoder(EmbedSettings(), str(folder))


def test_a_missing_gpu_stops_the_start(bert_folder: Path) -> None:
    settings = EmbedSettings(model=str(bert_folder), engine="transformers", device="cuda:99")
    with pytest.raises(ResourceMissing, match=r"torch finds \d+ CUDA devices; set it to cpu"):
        load(settings)
