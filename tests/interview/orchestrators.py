"""Whole interview servers in this process, over one store: fakes stand at the model servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from services.interview.clients.seams import NoQuota, Quota
from services.interview.conversation.pace import Partners
from services.interview.creation import Creation
from services.interview.exporting import Exports
from services.interview.forwarding import Forwarding
from services.interview.house import House
from services.interview.housekeeping import Housekeeping
from services.interview.interviewer.casting import Casting
from services.interview.interviewer.personas import load_personas
from services.interview.owner_servicer import OwnerServicer
from services.interview.persona_servicer import PersonaServicer
from services.interview.question_servicer import QuestionServicer
from services.interview.questions.bank import Bank
from services.interview.questions.index import QuestionIndex
from services.interview.recordings.keys import KeyRing
from services.interview.recordings.recordings import Recordings, open_recordings
from services.interview.server import services
from services.interview.servicer import InterviewServicer
from services.interview.sessions import Limits, Sessions
from services.interview.store.store import Store
from services.interview.uses import Uses
from services.runtime.channel import open_channel
from services.runtime.ids import new_id
from services.runtime.server import Service, serving
from services.runtime.settings import ServerSettings
from services.runtime.watching import Watch
from tests.interview.calls import Wire
from tests.interview.stage import FAST, FakeEmbedder, FakeModel, FakeRecogniser, FakeSynthesiser
from tests.server_process import free_port

KEYS = KeyRing(KeyRing.new())


@dataclass
class Orchestrator:
    """A running interview server.

    Attributes:
        wire: Calls it.
        sessions: What it drives.
        house: Its interviews.
        recordings: Of them.
        keeping: What it does for interviews that nobody is in, when it is told to.
        port: Where it takes calls.
    """

    wire: Wire
    sessions: Sessions
    house: House
    recordings: Recordings
    keeping: Housekeeping
    port: int
    recogniser: FakeRecogniser = field(default_factory=FakeRecogniser)


@asynccontextmanager
async def orchestrator(
    store: Store,
    bank: Bank,
    data_dir: Path,
    *,
    lease_seconds: float = 60.0,
    retention_days: float = 0.0,
    limits: Limits = Limits(conversations=2),  # noqa: B008 - a frozen value
    drain_seconds: float = 1.0,
    quota: Quota = NoQuota(),  # noqa: B008 - it has no state
    watch: Watch | None = None,
    address: str | None = None,
    predecessors: Collection[str] = (),
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[Orchestrator]:
    """An orchestrator on this store, until the scope ends.

    It tells others that it is at `address`, or else where it is.
    """
    recogniser, synthesiser, embedder = FakeRecogniser(), FakeSynthesiser(), FakeEmbedder()
    port = free_port()
    built: list[tuple[Sessions, House, Recordings, Housekeeping]] = []

    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        index = QuestionIndex(bank, embedder, data_dir)
        await index.build()
        personas = load_personas()
        casting = Casting(personas, synthesiser)
        async with AsyncExitStack() as stack:
            recordings = await stack.enter_async_context(
                open_recordings(data_dir / "recordings", 1 << 30, store, KEYS)
            )
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            uses = await stack.enter_async_context(Uses(quota, store))
            creation = Creation(bank, index, casting, store, uses)
            sessions = Sessions(
                name=f"{address or f'127.0.0.1:{port}'}/{new_id()}",
                predecessors=predecessors,
                lease_seconds=lease_seconds,
                creation=creation,
                casting=casting,
                store=store,
                recordings=recordings,
                partners=Partners(recogniser, synthesiser, FakeModel(), embedder),
                pace=FAST,
                limits=limits,
                tasks=tasks,
            )
            stack.push_async_callback(sessions.close)
            house = House(
                creation=creation,
                uses=uses,
                store=store,
                recordings=recordings,
                sessions=sessions,
            )
            encoder = stack.enter_context(ThreadPoolExecutor(1, "exporting"))
            forwarding = Forwarding(house.gone, sessions.pace.stored)
            stack.push_async_callback(forwarding.close)
            keeping = Housekeeping(store, house, sessions, recordings, retention_days, clock)
            built.append((sessions, house, recordings, keeping))
            yield services(
                InterviewServicer(house, forwarding),
                QuestionServicer(bank, index),
                PersonaServicer(personas, synthesiser),
                OwnerServicer(house, store, forwarding, Exports(house, encoder)),
                watch,
            )

    settings = ServerSettings(port=port, lame_duck_seconds=0, drain_seconds=drain_seconds)
    async with (
        open_channel(f"127.0.0.1:{port}") as channel,
        serving(settings, "interview", build),
    ):
        sessions, house, recordings, keeping = built[0]
        wire = Wire(channel, recogniser, synthesiser, data_dir)
        yield Orchestrator(wire, sessions, house, recordings, keeping, port, recogniser)
