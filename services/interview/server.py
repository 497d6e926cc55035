"""The interview server: `python -m services.interview`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import grpc

from services.interview.assembly import Surroundings, assembled, pace
from services.interview.clients.asr import AsrClient
from services.interview.clients.embed import EmbedClient
from services.interview.clients.llm import LlmClient
from services.interview.clients.quota import QuotaClient
from services.interview.clients.seams import NoQuota, Quota
from services.interview.clients.sessions import SessionClient
from services.interview.clients.tts import TtsClient
from services.interview.conversation.pace import Partners
from services.interview.interviewer.judging import Judge
from services.interview.questions.bank import load_bank
from services.interview.questions.index import QuestionIndex
from services.interview.settings import InterviewServerSettings
from services.interview.store.opening import open_store
from services.runtime.channel import open_channel
from services.runtime.server import Service, run
from services.runtime.settings import load
from services.runtime.watching import SessionWatch, Watch

Connect = Callable[[str], AbstractAsyncContextManager[grpc.aio.Channel]]
"""Opens a channel to an address."""


@asynccontextmanager
async def connected(
    settings: InterviewServerSettings, connect: Connect
) -> AsyncIterator[Surroundings]:
    """Opens the record, and channels to the others. They need not be there yet."""
    async with AsyncExitStack() as stack:
        channels: dict[str, grpc.aio.Channel] = {}

        async def channel(address: str) -> grpc.aio.Channel:
            if address not in channels:
                channels[address] = await stack.enter_async_context(connect(address))
            return channels[address]

        embedder = EmbedClient(await channel(settings.embed_address))
        model = LlmClient(await channel(settings.llm_address))
        partners = Partners(
            recogniser=AsrClient(await channel(settings.asr_address)),
            synthesiser=TtsClient(await channel(settings.tts_address)),
            model=model,
            embedder=embedder,
            judge=Judge(model) if settings.judge == "llm" else None,
        )
        quota: Quota = NoQuota()
        watch: Watch | None = None
        if settings.account_address is not None:
            accounts = await channel(settings.account_address)
            quota, watch = QuotaClient(accounts), SessionWatch(SessionClient(accounts).is_live)
        bank = await asyncio.to_thread(load_bank)
        index = QuestionIndex(bank, embedder, settings.data_dir / "interview")
        kept = await stack.enter_async_context(open_store(settings))
        yield Surroundings(partners, bank, index, kept, quota, watch)


@asynccontextmanager
async def build(
    settings: InterviewServerSettings, *, connect: Connect = open_channel
) -> AsyncIterator[Sequence[Service]]:
    """Opens the house, and does what is to be done in the background until the scope ends."""
    async with (
        connected(settings, connect) as around,
        assembled(settings, around, pace(settings)) as server,
        asyncio.TaskGroup() as tasks,
    ):
        duties = [
            tasks.create_task(around.index.build()),
            tasks.create_task(server.housekeeping.run()),
        ]
        try:
            yield server.services
        finally:
            for duty in duties:
                duty.cancel()


def main() -> None:
    """Runs the server until SIGTERM."""
    settings = load(InterviewServerSettings)
    run(settings, name="interview", build=lambda: build(settings))
