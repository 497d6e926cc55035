"""A real server on the packaged model, loaded once for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from viva.llm.v1 import llm_pb2_grpc

from services.llm.server import build
from services.llm.settings import LlmSettings
from services.runtime.channel import open_channel
from services.runtime.server import serving


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the packaged model is converted to, once."""
    return tmp_path_factory.mktemp("llm-data")


@pytest.fixture
def settings(data_dir: Path) -> LlmSettings:
    return LlmSettings(port=0, data_dir=data_dir, drain_seconds=0, grace_seconds=5)


@pytest.fixture
async def channel(settings: LlmSettings) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        serving(settings, "llm", lambda: build(settings)) as server,
        open_channel(f"127.0.0.1:{server.port}") as opened,
    ):
        yield opened


@pytest.fixture
def llm(channel: grpc.aio.Channel) -> llm_pb2_grpc.LlmServiceAsyncStub:
    return llm_pb2_grpc.LlmServiceStub(channel)
