"""A stream that was let in does not outlive the session it was let in by."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import grpc
import pytest
from viva.interview.v1 import interview_service_pb2 as pb
from viva.interview.v1 import interview_service_pb2_grpc

from services.interview.questions.bank import load_bank
from services.interview.store.memory import MemoryStore
from services.runtime import watching
from services.runtime.errors import reasons
from services.runtime.watching import SessionWatch
from tests.edge.backend import envoy
from tests.edge.identity import ALICE, BOB, gateway
from tests.interview.calls import Conversation, join, refused, typed, until
from tests.interview.orchestrators import orchestrator

pytestmark = pytest.mark.slow

INTERVIEWS = "viva.interview.v1.InterviewService"


async def test_a_native_conversation_ends_with_its_session_and_another_users_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.05)
    async with (
        gateway() as tokens,
        orchestrator(
            MemoryStore(10), load_bank(), tmp_path, watch=SessionWatch(tokens.is_live)
        ) as running,
        envoy(tmp_path, {"interview": [running.port]}, gateway=tokens) as mesh,
        grpc.aio.insecure_channel(mesh.edge.removeprefix("http://")) as channel,
    ):
        await mesh.until_healthy(INTERVIEWS, running.port)
        stub = interview_service_pb2_grpc.InterviewServiceStub(channel)

        async def joined(user: str) -> Conversation:
            metadata = tuple(tokens.bearer(user, exp=int(time.time()) + 60).items())
            made = await stub.CreateInterview(pb.CreateInterviewRequest(), metadata=metadata)
            call: Conversation = stub.Converse(None, metadata=metadata)
            await call.write(pb.ConverseRequest(join=join(made.interview.id, typed=True)))
            await until(call, lambda event: event.HasField("utterance_started"))
            return call

        async with asyncio.timeout(60):
            alices, bobs = await joined(ALICE), await joined(BOB)
            tokens.ended.add(f"session-of-{ALICE}")
            error = await refused(alices)
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
            assert reasons(error) == ["SESSION_ENDED"]
            await bobs.write(pb.ConverseRequest(candidate=typed("I am still here.")))
            await until(bobs, lambda event: event.HasField("candidate_turn"))
            bobs.cancel()
