"""The packaged model, converted once, and a real server on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from viva.llm.v1 import llm_pb2_grpc

from services.llm.engines.ctranslate2 import Ctranslate2Engine, Limits, Model, open_engine
from services.llm.gguf_conversion import convert
from services.llm.server import build, packaged_gguf
from services.llm.settings import PACKAGED_MODEL, LlmSettings
from services.runtime.channel import open_channel
from services.runtime.server import serving
from services.runtime.weights import WeightsStore
from tests.prepared_models import with_prepared_models


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_prepared_models(tmp_path_factory.mktemp("llm-data"))


@pytest.fixture(scope="session")
def packaged(data_dir: Path) -> Path:
    """The folder of the packaged model, as the server prepares it."""
    return WeightsStore(data_dir / "models").prepare(
        f"llm-{PACKAGED_MODEL}", "1", lambda out: convert(packaged_gguf(), out)
    )


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def engine(packaged: Path) -> AsyncIterator[Ctranslate2Engine]:
    model = Model.read(packaged, PACKAGED_MODEL)
    async with open_engine(model, device="cpu", limits=Limits(context_tokens=1024)) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def precise(packaged: Path) -> AsyncIterator[Ctranslate2Engine]:
    """Computes in float32: int8 would turn a last digit's difference into another word."""
    limits = Limits(compute_type="float32", parallel=1)
    async with open_engine(Model.read(packaged, "p"), device="cpu", limits=limits) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def channel(data_dir: Path, packaged: Path) -> AsyncIterator[grpc.aio.Channel]:
    settings = LlmSettings(
        port=0, data_dir=data_dir, lame_duck_seconds=0, drain_seconds=5, context_tokens=2048
    )
    async with (
        serving(settings, "llm", lambda: build(settings)) as server,
        open_channel(f"127.0.0.1:{server.port}") as opened,
    ):
        yield opened


@pytest.fixture
def llm(channel: grpc.aio.Channel) -> llm_pb2_grpc.LlmServiceAsyncStub:
    return llm_pb2_grpc.LlmServiceStub(channel)
