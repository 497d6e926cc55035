"""A checkpoint loads in whatever layout it was saved, and says the same in each."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

from services.embed.engines import Encoder
from services.embed.engines.selection import (
    load_cross_encoder,
    load_encoder,
    model_files,
    tokenization,
)
from services.embed.pooling import Pooling
from services.embed.settings import EmbedSettings
from services.embed.tokenization import NamedText, Overflow, Purpose, TokenizedText
from services.embed.vectors import normalized
from services.runtime.errors import ResourceMissing
from tests.embed.checkpoints import bge_like, relaid, tiny_bert

TEXTS = ("what is a deadlock?", "abc", "locks in order. " * 3)
TORCH_LAYOUTS = ("safetensors", "safetensors-sharded", "bin", "bin-sharded", "old-names")
HALVED = {"float16": 1e-2, "bfloat16": 0.1}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bge_like(tmp_path_factory.mktemp("bge"))


@pytest.fixture(scope="module")
def expected(source: Path) -> np.ndarray:
    """Vectors of TEXTS by sentence-transformers on the folder as it was."""
    vectors: np.ndarray = SentenceTransformer(str(source), device="cpu").encode(list(TEXTS))
    return vectors


def settings(folder: Path, data_dir: Path, engine: str | None) -> EmbedSettings:
    return EmbedSettings.model_validate(
        {"engine": engine, "model": str(folder), "data_dir": data_dir}
    )


def encode(chosen: EmbedSettings, texts: Sequence[str] = TEXTS) -> tuple[Encoder, np.ndarray]:
    files = model_files(chosen)
    encoder = load_encoder(chosen, files)
    read: list[TokenizedText] = tokenization(files).tokenize(
        [NamedText("", text) for text in texts], Purpose.PASSAGE, Overflow.REFUSE
    )
    return encoder, normalized(encoder.encode(read))


@pytest.mark.parametrize("engine", ["ctranslate2", "transformers"])
@pytest.mark.parametrize("layout", [*TORCH_LAYOUTS, *HALVED])
def test_an_engine_of_torch_weights_loads_every_layout_of_them(
    engine: str, layout: str, source: Path, expected: np.ndarray, tmp_path: Path
) -> None:
    folder = relaid(source, tmp_path / "model", layout)
    _, vectors = encode(settings(folder, tmp_path, engine))
    assert np.abs(vectors - expected).max() < HALVED.get(layout, 1e-4)


@pytest.mark.parametrize("engine", ["onnxruntime", None])
@pytest.mark.parametrize("layout", ["onnx", "onnx-external"])
def test_an_onnx_graph_is_run_by_onnxruntime_also_where_no_engine_was_chosen(
    engine: str | None, layout: str, source: Path, expected: np.ndarray, tmp_path: Path
) -> None:
    folder = relaid(source, tmp_path / "model", layout)
    encoder, vectors = encode(settings(folder, tmp_path, engine))
    assert np.abs(vectors - expected).max() < 1e-4
    assert (encoder.info.engine, encoder.info.device) == ("onnxruntime", "cpu")
    assert encoder.info.memory_bytes > 50_000
    encoder.close()


@pytest.mark.parametrize("engine", ["ctranslate2", "transformers"])
def test_an_engine_that_cannot_run_a_graph_names_the_one_that_can(
    engine: str, source: Path, tmp_path: Path
) -> None:
    folder = relaid(source, tmp_path / "model", "onnx")
    with pytest.raises(ResourceMissing, match="VIVA_EMBED_ENGINE=onnxruntime"):
        encode(settings(folder, tmp_path, engine))


@pytest.mark.parametrize("engine", ["ctranslate2", "transformers", "onnxruntime"])
def test_a_folder_without_weights_says_what_it_lacks(
    engine: str, source: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    with pytest.raises(ResourceMissing, match=r"holds no (weights|ONNX graph)"):
        encode(settings(folder, tmp_path, engine))


@pytest.mark.parametrize("engine", ["ctranslate2", "transformers"])
def test_a_checkpoint_cannot_run_code(engine: str, source: Path, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return (os.mkdir, (str(tmp_path / "ran"),))

    folder = Path(shutil.copytree(source, tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Payload()}, folder / "pytorch_model.bin")
    with pytest.raises(ResourceMissing, match="cannot be loaded"):
        encode(settings(folder, tmp_path, engine))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("engine", ["ctranslate2", "transformers"])
def test_weights_that_are_not_all_there_stop_the_start(
    engine: str, source: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ResourceMissing, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        encode(settings(folder, tmp_path, engine))


def test_a_reranker_kept_as_pickled_tensors_scores_the_same(
    reranker_folder: Path, tmp_path: Path
) -> None:
    folder = relaid(reranker_folder, tmp_path / "model", "bin-sharded")
    scores = []
    for place in (reranker_folder, folder):
        model, files = load_cross_encoder(EmbedSettings(), str(place))
        pairs = tokenization(files).tokenize_pairs(
            NamedText("", "what?"), [NamedText("", text) for text in TEXTS], Overflow.REFUSE
        )
        scores.append(model.score(pairs))
    assert np.allclose(scores[0], scores[1], atol=1e-5)


def test_modules_in_folders_of_their_own_are_found(
    source: Path, expected: np.ndarray, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "model"))
    (folder / "0_Transformer").mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors", "sentence_bert_config.json"):
        (folder / name).rename(folder / "0_Transformer" / name)
    (folder / "1_Pooling").rename(folder / "3_Pooling")
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["path"], modules[1]["path"] = "0_Transformer", "3_Pooling"
    (folder / "modules.json").write_text(json.dumps(modules))
    for engine in ("ctranslate2", "transformers"):
        _, vectors = encode(settings(folder, tmp_path, engine))
        assert np.abs(vectors - expected).max() < 1e-4


def test_a_vocabulary_alone_is_read_as_transformers_reads_it(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path / "model")
    whole = encode(settings(folder, tmp_path, "transformers"))[1]
    words = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    # The last, which no text here needs, becomes the special token that every BERT has.
    lines = [*sorted(words, key=words.__getitem__)[:-1], "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join(lines))
    (folder / "tokenizer.json").unlink()
    assert np.allclose(encode(settings(folder, tmp_path, "transformers"))[1], whole, atol=1e-5)


def test_a_vocabulary_larger_than_the_model_stops_the_start(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["vocab_size"] -= 3
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ResourceMissing, match="tokenizer"):
        tokenization(model_files(settings(folder, tmp_path, None)))


@pytest.mark.parametrize("pooling", list(Pooling))
def test_long_texts_in_half_precision_pool_without_overflow(pooling: Pooling) -> None:
    from services.embed.engines.transformers import pooled

    hidden = torch.full((1, 1024, 4), 200.0, dtype=torch.float16)
    assert pooled(hidden, torch.ones(1, 1024), pooling).tolist() == [[200.0] * 4]


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
@pytest.mark.parametrize("engine", ["ctranslate2", "transformers"])
def test_half_precision_is_a_choice(
    engine: str, precision: str, source: Path, expected: np.ndarray, tmp_path: Path
) -> None:
    chosen = settings(source, tmp_path, engine).model_copy(update={"compute_type": precision})
    encoder, vectors = encode(chosen)
    assert np.abs(vectors - expected).max() < HALVED[precision]
    whole = sum(p.nbytes for p in AutoModel.from_pretrained(source).parameters())
    assert encoder.info.memory_bytes < 0.7 * whole
