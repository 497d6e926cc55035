"""The real interview server, killed in mid-interview: another one goes on with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import pytest
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import interview_pb2, interview_service_pb2_grpc, turn_pb2
from viva.interview.v1 import interview_service_pb2 as pb

from services.runtime.channel import outgoing
from tests.interview.calls import join, typed
from tests.interview.databases import Postgres
from tests.interview.test_lifecycle import asked
from tests.server_process import GUARD_SECONDS, ServerProcess, server_process

SERVICE = "viva.interview.v1.InterviewService"
NOWHERE = "127.0.0.1:1"
ANN = {"user": "ann"}


@asynccontextmanager
async def interviews(
    postgres: Postgres, data: Path, **settings: str
) -> AsyncIterator[ServerProcess]:
    """A server without models: what is said is typed, read, and found by words."""
    url = postgres.server().url
    assert url is not None
    models = {f"{name}_ADDRESS": NOWHERE for name in ("ASR", "TTS", "LLM", "EMBED")}
    async with server_process(
        "interview", SERVICE, DATABASE_URL=url, VIVA_DATA_DIR=str(data), **models, **settings
    ) as process:
        yield process


async def events(
    call: grpc.aio.StreamStreamCall[pb.ConverseRequest, pb.ConverseResponse],
) -> AsyncIterator[cpb.InterviewEvent]:
    while isinstance(response := await call.read(), pb.ConverseResponse):
        yield response.event


@pytest.mark.slow
async def test_no_finished_turn_is_lost_when_the_server_is_killed(
    postgres: Postgres, tmp_path: Path
) -> None:
    await postgres.emptied()
    answers = ["The first answer is an index.", "The second answer is a backup."]
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(interviews(postgres, tmp_path))
        second = await stack.enter_async_context(interviews(postgres, tmp_path))
        channels = [await stack.enter_async_context(one.channel()) for one in (first, second)]
        stubs = [interview_service_pb2_grpc.InterviewServiceStub(each) for each in channels]
        options = outgoing(GUARD_SECONDS, **ANN)
        settings = interview_pb2.InterviewSettings(rounds=2, follow_ups=0)
        request = pb.CreateInterviewRequest(settings=settings)
        made = (await stubs[0].CreateInterview(request, **options)).interview
        token: str | None = None
        for stub, answer in zip(stubs, answers, strict=True):
            call = stub.Converse(None, **options)
            joining = join(made.id, resume_token=token, typed=True)
            await call.write(pb.ConverseRequest(join=joining))
            written = False
            async for event in events(call):
                token = event.resume_token
                if event.HasField("report_ready"):
                    break
                if asked(event) and not written:
                    written = True
                    await call.write(pb.ConverseRequest(candidate=typed(answer)))
                if event.candidate_turn.turn.text == answer and stub is stubs[0]:
                    first.process.kill()
                    break
        got = await stubs[1].GetInterview(pb.GetInterviewRequest(interview_id=made.id), **options)
        assert got.interview.state == interview_pb2.INTERVIEW_STATE_COMPLETED
        listed = await stubs[1].ListTurns(pb.ListTurnsRequest(interview_id=made.id), **options)
        said = [turn for turn in listed.turns if turn.speaker == turn_pb2.SPEAKER_CANDIDATE]
        assert [turn.text for turn in said] == answers
        starts = [turn.start.ToMilliseconds() for turn in listed.turns]
        assert starts == sorted(starts)


@pytest.mark.slow
async def test_one_that_is_started_again_has_at_once_what_it_drove(
    postgres: Postgres, tmp_path: Path
) -> None:
    await postgres.emptied()
    options = outgoing(GUARD_SECONDS, **ANN)
    async with AsyncExitStack() as stack:
        # Its health says nothing of the one that died, although it answers at the same address.
        other = await stack.enter_async_context(interviews(postgres, tmp_path / "other"))
        own = {"ADVERTISE": other.address, "LEASE_SECONDS": "300"}
        dying = await stack.enter_async_context(interviews(postgres, tmp_path, **own))
        channel = await stack.enter_async_context(dying.channel())
        stub = interview_service_pb2_grpc.InterviewServiceStub(channel)
        settings = interview_pb2.InterviewSettings(rounds=2, follow_ups=0)
        request = pb.CreateInterviewRequest(settings=settings)
        made = (await stub.CreateInterview(request, **options)).interview
        call = stub.Converse(None, **options)
        await call.write(pb.ConverseRequest(join=join(made.id, typed=True)))
        async for event in events(call):
            if asked(event):
                break
        dying.process.kill()
        await dying.process.wait()
        heir = await stack.enter_async_context(interviews(postgres, tmp_path, **own))
        channel = await stack.enter_async_context(heir.channel())
        stub = interview_service_pb2_grpc.InterviewServiceStub(channel)
        end = pb.EndInterviewRequest(interview_id=made.id)
        ended = await stub.EndInterview(end, **options)
        assert ended.interview.state == interview_pb2.INTERVIEW_STATE_CANCELLED
