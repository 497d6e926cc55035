"""What an interview server is made of, whatever it is connected to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

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

from services.interview.clients.seams import NoQuota, Quota
from services.interview.conversation.pace import Pace, Partners
from services.interview.creation import Creation
from services.interview.exporting import Exports
from services.interview.forwarding import Forwarding
from services.interview.house import House
from services.interview.housekeeping import Housekeeping
from services.interview.interviewer.casting import Casting
from services.interview.interviewer.personas import load_personas
from services.interview.owner_servicer import OwnerServicer
from services.interview.persona_servicer import PersonaServicer
from services.interview.predecessors import predecessors
from services.interview.question_servicer import QuestionServicer
from services.interview.questions.bank import Bank
from services.interview.questions.index import QuestionIndex
from services.interview.recordings.recordings import Recordings, open_recordings
from services.interview.servicer import InterviewServicer
from services.interview.sessions import Limits, Sessions
from services.interview.settings import InterviewServerSettings
from services.interview.store.opening import Kept
from services.interview.uses import Uses
from services.runtime.ids import new_id
from services.runtime.server import Service
from services.runtime.threads import yield_to_event_loops
from services.runtime.wall_clock import Clock, now
from services.runtime.watching import Watch

STORE_MARGIN_SECONDS = 2.5
"""A commit is given up so much later than the database itself would: its own word says more."""


@dataclass(frozen=True)
class Surroundings:
    """What a server is connected to.

    Attributes:
        partners: The model servers.
        bank: The questions.
        index: Finds them by their meaning.
        kept: The record.
        quota: What users may create.
        watch: Runs beside the streams of a session; None without accounts.
        clock: What interviews are old by.
    """

    partners: Partners
    bank: Bank
    index: QuestionIndex
    kept: Kept
    quota: Quota = NoQuota()  # noqa: RUF009 - it has no state
    watch: Watch | None = None
    clock: Clock = now


@dataclass(frozen=True)
class InterviewServer:
    """An interview server.

    Attributes:
        sessions: What it drives.
        house: Its interviews.
        recordings: Of them.
        housekeeping: What it does for interviews that nobody is in.
        services: What it answers to.
    """

    sessions: Sessions
    house: House
    recordings: Recordings
    housekeeping: Housekeeping
    services: Sequence[Service]


@asynccontextmanager
async def assembled(
    settings: InterviewServerSettings, around: Surroundings, pace: Pace
) -> AsyncIterator[InterviewServer]:
    """A server that takes calls until the scope ends; somebody has to run its housekeeping."""
    store, partners = around.kept.store, around.partners
    async with AsyncExitStack() as stack:
        recordings = await stack.enter_async_context(
            open_recordings(around.kept.folder, settings.recordings_bytes, store, around.kept.keys)
        )
        around.kept.forgotten = recordings.forget
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        personas = await asyncio.to_thread(load_personas)
        casting = Casting(personas, partners.synthesiser)
        uses = await stack.enter_async_context(Uses(around.quota, store))
        creation = Creation(around.bank, around.index, casting, store, uses)
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
            store=store,
            recordings=recordings,
            partners=partners,
            pace=pace,
            limits=_limits(settings),
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
        encoder = stack.enter_context(
            ThreadPoolExecutor(1, "exporting", initializer=yield_to_event_loops)
        )
        forwarding = Forwarding(house.gone, sessions.pace.stored)
        stack.push_async_callback(forwarding.close)
        yield InterviewServer(
            sessions,
            house,
            recordings,
            Housekeeping(store, house, sessions, recordings, settings.retention_days, around.clock),
            _services(
                InterviewServicer(house, forwarding),
                QuestionServicer(around.bank, around.index),
                PersonaServicer(personas, partners.synthesiser),
                OwnerServicer(house, store, forwarding, Exports(house, encoder)),
                around.watch,
            ),
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


def _limits(settings: InterviewServerSettings) -> Limits:
    """How much the settings let the server take on."""
    return Limits(
        conversations=settings.max_conversations,
        conversations_a_user=settings.max_conversations_per_user,
        journal_bytes=settings.journal_bytes,
        absence_seconds=settings.absence_seconds,
        abandoned_seconds=settings.abandoned_seconds,
    )


def _services(
    interviews: InterviewServicer,
    questions: QuestionServicer,
    personas: PersonaServicer,
    owners: OwnerServicer,
    watch: Watch | None,
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
