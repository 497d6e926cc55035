"""Creation under a key, failure, deletion, pages and resume tokens: over the wire."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import interview_pb2, turn_pb2
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview import creation
from services.interview.tokens import resume_token
from services.runtime.channel import outgoing
from services.runtime.stats import seconds
from tests.interview.calls import Wire, audio, heard, join, joining, refused, typed, until
from tests.interview.stage import PATIENCE
from tests.refusals import fields, reason

ANN = {"user": "ann"}
Code = grpc.StatusCode


def asked(event: cpb.InterviewEvent) -> bool:
    return event.utterance_ended.turn.HasField("question_id")


async def answer_all(wire: Wire, interview_id: str, rounds: int) -> list[cpb.InterviewEvent]:
    """Holds a typed interview to its report."""
    seen: list[cpb.InterviewEvent] = []
    async with wire.converse(pb.ConverseRequest(join=join(interview_id, typed=True))) as call:
        for number in range(rounds):
            seen += await until(call, asked)
            text = typed(f"Answer {number}: I add an index to the database.")
            await call.write(pb.ConverseRequest(candidate=text))
        return seen + await until(call, lambda e: e.HasField("report_ready"))


async def deleted(wire: Wire, interview_id: str, user: str = "ann") -> None:
    request = pb.DeleteInterviewRequest(interview_id=interview_id)
    await wire.interviews.DeleteInterview(request, **outgoing(PATIENCE, user=user))


# Optional fields, pages.


async def test_what_there_is_none_of_is_absent(wire: Wire) -> None:
    made = await wire.create()
    for name in ("round", "overall_score", "failure"):
        assert not made.HasField(name)
    assert not made.settings.HasField("job_title")
    assert (made.settings.persona, made.turn_count) == ("professional-man", 0)
    assert made.settings.patience == interview_pb2.PATIENCE_NORMAL
    async with wire.converse(joining(made.id)) as call:
        seen = await until(call, lambda e: e.HasField("utterance_started"))
        assert not seen[0].state_changed.HasField("round")
    assert [event.at.ToNanoseconds() >= 0 for event in seen]


async def test_a_finished_interview_is_listed_with_its_score_and_its_turns_by_pages(
    wire: Wire,
) -> None:
    made = await wire.create(rounds=2, follow_ups=0)
    await answer_all(wire, made.id, rounds=2)
    got = await wire.get(made.id)
    assert got.HasField("overall_score")
    assert got.round == 2
    listed = await wire.interviews.ListInterviews(
        pb.ListInterviewsRequest(), **outgoing(PATIENCE, **ANN)
    )
    assert listed.interviews[0] == got
    turns = await wire.turns(made.id)
    assert got.turn_count == len(turns) == 6
    for size in (1, 4, 6, 200):
        assert await wire.turns(made.id, page_size=size) == turns
    rounds = [turn.round if turn.HasField("round") else None for turn in turns]
    assert rounds == [None, 1, 1, 2, 2, None]
    assert [turn.HasField("question_id") for turn in turns] == [r is not None for r in rounds]
    words = [word for turn in turns for word in turn.words]
    assert not [word for word in words if word.HasField("confidence")]


async def test_pages_stay_right_while_interviews_come_and_go(wire: Wire) -> None:
    made = [(await wire.create()).id for _ in range(5)]
    first = await wire.interviews.ListInterviews(
        pb.ListInterviewsRequest(page_size=2), **outgoing(PATIENCE, **ANN)
    )
    await deleted(wire, first.interviews[-1].id)
    await wire.create()
    second = await wire.interviews.ListInterviews(
        pb.ListInterviewsRequest(page_size=5, page_token=first.next_page_token),
        **outgoing(PATIENCE, **ANN),
    )
    assert [interview.id for interview in second.interviews] == made[2::-1]
    assert second.next_page_token == ""


async def test_a_page_token_of_another_user_or_list_is_refused(wire: Wire) -> None:
    made = [await wire.create() for _ in range(2)]
    page = await wire.interviews.ListInterviews(
        pb.ListInterviewsRequest(page_size=1), **outgoing(PATIENCE, **ANN)
    )
    token = page.next_page_token
    bob = pb.ListInterviewsRequest(page_token=token)
    turns = pb.ListTurnsRequest(interview_id=made[0].id, page_token=token)
    for call in (
        wire.interviews.ListInterviews(bob, **outgoing(PATIENCE, user="bob")),
        wire.interviews.ListTurns(turns, **outgoing(PATIENCE, **ANN)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call
        assert fields(error.value) == ["page_token"]
        assert reason(error.value) == "PAGE_TOKEN_INVALID"


# Resume tokens.


async def test_every_event_tells_how_to_join_again_behind_it(wire: Wire) -> None:
    made = await wire.create()
    async with wire.converse(joining(made.id)) as call:
        seen = await until(call, lambda e: e.HasField("audio"))
    assert len({event.resume_token for event in seen}) == len(seen)
    for event in seen[:-1]:
        async with wire.converse(joining(made.id, resume_token=event.resume_token)) as call:
            following = await until(call, lambda e: not e.HasField("audio_received"))
            assert [e.seq for e in following] == [event.seq, event.seq + 1]


async def test_a_resume_token_of_no_use_is_refused(wire: Wire) -> None:
    made, other = await wire.create(), await wire.create()
    async with wire.converse(joining(other.id)) as call:
        foreign = (await until(call, lambda _: True))[0].resume_token
    async with wire.converse(joining(made.id)) as call:
        await until(call, lambda _: True)
    for token, code, why in (
        (foreign, Code.INVALID_ARGUMENT, "RESUME_TOKEN_INVALID"),
        ("garbled", Code.INVALID_ARGUMENT, "RESUME_TOKEN_INVALID"),
        (resume_token(made.id, b"restart!", 1), Code.FAILED_PRECONDITION, "RESUME_TOKEN_STALE"),
    ):
        async with wire.converse(joining(made.id, resume_token=token)) as call:
            error = await refused(call)
        assert (error.code(), reason(error)) == (code, why)


# Keys.


async def test_a_key_creates_one_interview_however_often_it_is_sent(wire: Wire) -> None:
    first = await wire.create(key="k", rounds=2)
    again = await asyncio.gather(*(wire.create(key="k", rounds=2) for _ in range(5)))
    assert {interview.id for interview in again} == {first.id}
    assert (await wire.create(key="other", rounds=2)).id != first.id
    assert (await wire.create(user="bob", key="k", rounds=2)).id != first.id


async def test_creations_at_the_same_time_under_one_key_are_one(wire: Wire) -> None:
    made = await asyncio.gather(*(wire.create(key="k") for _ in range(10)))
    assert len({interview.id for interview in made}) == 1
    listed = await wire.interviews.ListInterviews(
        pb.ListInterviewsRequest(), **outgoing(PATIENCE, **ANN)
    )
    assert len(listed.interviews) == 1


async def test_a_key_with_other_settings_is_refused(wire: Wire) -> None:
    made = await wire.create(key="k", rounds=2)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.create(key="k", rounds=3)
    assert error.value.code() == Code.INVALID_ARGUMENT
    assert fields(error.value) == ["idempotency_key"]
    assert reason(error.value) == "IDEMPOTENCY_KEY_REUSED"
    # A creation that was refused has not used its key up.
    with suppress(grpc.aio.AioRpcError):
        await wire.create(key="new", language="fr")
    assert (await wire.create(key="new")).id != made.id


async def test_a_key_is_good_for_a_day(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await wire.create(key="k")
    monkeypatch.setattr(creation, "KEY_LIFE", creation.KEY_LIFE * 0)
    assert (await wire.create(key="k", rounds=5)).id != first.id


# Failure.


async def test_a_conversation_that_breaks_down_has_failed_and_keeps_its_turns(wire: Wire) -> None:
    made = await wire.create(rounds=2, follow_ups=0)
    async with wire.converse(pb.ConverseRequest(join=join(made.id, typed=True))) as call:
        await until(call, asked)
        await call.write(pb.ConverseRequest(candidate=typed("I add an index.")))
        await until(call, asked)
        wire.recogniser.crash = True
        async with wire.converse(joining(made.id)) as speaking:
            await speaking.write(pb.ConverseRequest(candidate=audio(bytes(4 * 4800))))
            seen = await until(
                speaking,
                lambda e: e.state_changed.state == interview_pb2.INTERVIEW_STATE_FAILED,
            )
            assert not isinstance(await speaking.read(), pb.ConverseResponse)
    assert seen[-1].state_changed.state == interview_pb2.INTERVIEW_STATE_FAILED
    got = await wire.get(made.id)
    assert got.state == interview_pb2.INTERVIEW_STATE_FAILED
    assert got.failure.code == Code.INTERNAL.value[0]
    assert got.failure.message
    assert got.failure.details[0].Is(error_details_pb2.ErrorInfo.DESCRIPTOR)
    assert got.HasField("end_time")
    said = [t.text for t in await wire.turns(made.id) if t.speaker == turn_pb2.SPEAKER_CANDIDATE]
    assert said == ["I add an index."]
    request = pb.GetReportRequest(interview_id=made.id)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.GetReport(request, **outgoing(PATIENCE, **ANN))
    assert reason(error.value) == "NO_REPORT"
    # The others live on.
    wire.recogniser.crash = False
    other = await wire.create(rounds=1, follow_ups=0)
    await answer_all(wire, other.id, rounds=1)


# Deletion.


async def test_a_deleted_interview_does_not_exist_and_deleting_again_is_answered(
    wire: Wire,
) -> None:
    made = await wire.create(key="k", rounds=1, follow_ups=0)
    await answer_all(wire, made.id, rounds=1)
    await deleted(wire, made.id)
    await deleted(wire, made.id)
    ann = outgoing(PATIENCE, **ANN)
    recording = wire.interviews.ReadRecording(
        pb.ReadRecordingRequest(interview_id=made.id, speaker=turn_pb2.SPEAKER_CANDIDATE), **ann
    )
    for call in (
        wire.get(made.id),
        wire.turns(made.id),
        wire.interviews.GetReport(pb.GetReportRequest(interview_id=made.id), **ann),
        recording.read(),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call
        assert error.value.code() == Code.NOT_FOUND
    async with wire.converse(joining(made.id)) as conversation:
        assert (await refused(conversation)).code() == Code.NOT_FOUND
    assert (await wire.create(key="k")).id != made.id


async def test_only_the_owner_deletes(wire: Wire) -> None:
    made = await wire.create()
    for name, user in ((made.id, "bob"), ("nowhere", "ann")):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await deleted(wire, name, user)
        assert error.value.code() == Code.NOT_FOUND
    assert (await wire.get(made.id)).id == made.id


async def test_a_live_interview_is_ended_without_a_report_and_deleted(wire: Wire) -> None:
    made = await wire.create(follow_ups=0)
    async with wire.converse(joining(made.id)) as call:
        await until(call, lambda e: e.HasField("audio"))
        await call.write(pb.ConverseRequest(candidate=audio(bytes(4 * 48_000))))
        await call.write(pb.ConverseRequest(candidate=typed("An answer")))
        await until(call, lambda e: e.HasField("candidate_turn"))
        await deleted(wire, made.id)
        seen: list[Message] = []
        async with asyncio.timeout(PATIENCE):
            while isinstance(response := await call.read(), pb.ConverseResponse):
                seen.append(response)
                assert not response.event.HasField("report_ready")
        last = seen[-1]
        assert isinstance(last, pb.ConverseResponse)
        assert last.event.state_changed.state == interview_pb2.INTERVIEW_STATE_CANCELLED
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.get(made.id)
    assert error.value.code() == Code.NOT_FOUND


# Recordings.


async def test_both_voices_are_read_back_by_the_interviews_clock(wire: Wire) -> None:
    made = await wire.create(rounds=1, follow_ups=0)
    async with wire.converse(joining(made.id)) as call:
        seen = await until(call, lambda e: e.HasField("utterance_started"))
        started = seen[-1].at
        for _ in range(20):
            await call.write(pb.ConverseRequest(candidate=audio(b"\1\0\1\0" * 4800)))
        await heard(wire, 1.9)
        name = seen[-1].utterance_started.utterance_id
        position = cpb.PlaybackPosition(utterance_id=name, finished=True)
        await call.write(pb.ConverseRequest(candidate=cpb.CandidateMessage(playback=position)))
        await until(call, lambda e: e.utterance_ended.utterance_id == name)

        async def recording(
            speaker: turn_pb2.Speaker.ValueType, **span: object
        ) -> list[pb.ReadRecordingResponse]:
            request = pb.ReadRecordingRequest(interview_id=made.id, speaker=speaker, **span)  # type: ignore[arg-type]
            call = wire.interviews.ReadRecording(request, **outgoing(PATIENCE, **ANN))
            return [piece async for piece in call]

        candidate = await recording(turn_pb2.SPEAKER_CANDIDATE)
        assert candidate[0].format.sample_rate_hz == 16_000
        assert not any(piece.HasField("format") for piece in candidate[1:])
        length = sum(len(piece.audio) for piece in candidate) / 32_000
        assert length == pytest.approx(2.0, abs=0.05)
        interviewer = await recording(turn_pb2.SPEAKER_INTERVIEWER)
        assert abs(seconds(interviewer[0].start) - seconds(started)) < 0.5
        end = candidate[1].start
        part = await recording(turn_pb2.SPEAKER_CANDIDATE, start=candidate[0].start, end=end)
        assert part == candidate[:1]
    files = list(wire.data_dir.glob("recordings/*"))
    assert len(files) == 2
    await deleted(wire, made.id)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"speaker": 0}, "speaker"),
        ({"speaker": 7}, "speaker"),
        ({"speaker": 1, "start": {"seconds": -1}}, "start"),
        ({"speaker": 1, "start": {"seconds": 5}, "end": {"seconds": 4}}, ""),
    ],
)
async def test_a_bad_span_is_refused(wire: Wire, wrong: dict[str, object], field: str) -> None:
    made = await wire.create()
    request = pb.ReadRecordingRequest(interview_id=made.id, **wrong)  # type: ignore[arg-type]
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.ReadRecording(request, **outgoing(PATIENCE, **ANN)).read()
    assert error.value.code() == Code.INVALID_ARGUMENT
    assert fields(error.value) == [field]


async def test_of_what_was_never_said_there_is_no_recording(wire: Wire) -> None:
    made = await wire.create()
    request = pb.ReadRecordingRequest(interview_id=made.id, speaker=turn_pb2.SPEAKER_CANDIDATE)
    call = wire.interviews.ReadRecording(request, **outgoing(PATIENCE, **ANN))
    assert [piece async for piece in call] == []
