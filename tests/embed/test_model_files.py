"""What a model's folder and the settings say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from services.embed.engines.selection import (
    load_cross_encoder,
    load_encoder,
    model_files,
    torch_type,
)
from services.embed.model_files import read_model_files
from services.embed.pooling import Pooling
from services.embed.settings import PACKAGED_MODEL, EmbedSettings
from services.embed.tokenization import Purpose
from services.runtime.errors import ResourceMissing
from tests.embed.checkpoints import tiny_bert


def test_the_packaged_model_is_read(model_folder: Path) -> None:
    files = read_model_files(model_folder)
    assert (files.model_type, files.max_tokens, files.pooling) == ("bert", 256, Pooling.MEAN)
    assert files.instructions == {}


def test_positions_of_roberta_begin_after_padding(xlm_roberta_folder: Path) -> None:
    files = read_model_files(xlm_roberta_folder)
    assert (files.first_position, files.max_tokens) == (2, 62)


def test_the_tokenizers_limit_counts_where_the_model_says_none(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path)
    for told, expected in ((40, 40), (100, 64), (int(1e30), 64)):
        (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": told}))
        assert read_model_files(folder).max_tokens == expected


def test_a_gpu_computes_in_half_precision_unless_told_otherwise() -> None:
    assert EmbedSettings(profile="gpu-48gb").choice().compute_type == "float16"
    assert EmbedSettings().choice().compute_type == "float32"
    told = EmbedSettings(profile="gpu-48gb", compute_type="float32")
    assert told.choice().compute_type == "float32"


@pytest.mark.parametrize("named", ["dtype", "torch_dtype"])
def test_weights_that_were_saved_in_bfloat16_stay_so_on_a_gpu(named: str, tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"dtype": None, named: "bfloat16"}))
    files = read_model_files(folder)
    assert torch_type(EmbedSettings(profile="gpu-48gb"), files) == "bfloat16"
    assert torch_type(EmbedSettings(), files) == "float32"
    told = EmbedSettings(profile="gpu-48gb", compute_type="float16")
    assert torch_type(told, files) == "float16"


def test_pooling_and_instructions_come_from_the_files(tmp_path: Path) -> None:
    files = read_model_files(tiny_bert(tmp_path, cls_pooling=True, prompts=True))
    assert files.pooling is Pooling.CLS
    assert files.instructions == {Purpose.QUERY: "query: ", Purpose.PASSAGE: "passage: "}


def test_settings_overrule_the_files(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path, cls_pooling=True, prompts=True)
    files = model_files(
        EmbedSettings(
            model=str(folder), pooling=Pooling.MEAN, query_instruction="find: ", max_tokens=16
        )
    )
    assert (files.pooling, files.max_tokens) == (Pooling.MEAN, 16)
    assert files.instructions == {Purpose.QUERY: "find: ", Purpose.PASSAGE: "passage: "}


def test_more_tokens_than_positions_stop_the_start(bert_folder: Path) -> None:
    with pytest.raises(ResourceMissing, match="VIVA_EMBED_MAX_TOKENS is 65, the model has 64"):
        model_files(EmbedSettings(model=str(bert_folder), max_tokens=65))


def test_a_folder_without_a_model_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ResourceMissing, match=r"holds no config\.json; set VIVA_EMBED_MODEL"):
        model_files(EmbedSettings(model=str(tmp_path)))


def test_a_missing_reranker_names_its_own_variable(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(ResourceMissing, match="set VIVA_EMBED_RERANK_MODEL to"):
            load_cross_encoder(EmbedSettings(), str(folder))


def test_a_missing_folder_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ResourceMissing, match="there is no model folder"):
        model_files(EmbedSettings(model=str(tmp_path / "none"), engine="transformers"))


def test_a_name_of_the_hub_needs_the_engine_that_fetches() -> None:
    with pytest.raises(ResourceMissing, match="VIVA_EMBED_ENGINE=transformers"):
        model_files(EmbedSettings(model="some/model", engine="ctranslate2"))


def test_a_module_no_engine_runs_stops_the_start(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path)
    modules = [{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ResourceMissing, match="module 'Dense'"):
        read_model_files(folder)


@pytest.mark.parametrize(
    "pooling",
    [{"pooling_mode_max_tokens": True}, {"pooling_mode": "mean", "include_prompt": False}],
    ids=["max", "without-instruction"],
)
def test_a_pooling_no_engine_does_stops_the_start(
    tmp_path: Path, pooling: dict[str, object]
) -> None:
    folder = tiny_bert(tmp_path, cls_pooling=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    with pytest.raises(ResourceMissing, match="mean or cls"):
        read_model_files(folder)


def test_what_ctranslate2_cannot_run_stops_the_start(tmp_path: Path, bert_folder: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bert_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "other"}))
    settings = EmbedSettings(model=str(folder), data_dir=tmp_path / "data")
    with pytest.raises(ResourceMissing, match="VIVA_EMBED_ENGINE=transformers"):
        load_encoder(settings, model_files(settings))
    assert not list((tmp_path / "data" / "models").glob("embed*"))


def test_profiles_choose_engine_and_model() -> None:
    cpu = EmbedSettings().choice()
    assert (cpu.engine, cpu.model, cpu.device) == ("ctranslate2", PACKAGED_MODEL, "cpu")
    assert (cpu.name, cpu.languages) == ("all-MiniLM-L6-v2", ("en",))
    gpu = EmbedSettings(profile="gpu-48gb").choice()
    assert (gpu.engine, gpu.name, gpu.device) == ("transformers", "bge-m3", "cuda")


def test_another_engine_than_the_profiles_runs_the_packaged_model() -> None:
    choice = EmbedSettings(profile="gpu-48gb", engine="ctranslate2", device="cpu").choice()
    assert choice.model == PACKAGED_MODEL


def test_a_model_is_named_after_its_folder(bert_folder: Path) -> None:
    choice = EmbedSettings(model=f"{bert_folder}/").choice()
    assert (choice.name, choice.languages) == (bert_folder.name, ())
