"""Streams of those who are logged out meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview.questions.bank import Bank
from services.interview.store.memory import MemoryStore
from services.runtime.channel import outgoing
from services.runtime.errors import Unauthenticated, reasons
from tests.interview.calls import join, joining, refused, typed, until
from tests.interview.orchestrators import Orchestrator, orchestrator
from tests.interview.stage import PATIENCE


@dataclass
class Sessions:
    """Watches sessions until one is over."""

    over: dict[str, asyncio.Event] = field(default_factory=dict)

    async def watch(self, session: str) -> None:
        await self.over.setdefault(session, asyncio.Event()).wait()
        raise Unauthenticated("SESSION_ENDED", "the session is over; log in again")

    def end(self, session: str) -> None:
        self.over.setdefault(session, asyncio.Event()).set()


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture
async def running(bank: Bank, tmp_path: Path, sessions: Sessions) -> AsyncIterator[Orchestrator]:
    async with orchestrator(MemoryStore(10), bank, tmp_path, watch=sessions.watch) as found:
        yield found


def logged_in(session: str) -> Any:
    """How a call of Ann's comes from the edge."""
    options = outgoing(PATIENCE, user="ann")
    options["metadata"] = (*options["metadata"], ("x-viva-session", session))
    return options


async def over(call: Any) -> None:
    error = await refused(call)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert reasons(error) == ["SESSION_ENDED"]


async def test_a_conversation_ends_with_its_session_and_no_other(
    running: Orchestrator, sessions: Sessions
) -> None:
    wire = running.wire
    made = await wire.create()
    thiefs = wire.interviews.Converse(None, **logged_in("thief's"))
    await thiefs.write(joining(made.id))
    await until(thiefs, lambda event: event.HasField("utterance_started"))
    sessions.end("thief's")
    await over(thiefs)
    mine = wire.interviews.Converse(None, **logged_in("mine"))
    await mine.write(pb.ConverseRequest(join=join(made.id, typed=True)))
    await until(mine, lambda event: event.HasField("utterance_started"))
    await mine.write(pb.ConverseRequest(candidate=typed("I am still here.")))
    await until(mine, lambda event: event.HasField("candidate_turn"))
    mine.cancel()


async def test_who_waits_with_the_first_word_is_not_let_in_later(
    running: Orchestrator, sessions: Sessions
) -> None:
    call = running.wire.interviews.Converse(None, **logged_in("thief's"))
    sessions.end("thief's")
    await over(call)


async def test_listening_ends_with_its_session(running: Orchestrator, sessions: Sessions) -> None:
    made = await running.wire.create()
    call = running.wire.interviews.Listen(
        pb.ListenRequest(join=join(made.id)), **logged_in("thief's")
    )
    await until(call, lambda event: event.HasField("utterance_started"))
    sessions.end("thief's")
    await over(call)
