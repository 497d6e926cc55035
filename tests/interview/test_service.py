"""The service on the wire: who may do what, and how bad input is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from viva.interview.v1 import interview_pb2 as pb
from viva.interview.v1 import (
    interview_pb2_grpc,
    question_pb2,
    question_pb2_grpc,
    report_pb2,
)
from viva.serving.v1 import serving_pb2

from services.interview.conversation.pace import Partners
from services.interview.house import House, Limits
from services.interview.question_servicer import QuestionServicer
from services.interview.questions.bank import load_bank
from services.interview.questions.index import QuestionIndex
from services.interview.server import services
from services.interview.servicer import InterviewServicer
from services.interview.store.memory import MemoryStore
from services.runtime.channel import open_channel, outgoing
from services.runtime.server import Service, serving
from services.runtime.settings import ServerSettings
from tests.interview.stage import (
    FAST,
    PATIENCE,
    FakeEmbedder,
    FakeModel,
    FakeRecogniser,
    FakeSynthesiser,
)

PCM = serving_pb2.AudioFormat(
    encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=48_000, channels=2
)


class Wire:
    """The stubs, and a user to call as."""

    def __init__(self, channel: grpc.aio.Channel, recogniser: FakeRecogniser) -> None:
        self.interviews: interview_pb2_grpc.InterviewServiceAsyncStub = (
            interview_pb2_grpc.InterviewServiceStub(channel)
        )
        self.questions: question_pb2_grpc.QuestionServiceAsyncStub = (
            question_pb2_grpc.QuestionServiceStub(channel)
        )
        self.recogniser = recogniser

    async def create(self, user: str = "ann", **settings: Any) -> pb.Interview:
        wanted = pb.InterviewSettings(**settings)
        response = await self.interviews.CreateInterview(
            pb.CreateInterviewRequest(settings=wanted), **outgoing(PATIENCE, user=user)
        )
        return response.interview

    @asynccontextmanager
    async def converse(
        self, *messages: pb.ConverseRequest, user: str = "ann"
    ) -> AsyncIterator[grpc.aio.StreamStreamCall[pb.ConverseRequest, pb.ConverseResponse]]:
        call = self.interviews.Converse(None, **outgoing(PATIENCE, user=user))
        try:
            for message in messages:
                await call.write(message)
            yield call
        finally:
            call.cancel()


def join(
    interview_id: str, *, last_seq: int | None = None, typed: bool = False
) -> pb.JoinInterview:
    return pb.JoinInterview(
        interview_id=interview_id,
        last_seq=last_seq,
        input=None if typed else PCM,
        text_only=typed,
    )


def joining(interview_id: str, *, last_seq: int | None = None) -> pb.ConverseRequest:
    return pb.ConverseRequest(join=join(interview_id, last_seq=last_seq))


def audio(data: bytes) -> pb.CandidateMessage:
    return pb.CandidateMessage(audio=pb.CandidateAudio(audio=data))


def typed(text: str) -> pb.CandidateMessage:
    return pb.CandidateMessage(typed=pb.TypedAnswer(text=text))


async def until(
    call: grpc.aio.StreamStreamCall[pb.ConverseRequest, pb.ConverseResponse],
    fits: Callable[[pb.InterviewEvent], bool],
) -> list[pb.InterviewEvent]:
    seen: list[pb.InterviewEvent] = []
    async with asyncio.timeout(PATIENCE):
        while not seen or not fits(seen[-1]):
            response = await call.read()
            assert isinstance(response, pb.ConverseResponse)
            seen.append(response.event)
    return seen


async def refused(
    call: grpc.aio.StreamStreamCall[pb.ConverseRequest, pb.ConverseResponse],
) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        async with asyncio.timeout(PATIENCE):
            while isinstance(await call.read(), pb.ConverseResponse):
                pass
    return error.value


def fields(error: grpc.aio.AioRpcError) -> list[str]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None
    request = error_details_pb2.BadRequest()
    for detail in status.details:
        if detail.Is(request.DESCRIPTOR):
            detail.Unpack(request)
    return [violation.field for violation in request.field_violations]


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

    settings = ServerSettings(drain_seconds=0, grace_seconds=1)
    async with (
        serving(settings, "interview", build) as running,
        open_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield Wire(channel, recogniser)


async def test_defaults_are_filled_in(wire: Wire) -> None:
    made = await wire.create()
    assert made.state == pb.INTERVIEW_STATE_READY
    assert (made.settings.rounds, made.settings.follow_ups, made.settings.language) == (3, 1, "en")


async def test_an_interview_of_typed_answers_runs_over_listen_and_speak(wire: Wire) -> None:
    made = await wire.create(rounds=1, follow_ups=0)
    listening = wire.interviews.Listen(
        pb.ListenRequest(join=join(made.id, typed=True)), **outgoing(PATIENCE, user="ann")
    )
    call = 0
    async for response in listening:
        ended = response.event.utterance_ended
        if ended.turn.question_id:
            call = 1
            request = pb.SpeakRequest(
                interview_id=made.id, call=call, messages=[typed("I build reliable services.")]
            )
            for _ in range(2):
                await wire.interviews.Speak(request, **outgoing(PATIENCE, user="ann"))
        if response.event.HasField("report_ready"):
            break
    listening.cancel()
    got = await wire.interviews.GetInterview(
        pb.GetInterviewRequest(interview_id=made.id), **outgoing(PATIENCE, user="ann")
    )
    spoken = [t for t in got.interview.turns if t.speaker == report_pb2.SPEAKER_CANDIDATE]
    assert call == 1
    assert len(spoken) == 1
    assert got.interview.state == pb.INTERVIEW_STATE_COMPLETED
    report = await wire.interviews.GetReport(
        pb.GetReportRequest(interview_id=made.id), **outgoing(PATIENCE, user="ann")
    )
    assert report.report.HasField("overall_score")


async def test_speech_reaches_the_recogniser_at_its_rate(wire: Wire) -> None:
    made = await wire.create()
    async with wire.converse(joining(made.id)) as call:
        await until(call, lambda e: e.HasField("utterance_started"))
        for _ in range(10):
            await call.write(pb.ConverseRequest(candidate=audio(bytes(48_000 * 4 // 50))))
        async with asyncio.timeout(PATIENCE):
            stream = await wire.recogniser.opened.get()
            heard = await stream.sent.get()
        assert len(heard) % 2 == 0
        assert len(heard) <= 16_000 * 2 // 50 * 10


async def test_another_users_interview_does_not_exist(wire: Wire) -> None:
    made = await wire.create(user="ann")
    bob = outgoing(PATIENCE, user="bob")
    name = made.id
    calls = [
        wire.interviews.GetInterview(pb.GetInterviewRequest(interview_id=name), **bob),
        wire.interviews.PauseInterview(pb.PauseInterviewRequest(interview_id=name), **bob),
        wire.interviews.ResumeInterview(pb.ResumeInterviewRequest(interview_id=name), **bob),
        wire.interviews.EndInterview(pb.EndInterviewRequest(interview_id=name), **bob),
        wire.interviews.GetReport(pb.GetReportRequest(interview_id=name), **bob),
        wire.interviews.Speak(
            pb.SpeakRequest(interview_id=name, call=1, messages=[typed("hello")]), **bob
        ),
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call  # type: ignore[misc]
        assert error.value.code() == grpc.StatusCode.NOT_FOUND
    async with wire.converse(joining(name), user="bob") as conversation:
        assert (await refused(conversation)).code() == grpc.StatusCode.NOT_FOUND
    listed = await wire.interviews.ListInterviews(pb.ListInterviewsRequest(), **bob)
    assert not listed.interviews


async def test_interviews_are_listed_newest_first_page_by_page(wire: Wire) -> None:
    made = [(await wire.create()).id for _ in range(5)]
    seen: list[str] = []
    token: str | None = None
    while token != "":
        page = await wire.interviews.ListInterviews(
            pb.ListInterviewsRequest(page_size=2, page_token=token),
            **outgoing(PATIENCE, user="ann"),
        )
        seen += [interview.id for interview in page.interviews]
        token = page.next_page_token
    assert seen == made[::-1]


async def test_the_first_message_must_be_a_join(wire: Wire) -> None:
    async with wire.converse(pb.ConverseRequest(candidate=typed("hello"))) as call:
        error = await refused(call)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == ["join"]


async def test_a_stream_without_a_message_is_refused(wire: Wire) -> None:
    async with wire.converse() as call:
        await call.done_writing()
        assert fields(await refused(call)) == ["join"]


async def test_a_second_join_is_refused(wire: Wire) -> None:
    made = await wire.create()
    async with wire.converse(joining(made.id), joining(made.id)) as call:
        error = await refused(call)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == ["join"]


async def test_half_a_frame_is_refused_by_name(wire: Wire) -> None:
    made = await wire.create()
    message = pb.ConverseRequest(candidate=audio(b"\0" * 5))
    async with wire.converse(joining(made.id), message) as call:
        error = await refused(call)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == ["candidate.audio.audio"]


async def test_audio_from_a_client_that_promised_none_is_refused(wire: Wire) -> None:
    made = await wire.create()
    first = pb.ConverseRequest(join=join(made.id, typed=True))
    message = pb.ConverseRequest(candidate=audio(b"\0" * 4))
    async with wire.converse(first, message) as call:
        assert (await refused(call)).code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_an_empty_candidate_message_is_refused(wire: Wire) -> None:
    made = await wire.create()
    message = pb.ConverseRequest(candidate=pb.CandidateMessage())
    async with wire.converse(joining(made.id), message) as call:
        assert (await refused(call)).code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"language": "fr"}, "settings.language"),
        ({"language": "not a language"}, "settings.language"),
        ({"rounds": 11}, "settings.rounds"),
        ({"question_ids": ["tech-data-index", "nowhere"]}, "settings.question_ids[1]"),
        ({"job_title": "x" * 201}, "settings.job_title"),
        ({"categories": [9]}, "settings.categories[0]"),
    ],
)
async def test_bad_settings_are_named(wire: Wire, settings: dict[str, Any], field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.create(**settings)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error.value) == [field]


async def test_odd_text_is_taken_as_it_is(wire: Wire) -> None:
    made = await wire.create(job_title="🎉 \x07 工程师 engineer", topics=["数据库", "\x00"])
    assert made.settings.job_title == "🎉 \x07 工程师 engineer"


async def test_a_second_client_takes_over(wire: Wire) -> None:
    made = await wire.create()
    async with wire.converse(joining(made.id)) as first:
        seen = await until(first, lambda e: e.HasField("utterance_started"))
        async with wire.converse(joining(made.id, last_seq=seen[-1].seq)) as second:
            assert (await refused(first)).code() == grpc.StatusCode.ABORTED
            more = await until(second, lambda e: e.HasField("audio"))
            assert more[0].seq == seen[-1].seq + 1


async def test_a_vanished_client_comes_back_to_the_same_conversation(wire: Wire) -> None:
    made = await wire.create()
    async with wire.converse(joining(made.id)) as first:
        seen = await until(first, lambda e: e.HasField("audio"))
    async with wire.converse(joining(made.id, last_seq=2)) as second:
        again = await until(second, lambda e: e.seq >= seen[-1].seq)
        assert again[0].seq == 3
        assert [e.SerializeToString() for e in again[: len(seen) - 2]] == [
            e.SerializeToString() for e in seen[2:]
        ]


def ours(task: asyncio.Task[object]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "services/interview" in code.co_filename


async def test_clients_that_vanish_leave_no_task_behind(wire: Wire) -> None:
    made = await wire.create()
    ann = outgoing(4 * PATIENCE, user="ann")
    for _ in range(30):
        async with wire.converse(joining(made.id)) as call:
            await until(call, lambda e: e.HasField("utterance_started"))
    await wire.interviews.EndInterview(pb.EndInterviewRequest(interview_id=made.id), **ann)
    async with asyncio.timeout(PATIENCE):
        while left := [task for task in asyncio.all_tasks() if ours(task)]:
            await asyncio.wait(left)


async def test_an_event_of_the_future_is_refused(wire: Wire) -> None:
    made = await wire.create()
    async with wire.converse(joining(made.id, last_seq=7)) as call:
        assert fields(await refused(call)) == ["join.last_seq"]


async def test_more_conversations_than_the_server_takes_are_refused(wire: Wire) -> None:
    made = [await wire.create() for _ in range(3)]
    async with (
        wire.converse(joining(made[0].id)) as one,
        wire.converse(joining(made[1].id)) as two,
    ):
        await until(one, lambda e: e.HasField("audio"))
        await until(two, lambda e: e.HasField("audio"))
        async with wire.converse(joining(made[2].id)) as three:
            error = await refused(three)
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        assert status is not None
        assert any(d.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for d in status.details)
        end = pb.EndInterviewRequest(interview_id=made[0].id)
        await wire.interviews.EndInterview(end, **outgoing(PATIENCE, user="ann"))
        await until(one, lambda e: e.state_changed.state == pb.INTERVIEW_STATE_CANCELLED)
        async with wire.converse(joining(made[2].id)) as three:
            await until(three, lambda e: e.HasField("audio"))


async def test_what_the_state_does_not_allow_is_refused(wire: Wire) -> None:
    made = await wire.create()
    name, ann = made.id, outgoing(PATIENCE, user="ann")
    calls = [
        wire.interviews.PauseInterview(pb.PauseInterviewRequest(interview_id=name), **ann),
        wire.interviews.GetReport(pb.GetReportRequest(interview_id=name), **ann),
        wire.interviews.Speak(
            pb.SpeakRequest(interview_id=name, call=1, messages=[typed("hello")]), **ann
        ),
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call  # type: ignore[misc]
        assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    request = pb.EndInterviewRequest(interview_id=name)
    ended = await wire.interviews.EndInterview(request, **ann)
    assert ended.interview.state == pb.INTERVIEW_STATE_CANCELLED
    async with wire.converse(joining(name)) as conversation:
        assert (await refused(conversation)).code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_a_bad_page_token_is_named(wire: Wire) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.ListInterviews(
            pb.ListInterviewsRequest(page_token="é"), **outgoing(PATIENCE, user="ann")
        )
    assert fields(error.value) == ["page_token"]


async def test_pause_and_resume_answer_with_the_interview(wire: Wire) -> None:
    made = await wire.create()
    ann = outgoing(PATIENCE, user="ann")
    async with wire.converse(joining(made.id)) as call:
        await until(call, lambda e: e.HasField("audio"))
        request = pb.PauseInterviewRequest(interview_id=made.id)
        paused = await wire.interviews.PauseInterview(request, **ann)
        assert paused.interview.state == pb.INTERVIEW_STATE_PAUSED
        resumed = await wire.interviews.ResumeInterview(
            pb.ResumeInterviewRequest(interview_id=made.id), **ann
        )
        assert resumed.interview.state == pb.INTERVIEW_STATE_LIVE


async def test_questions_are_searched_and_read(wire: Wire) -> None:
    request = question_pb2.SearchQuestionsRequest(
        query="deadlock", category=report_pb2.QUESTION_CATEGORY_TECHNICAL, limit=3
    )
    found = await wire.questions.SearchQuestions(request, **outgoing(PATIENCE))
    assert found.results[0].question.id == "tech-prog-deadlock"
    assert len(found.results) == 3
    tagged = await wire.questions.SearchQuestions(
        question_pb2.SearchQuestionsRequest(tags=["kubernetes", "operations"]),
        **outgoing(PATIENCE),
    )
    assert [r.question.id for r in tagged.results] == ["tech-sys-kubernetes-probes"]
    one = await wire.questions.GetQuestion(
        question_pb2.GetQuestionRequest(question_id="tech-data-index"), **outgoing(PATIENCE)
    )
    assert one.question.key_points
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.questions.GetQuestion(
            question_pb2.GetQuestionRequest(question_id="nowhere"), **outgoing(PATIENCE)
        )
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
