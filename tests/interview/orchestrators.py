"""Whole interview servers in this process, over one store: fakes stand at the model servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.interview.assembly import InterviewServer, Surroundings, assembled
from services.interview.clients.seams import NoQuota, Quota
from services.interview.conversation.pace import Partners
from services.interview.house import House
from services.interview.housekeeping import Housekeeping
from services.interview.questions.bank import Bank
from services.interview.questions.index import QuestionIndex
from services.interview.recordings.keys import KeyRing
from services.interview.recordings.recordings import Recordings
from services.interview.sessions import Limits, Sessions
from services.interview.settings import InterviewServerSettings
from services.interview.store.opening import Kept
from services.interview.store.store import Store
from services.runtime.channel import open_channel
from services.runtime.server import Service, serving
from services.runtime.wall_clock import Clock, now
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
    clock: Clock = now,
) -> AsyncIterator[Orchestrator]:
    """An orchestrator on this store, until the scope ends.

    It tells others that it is at `address`, or else where it is.
    """
    recogniser, synthesiser, embedder = FakeRecogniser(), FakeSynthesiser(), FakeEmbedder()
    port = free_port()
    settings = InterviewServerSettings(
        port=port,
        advertise=address,
        lame_duck_seconds=0,
        drain_seconds=drain_seconds,
        data_dir=data_dir,
        retention_days=retention_days,
        max_conversations=limits.conversations,
        max_conversations_per_user=limits.conversations_a_user,
        journal_bytes=limits.journal_bytes,
        absence_seconds=limits.absence_seconds,
        abandoned_seconds=limits.abandoned_seconds,
    )
    # Shorter than anybody may set it.
    settings = settings.model_copy(update={"lease_seconds": lease_seconds})
    index = QuestionIndex(bank, embedder, data_dir)
    await index.build()
    around = Surroundings(
        Partners(recogniser, synthesiser, FakeModel(), embedder),
        bank,
        index,
        Kept(store, data_dir / "recordings", KEYS),
        quota,
        watch,
        clock,
    )
    built: list[InterviewServer] = []

    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        async with assembled(settings, around, FAST) as server:
            built.append(server)
            yield server.services

    async with (
        open_channel(f"127.0.0.1:{port}") as channel,
        serving(settings, "interview", build),
    ):
        server = built[0]
        yield Orchestrator(
            Wire(channel, recogniser, synthesiser, data_dir),
            server.sessions,
            server.house,
            server.recordings,
            server.housekeeping,
            port,
            recogniser,
        )
