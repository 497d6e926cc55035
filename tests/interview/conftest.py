"""The real embedding server, loaded once for the tests that measure with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.embed.server import build
from services.embed.settings import EmbedSettings
from services.interview.clients.embed import EmbedClient
from services.runtime.channel import open_channel
from services.runtime.server import serving


@pytest.fixture(scope="session")
def embed_settings(tmp_path_factory: pytest.TempPathFactory) -> EmbedSettings:
    data_dir: Path = tmp_path_factory.mktemp("embed")
    return EmbedSettings(port=0, drain_seconds=0, data_dir=data_dir, threads=1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def embedder(embed_settings: EmbedSettings) -> AsyncIterator[EmbedClient]:
    async with (
        serving(embed_settings, "embed", lambda: build(embed_settings)) as running,
        open_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield EmbedClient(channel)
