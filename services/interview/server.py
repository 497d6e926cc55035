"""The interview server: `python -m services.interview`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

import grpc
from viva.interview.v1 import (
    interview_service_pb2,
    interview_service_pb2_grpc,
    owner_service_pb2,
    owner_service_pb2_grpc,
    persona_service_pb2,
    persona_service_pb2_grpc,
    question_service_pb2,
    question_service_pb2_grpc,
)

from services.interview.clients.asr import AsrClient
from services.interview.clients.embed import EmbedClient
from services.interview.clients.llm import LlmClient
from services.interview.clients.quota import QuotaClient
from services.interview.clients.seams import NoQuota, Quota
from services.interview.clients.sessions import SessionClient
from services.interview.clients.tts import TtsClient
from services.interview.conversation.pace import Pace, Partners
from services.interview.creation import Creation
from services.interview.exporting import Exports
from services.interview.forwarding import Forwarding
from services.interview.house import House
from services.interview.housekeeping import Housekeeping
from services.interview.interviewer.casting import Casting
from services.interview.interviewer.judging import Judge
from services.interview.interviewer.personas import load_personas
from services.interview.owner_servicer import OwnerServicer
from services.interview.persona_servicer import PersonaServicer
from services.interview.predecessors import predecessors
from services.interview.question_servicer import QuestionServicer
from services.interview.questions.bank import load_bank
from services.interview.questions.index import QuestionIndex
from services.interview.recordings.recordings import open_recordings
from services.interview.servicer import InterviewServicer
from services.interview.sessions import Limits, Sessions
from services.interview.settings import InterviewServerSettings
from services.interview.store.opening import open_store
from services.interview.uses import Uses
from services.runtime.channel import open_channel
from services.runtime.ids import new_id
from services.runtime.server import Service, run
from services.runtime.settings import load
from services.runtime.threads import yield_to_event_loops
from services.runtime.watching import SessionWatch, Watch

STORE_MARGIN_SECONDS = 2.5
"""A commit is given up so much later than the database itself would: its own word says more."""
Connect = Callable[[str], AbstractAsyncContextManager[grpc.aio.Channel]]
"""Opens a channel to an address."""


@asynccontextmanager
async def build(
    settings: InterviewServerSettings, *, connect: Connect = open_channel
) -> AsyncIterator[Sequence[Service]]:
    """Connects to the model servers and opens the house. They need not be there yet."""
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
        bank = await asyncio.to_thread(load_bank)
        index = QuestionIndex(bank, embedder, settings.data_dir / "interview")
        kept = await stack.enter_async_context(open_store(settings))
        recordings = await stack.enter_async_context(
            open_recordings(kept.folder, settings.recordings_bytes, kept.store, kept.keys)
        )
        kept.forgotten = recordings.forget
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        embedding = tasks.create_task(index.build())
        stack.callback(embedding.cancel)
        personas = await asyncio.to_thread(load_personas)
        casting = Casting(personas, partners.synthesiser)
        quota: Quota = NoQuota()
        watch: Watch | None = None
        if settings.account_address is not None:
            accounts = await channel(settings.account_address)
            quota, watch = QuotaClient(accounts), SessionWatch(SessionClient(accounts).is_live)
        uses = await stack.enter_async_context(Uses(quota, kept.store))
        creation = Creation(bank, index, casting, kept.store, uses)
        name = f"{settings.reachable}/{new_id()}"
        addresses = settings.data_dir / "interview" / "addresses"
        before = stack.enter_context(predecessors(addresses, name))
        learning = tasks.create_task(before.run())
        stack.callback(learning.cancel)
        sessions = Sessions(
            name=name,
            predecessors=before,
            lease_seconds=settings.lease_seconds,
            creation=creation,
            casting=casting,
            store=kept.store,
            recordings=recordings,
            partners=partners,
            pace=pace(settings),
            limits=limits(settings),
            tasks=tasks,
        )
        stack.push_async_callback(sessions.close)
        house = House(
            creation=creation,
            uses=uses,
            store=kept.store,
            recordings=recordings,
            sessions=sessions,
        )
        encoder = stack.enter_context(
            ThreadPoolExecutor(1, "exporting", initializer=yield_to_event_loops)
        )
        forwarding = Forwarding(house.gone, sessions.pace.stored)
        stack.push_async_callback(forwarding.close)
        housekeeping = Housekeeping(
            kept.store, house, sessions, recordings, settings.retention_days
        )
        keeping = tasks.create_task(housekeeping.run())
        stack.callback(keeping.cancel)
        yield services(
            InterviewServicer(house, forwarding),
            QuestionServicer(bank, index),
            PersonaServicer(personas, partners.synthesiser),
            OwnerServicer(house, kept.store, forwarding, Exports(house, encoder)),
            watch,
        )


def pace(settings: InterviewServerSettings) -> Pace:
    """How patient the settings want conversations to be."""
    return Pace(
        min_silence=settings.min_silence,
        max_silence=settings.max_silence,
        follow_up_budget=settings.follow_up_budget,
        patience=settings.patience,
        suspicion=settings.suspicion,
        commit=settings.store_seconds + STORE_MARGIN_SECONDS,
    )


def limits(settings: InterviewServerSettings) -> Limits:
    """How much the settings let the server take on."""
    return Limits(
        conversations=settings.max_conversations,
        conversations_a_user=settings.max_conversations_per_user,
        journal_bytes=settings.journal_bytes,
        absence_seconds=settings.absence_seconds,
        abandoned_seconds=settings.abandoned_seconds,
    )


def services(
    interviews: InterviewServicer,
    questions: QuestionServicer,
    personas: PersonaServicer,
    owners: OwnerServicer,
    watch: Watch | None = None,
) -> Sequence[Service]:
    """The services of this server; `watch` runs beside the streams of interviews."""
    return [
        Service(
            interview_service_pb2.DESCRIPTOR.services_by_name["InterviewService"].full_name,
            partial(interview_service_pb2_grpc.add_InterviewServiceServicer_to_server, interviews),
            watch=watch,
            # A Listen that ends where nobody is cut short hears by it how far that is.
            to_the_end=["Speak"],
        ),
        Service(
            question_service_pb2.DESCRIPTOR.services_by_name["QuestionService"].full_name,
            partial(question_service_pb2_grpc.add_QuestionServiceServicer_to_server, questions),
        ),
        Service(
            persona_service_pb2.DESCRIPTOR.services_by_name["PersonaService"].full_name,
            partial(persona_service_pb2_grpc.add_PersonaServiceServicer_to_server, personas),
        ),
        Service(
            owner_service_pb2.DESCRIPTOR.services_by_name["OwnerService"].full_name,
            partial(owner_service_pb2_grpc.add_OwnerServiceServicer_to_server, owners),
        ),
    ]


def main() -> None:
    """Runs the server until SIGTERM."""
    settings = load(InterviewServerSettings)
    run(settings, name="interview", build=lambda: build(settings))
