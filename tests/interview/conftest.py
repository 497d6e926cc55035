"""The interview service on the wire, and the real embedding server to measure with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from services.embed.server import build
from services.embed.settings import EmbedSettings
from services.interview.clients.embed import EmbedClient
from services.interview.conversation.pace import Partners
from services.interview.house import House, Limits
from services.interview.question_servicer import QuestionServicer
from services.interview.questions.bank import load_bank
from services.interview.questions.index import QuestionIndex
from services.interview.server import services
from services.interview.servicer import InterviewServicer
from services.interview.store.memory import MemoryStore
from services.runtime.channel import open_channel
from services.runtime.server import Service, serving
from services.runtime.settings import ServerSettings
from tests.interview.calls import Wire
from tests.interview.stage import FAST, FakeEmbedder, FakeModel, FakeRecogniser, FakeSynthesiser


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


@pytest_asyncio.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    recogniser = FakeRecogniser()

    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        bank, embedder = load_bank(), FakeEmbedder()
        index = QuestionIndex(bank, embedder, tmp_path)
        await index.build()
        async with asyncio.TaskGroup() as tasks:
            house = House(
                bank=bank,
                index=index,
                store=MemoryStore(100),
                partners=Partners(recogniser, FakeSynthesiser(), FakeModel(), embedder),
                pace=FAST,
                limits=Limits(conversations=2),
                tasks=tasks,
            )
            yield services(InterviewServicer(house), QuestionServicer(bank, index))
            house.close()

    settings = ServerSettings(lame_duck_seconds=0, drain_seconds=1)
    async with (
        serving(settings, "interview", build) as running,
        open_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield Wire(channel, recogniser)
