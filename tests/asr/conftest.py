"""A real server with real weights, shared by the tests of the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from viva.asr.v1 import asr_pb2_grpc

from services.asr.engines.selection import weights
from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2
from services.asr.server import build
from services.asr.settings import AsrSettings
from services.asr.vad import SileroVad
from services.runtime.channel import open_channel
from services.runtime.server import serving
from services.runtime.settings import default_data_dir
from tests.recordings import Recording, cards, librivox


@pytest.fixture(scope="session")
def recordings() -> list[Recording]:
    return librivox()


@pytest.fixture(scope="session")
def card_recordings() -> list[Recording]:
    return cards()


@pytest.fixture(scope="session")
def base() -> WhisperCTranslate2:
    folder, version = weights("base", default_data_dir())
    return WhisperCTranslate2(folder, name="whisper-base", version=version)


@pytest.fixture(scope="session")
def vad() -> SileroVad:
    return SileroVad()


@asynccontextmanager
async def serve(**settings: object) -> AsyncIterator[asr_pb2_grpc.AsrServiceAsyncStub]:
    """A server on a free port, and a stub for it."""
    chosen = AsrSettings(port=0, lame_duck_seconds=0, drain_seconds=5, **settings)  # type: ignore[arg-type]
    async with (
        serving(chosen, "asr", lambda: build(chosen)) as server,
        open_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield asr_pb2_grpc.AsrServiceStub(channel)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stub() -> AsyncIterator[asr_pb2_grpc.AsrServiceAsyncStub]:
    """The server as it is by default."""
    async with serve() as connected:
        yield connected
