"""The service on the wire: who may do what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import grpc
import pytest
from google.rpc import error_details_pb2
from viva.interview.v1 import interview_pb2, question_pb2, question_service_pb2, turn_pb2
from viva.interview.v1 import interview_service_pb2 as pb
from viva.serving.v1 import serving_pb2

from services.interview.clients.seams import SpeechPiece, VoiceConfig
from services.runtime.channel import outgoing
from tests.interview.calls import Wire, audio, heard, join, joining, refused, typed, until
from tests.interview.stage import PATIENCE
from tests.refusals import details, status_of


async def test_defaults_are_filled_in(wire: Wire) -> None:
    made = await wire.create()
    assert made.state == interview_pb2.INTERVIEW_STATE_READY
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
    turns = await wire.turns(made.id)
    spoken = [t for t in turns if t.speaker == turn_pb2.SPEAKER_CANDIDATE]
    assert call == 1
    assert len(spoken) == 1
    assert got.interview.state == interview_pb2.INTERVIEW_STATE_COMPLETED
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


async def test_telephone_audio_is_taken(wire: Wire) -> None:
    made = await wire.create()
    first = joining(made.id)
    first.join.input.encoding = serving_pb2.AUDIO_ENCODING_MULAW
    first.join.input.sample_rate_hz, first.join.input.channels = 8_000, 1
    async with wire.converse(first) as call:
        await until(call, lambda e: e.HasField("utterance_started"))
        for number in range(50):
            await call.write(pb.ConverseRequest(candidate=audio(b"\xff" * 160, number / 50)))
        assert await heard(wire, 0.9) == pytest.approx(1.0, abs=0.1)


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


async def test_a_second_client_takes_over(wire: Wire) -> None:
    made = await wire.create()
    async with wire.converse(joining(made.id)) as first:
        seen = await until(first, lambda e: e.HasField("utterance_started"))
        async with wire.converse(joining(made.id, resume_token=seen[-1].resume_token)) as second:
            assert (await refused(first)).code() == grpc.StatusCode.ABORTED
            more = await until(second, lambda e: e.HasField("audio"))
            assert [e.seq for e in more[:2]] == [seen[-1].seq, seen[-1].seq + 1]


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
        assert details(status_of(error), error_details_pb2.RetryInfo)
        end = pb.EndInterviewRequest(interview_id=made[0].id)
        await wire.interviews.EndInterview(end, **outgoing(PATIENCE, user="ann"))
        await until(one, lambda e: e.state_changed.state == interview_pb2.INTERVIEW_STATE_CANCELLED)
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
    assert ended.interview.state == interview_pb2.INTERVIEW_STATE_CANCELLED
    async with wire.converse(joining(name)) as conversation:
        assert (await refused(conversation)).code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_pause_and_resume_answer_with_the_interview(wire: Wire) -> None:
    made = await wire.create()
    ann = outgoing(PATIENCE, user="ann")
    async with wire.converse(joining(made.id)) as call:
        await until(call, lambda e: e.HasField("audio"))
        request = pb.PauseInterviewRequest(interview_id=made.id)
        paused = await wire.interviews.PauseInterview(request, **ann)
        assert paused.interview.state == interview_pb2.INTERVIEW_STATE_PAUSED
        resumed = await wire.interviews.ResumeInterview(
            pb.ResumeInterviewRequest(interview_id=made.id), **ann
        )
        assert resumed.interview.state == interview_pb2.INTERVIEW_STATE_LIVE


async def test_questions_are_searched_and_read(wire: Wire) -> None:
    request = question_service_pb2.SearchQuestionsRequest(
        query="deadlock", category=question_pb2.QUESTION_CATEGORY_TECHNICAL, page_size=3
    )
    found = await wire.questions.SearchQuestions(request, **outgoing(PATIENCE))
    assert found.results[0].question.id == "tech-prog-deadlock"
    assert len(found.results) == 3
    tagged = await wire.questions.SearchQuestions(
        question_service_pb2.SearchQuestionsRequest(tags=["kubernetes", "operations"]),
        **outgoing(PATIENCE),
    )
    assert [r.question.id for r in tagged.results] == ["tech-sys-kubernetes-probes"]
    one = await wire.questions.GetQuestion(
        question_service_pb2.GetQuestionRequest(question_id="tech-data-index"), **outgoing(PATIENCE)
    )
    assert one.question.key_points
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.questions.GetQuestion(
            question_service_pb2.GetQuestionRequest(question_id="nowhere"), **outgoing(PATIENCE)
        )
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


async def test_what_a_conversation_calls_belongs_to_the_trace_of_the_client_that_began_it(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    calls: list[dict[str, str]] = []
    speak = wire.synthesiser.speak

    def noted(text: str, config: VoiceConfig) -> AsyncGenerator[SpeechPiece, None]:
        calls.append(dict(outgoing(PATIENCE)["metadata"]))
        return speak(text, config)

    monkeypatch.setattr(wire.synthesiser, "speak", noted)
    made = await wire.create()
    client = {
        "x-viva-user": "ann",
        "x-request-id": "of the client",
        "traceparent": f"00-{trace}-b7ad6b7169203331-01",
    }
    call = wire.interviews.Converse(None, timeout=PATIENCE, metadata=tuple(client.items()))
    await call.write(joining(made.id))
    await until(call, lambda e: e.HasField("utterance_started"))
    call.cancel()
    assert calls
    assert {sent["traceparent"].split("-")[1] for sent in calls} == {trace}
    # The trace and nothing else: the conversation outlives the call.
    assert client["x-request-id"] not in {sent["x-request-id"] for sent in calls}
