"""The interview service on the wire, and the real embedding server to measure with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.embed.server import build
from services.embed.settings import EmbedSettings
from services.interview.clients.embed import EmbedClient
from services.interview.questions.bank import Bank, load_bank
from services.interview.store.memory import MemoryStore
from services.runtime import server
from services.runtime.channel import open_channel
from services.runtime.server import serving
from tests.interview.calls import Wire
from tests.interview.databases import Postgres
from tests.interview.databases import postgres as running_postgres
from tests.interview.orchestrators import orchestrator


@pytest.fixture(scope="session")
def embed_settings(tmp_path_factory: pytest.TempPathFactory) -> EmbedSettings:
    data_dir: Path = tmp_path_factory.mktemp("embed")
    return EmbedSettings(port=0, lame_duck_seconds=0, data_dir=data_dir, threads=1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def embedder(embed_settings: EmbedSettings) -> AsyncIterator[EmbedClient]:
    async with (
        serving(embed_settings, "embed", lambda: build(embed_settings)) as running,
        open_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield EmbedClient(channel)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.fixture(scope="session")
def bank() -> Bank:
    return load_bank()


@pytest_asyncio.fixture
async def wire(tmp_path: Path, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:
    # At the end nobody calls any more: nothing is on its way that would be waited for.
    monkeypatch.setattr(server, "_QUIET_SECONDS", 0.0)
    async with orchestrator(MemoryStore(100), bank, tmp_path) as running:
        yield running.wire
