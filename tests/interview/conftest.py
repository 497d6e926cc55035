"""The interview service on the wire, and the real embedding server to measure with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from services.embed.server import build
from services.embed.settings import EmbedSettings
from services.interview.clients.embed import EmbedClient
from services.interview.conversation.pace import Partners
from services.interview.creation import Creation
from services.interview.forwarding import Forwarding
from services.interview.house import House
from services.interview.interviewer.casting import Casting
from services.interview.interviewer.personas import load_personas
from services.interview.persona_servicer import PersonaServicer
from services.interview.question_servicer import QuestionServicer
from services.interview.questions.bank import Bank, load_bank
from services.interview.questions.index import QuestionIndex
from services.interview.recordings.keys import KeyRing
from services.interview.recordings.recordings import open_recordings
from services.interview.server import services
from services.interview.servicer import InterviewServicer
from services.interview.sessions import Limits, Sessions
from services.interview.store.memory import MemoryStore
from services.runtime.channel import open_channel
from services.runtime.server import Service, serving
from services.runtime.settings import ServerSettings
from tests.interview.calls import Wire
from tests.interview.databases import Postgres
from tests.interview.databases import postgres as running_postgres
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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.fixture(scope="session")
def bank() -> Bank:
    return load_bank()


@pytest_asyncio.fixture
async def wire(tmp_path: Path, bank: Bank) -> AsyncIterator[Wire]:
    recogniser, synthesiser = FakeRecogniser(), FakeSynthesiser()

    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        embedder = FakeEmbedder()
        index = QuestionIndex(bank, embedder, tmp_path)
        await index.build()
        personas = load_personas()
        casting = Casting(personas, synthesiser)
        store = MemoryStore(100)
        async with (
            open_recordings(
                tmp_path / "recordings", 1 << 30, store, KeyRing(KeyRing.new())
            ) as recordings,
            asyncio.TaskGroup() as tasks,
        ):
            creation = Creation(bank, index, casting, store)
            sessions = Sessions(
                name="127.0.0.1:1/test",
                lease_seconds=60.0,
                creation=creation,
                casting=casting,
                store=store,
                recordings=recordings,
                partners=Partners(recogniser, synthesiser, FakeModel(), embedder),
                pace=FAST,
                limits=Limits(conversations=2),
                tasks=tasks,
            )
            house = House(creation=creation, store=store, recordings=recordings, sessions=sessions)
            yield services(
                InterviewServicer(house, Forwarding(house.gone)),
                QuestionServicer(bank, index),
                PersonaServicer(personas, synthesiser),
            )
            await sessions.close()

    settings = ServerSettings(lame_duck_seconds=0, drain_seconds=1)
    async with (
        serving(settings, "interview", build) as running,
        open_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield Wire(channel, recogniser, synthesiser, tmp_path)
