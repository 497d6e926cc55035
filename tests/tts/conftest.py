"""The real server with the packaged voices, once for all tests of the folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from services.runtime.server import serving
from services.runtime.weights import WeightsStore
from services.tts.engines.kokoro import KokoroSynthesizer, join_weights
from services.tts.engines.piper import JOE, PiperSynthesizer, packaged_voice
from services.tts.mandarin import MandarinPronouncer
from services.tts.server import build
from services.tts.settings import TtsSettings
from tests.prepared_models import with_prepared_models
from tests.tts.calls import Stub


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_prepared_models(tmp_path_factory.mktemp("viva"))


@pytest.fixture(scope="session")
def joe() -> PiperSynthesizer:
    return PiperSynthesizer(packaged_voice(), JOE)


@pytest.fixture(scope="session")
def mandarin(data_dir: Path) -> MandarinPronouncer:
    return MandarinPronouncer(data_dir / "models" / "jieba")


@pytest.fixture(scope="session")
def kokoro(data_dir: Path, mandarin: MandarinPronouncer) -> KokoroSynthesizer:
    return KokoroSynthesizer(join_weights(WeightsStore(data_dir / "models")), mandarin=mandarin)


def no_lines(folder: Path) -> Path:
    """A file of frequent lines without any."""
    file = folder / "no-lines.txt"
    file.touch()
    return file


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def address(data_dir: Path) -> AsyncIterator[str]:
    settings = TtsSettings(
        port=0,
        data_dir=data_dir,
        lame_duck_seconds=0,
        drain_seconds=1,
        # What is made ahead has tests of its own.
        frequent_lines=no_lines(data_dir),
        # On a slow machine as well: what is refused for want of time has tests of its own.
        first_phrase_seconds=120,
        phrase_seconds=240,
    )
    async with serving(settings, "tts", partial(build, settings)) as running:
        yield f"127.0.0.1:{running.port}"


@pytest_asyncio.fixture(loop_scope="session")
async def stub(address: str) -> AsyncIterator[Stub]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield Stub(channel)
