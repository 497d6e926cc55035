"""Bad input on the wire: each refusal names the field, and nothing else suffers."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import interview_service_pb2 as pb
from viva.serving.v1 import serving_pb2

from services.runtime.channel import outgoing
from services.runtime.stats import duration
from tests.interview.calls import Wire, audio, heard, join, joining, refused, typed, until
from tests.interview.stage import PATIENCE
from tests.refusals import fields


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
    assert fields(error) == ["candidate.audio.chunk.audio"]


async def test_audio_from_a_client_that_promised_none_is_refused(wire: Wire) -> None:
    made = await wire.create()
    first = pb.ConverseRequest(join=join(made.id, typed=True))
    message = pb.ConverseRequest(candidate=audio(b"\0" * 4))
    async with wire.converse(first, message) as call:
        assert (await refused(call)).code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_an_empty_candidate_message_is_refused(wire: Wire) -> None:
    made = await wire.create()
    message = pb.ConverseRequest(candidate=cpb.CandidateMessage())
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
        ({"voice": "nobody"}, "settings.voice"),
    ],
)
async def test_bad_settings_are_named(wire: Wire, settings: dict[str, Any], field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.create(**settings)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error.value) == [field]


async def test_odd_text_is_taken_as_it_is(wire: Wire) -> None:
    made = await wire.create(job_title="🎉 工程师 engineer", topics=["数据库", "🎉 C++"])
    assert made.settings.job_title == "🎉 工程师 engineer"


async def test_a_bad_page_token_is_named(wire: Wire) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.ListInterviews(
            pb.ListInterviewsRequest(page_token="é"), **outgoing(PATIENCE, user="ann")
        )
    assert fields(error.value) == ["page_token"]


async def test_an_unknown_interview_is_not_found(wire: Wire) -> None:
    ann = outgoing(PATIENCE, user="ann")
    async with wire.converse(joining("nowhere")) as call:
        assert (await refused(call)).code() == grpc.StatusCode.NOT_FOUND
    listening = wire.interviews.Listen(pb.ListenRequest(join=join("nowhere")), **ann)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await listening.read()
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    assert "nowhere" in (error.value.details() or "")


@pytest.mark.parametrize(
    ("shape", "field"),
    [
        ({"encoding": "AUDIO_ENCODING_PCM_S16LE"}, "join.input"),
        ({"encoding": "AUDIO_ENCODING_WAV", "sample_rate_hz": 16_000}, "join.input"),
        ({"sample_rate_hz": 4_000}, "join.input.sample_rate_hz"),
        ({"sample_rate_hz": 96_000}, "join.input.sample_rate_hz"),
        ({"sample_rate_hz": 16_000, "channels": 9}, "join.input.channels"),
    ],
)
async def test_a_shape_of_audio_that_cannot_be_heard_is_named(
    wire: Wire, shape: dict[str, Any], field: str
) -> None:
    made = await wire.create()
    first = joining(made.id)
    first.join.input.CopyFrom(serving_pb2.AudioFormat(**shape))
    async with wire.converse(first) as call:
        error = await refused(call)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == [field]


async def test_a_sample_rate_lied_about_is_named(wire: Wire) -> None:
    """Six times as much audio as time passes: 8 kHz said, 48 kHz sent."""
    made = await wire.create()
    first = joining(made.id)
    first.join.input.CopyFrom(serving_pb2.AudioFormat(sample_rate_hz=8_000))
    async with wire.converse(first) as call:
        await until(call, lambda e: e.HasField("utterance_started"))
        second_of_audio = pb.ConverseRequest(candidate=audio(bytes(2 * 48_000)))
        for _ in range(3):
            await call.write(second_of_audio)
        error = await refused(call)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == ["join.input.sample_rate_hz"]


async def test_audio_recorded_while_the_client_was_away_is_taken(wire: Wire) -> None:
    made = await wire.create()
    async with wire.converse(joining(made.id)) as call:
        seen = await until(call, lambda e: e.HasField("utterance_started"))
    async with wire.converse(joining(made.id, resume_token=seen[-1].resume_token)) as call:
        for _ in range(4):
            await call.write(pb.ConverseRequest(candidate=audio(bytes(4 * 48_000))))
        await until(call, lambda e: e.HasField("audio"))
        async with asyncio.timeout(PATIENCE):
            stream = await wire.recogniser.opened.get()
            await stream.sent.get()


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (audio(b""), "candidate.audio.chunk.audio"),
        (audio(bytes(1_048_580)), "candidate.audio.chunk.audio"),
        (audio(bytes(4), offset=-1), "candidate.audio.chunk.offset"),
        (audio(bytes(4), offset=3600), "candidate.audio.chunk.offset"),
        (cpb.CandidateMessage(audio=cpb.CandidateAudio()), "candidate.audio.chunk"),
        (
            cpb.CandidateMessage(hold_turn=cpb.HoldTurn(limit=duration(301))),
            "candidate.hold_turn.limit",
        ),
        (
            cpb.CandidateMessage(set_patience=cpb.SetPatience()),
            "candidate.set_patience.patience",
        ),
        (
            cpb.CandidateMessage(
                playback=cpb.PlaybackPosition(utterance_id="u", client_time=duration(-1))
            ),
            "candidate.playback.client_time",
        ),
        (typed(""), "candidate.typed.text"),
        (typed("x" * 100_000), "candidate.typed.text"),
        (typed(" \n\u200b"), "candidate.typed.text"),
        (
            cpb.CandidateMessage(playback=cpb.PlaybackPosition(position=duration(1))),
            "candidate.playback.utterance_id",
        ),
        (
            cpb.CandidateMessage(
                playback=cpb.PlaybackPosition(utterance_id="u", position=duration(-1))
            ),
            "candidate.playback.position",
        ),
    ],
    ids=[
        "no audio",
        "too much audio",
        "audio from before",
        "audio from later",
        "no chunk",
        "too long a hold",
        "no patience",
        "a clock before 0",
        "no text",
        "too much text",
        "nothing to be seen",
        "nothing played",
        "before 0",
    ],
)
async def test_a_message_out_of_its_limits_is_named(
    wire: Wire, message: cpb.CandidateMessage, field: str
) -> None:
    made = await wire.create()
    async with wire.converse(joining(made.id), pb.ConverseRequest(candidate=message)) as call:
        error = await refused(call)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == [field]


async def test_a_message_over_the_servers_limit_is_refused_and_the_interview_goes_on(
    wire: Wire,
) -> None:
    made = await wire.create()
    async with wire.converse(
        joining(made.id), pb.ConverseRequest(candidate=audio(bytes(9 * 2**20)))
    ) as call:
        assert (await refused(call)).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    async with wire.converse(joining(made.id)) as call:
        await until(call, lambda e: e.HasField("audio"))


async def test_odd_typed_answers_are_kept_as_they_are(wire: Wire) -> None:
    made = await wire.create(rounds=1, follow_ups=0)
    text = "我用 Python \x07🎉 and\ttabs\nand lines [/red]"
    first = pb.ConverseRequest(join=join(made.id, typed=True))
    async with wire.converse(first) as call:
        await until(call, lambda e: bool(e.utterance_ended.turn.question_id))
        await call.write(pb.ConverseRequest(candidate=typed(text)))
        seen = await until(call, lambda e: e.HasField("candidate_turn"))
        assert seen[-1].candidate_turn.turn.text == text
        await until(call, lambda e: e.HasField("report_ready"))


async def test_a_deadline_already_past_is_told(wire: Wire) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.CreateInterview(
            pb.CreateInterviewRequest(), **outgoing(-1.0, user="ann")
        )
    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_refused_run_of_messages_has_no_effect_and_may_come_again(wire: Wire) -> None:
    made = await wire.create(rounds=1, follow_ups=0)
    ann = outgoing(2 * PATIENCE, user="ann")
    listening = wire.interviews.Listen(pb.ListenRequest(join=join(made.id)), **ann)
    async with asyncio.timeout(PATIENCE):
        await listening.read()

    def speak(*messages: cpb.CandidateMessage) -> pb.SpeakRequest:
        return pb.SpeakRequest(interview_id=made.id, call=1, messages=messages)

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.Speak(speak(typed("Half an answer"), audio(bytes(5))), **ann)
    assert fields(error.value) == ["messages[1].audio.chunk.audio"]
    await wire.interviews.Speak(speak(typed("A whole answer.")), **ann)
    seen = await until(listening, lambda e: e.HasField("candidate_turn"))
    listening.cancel()
    assert seen[-1].candidate_turn.turn.text == "A whole answer."


async def test_a_run_of_messages_that_is_too_much_together_has_no_effect(wire: Wire) -> None:
    made = await wire.create()
    ann = outgoing(2 * PATIENCE, user="ann")
    listening = wire.interviews.Listen(pb.ListenRequest(join=join(made.id)), **ann)
    async with asyncio.timeout(PATIENCE):
        await listening.read()

    def speak(*lengths: int) -> pb.SpeakRequest:
        messages = [audio(bytes(length * 48_000 * 4)) for length in lengths]
        return pb.SpeakRequest(interview_id=made.id, call=1, messages=messages)

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.Speak(speak(4, 4, 1), **ann)
    assert fields(error.value) == ["join.input.sample_rate_hz"]
    assert wire.recogniser.opened.empty()
    await wire.interviews.Speak(speak(1), **ann)
    assert await heard(wire, 0.95) == pytest.approx(1.0, abs=0.05)
    listening.cancel()


async def test_a_call_that_comes_again_is_answered_though_it_would_be_too_much_now(
    wire: Wire,
) -> None:
    made = await wire.create()
    ann = outgoing(2 * PATIENCE, user="ann")
    listening = wire.interviews.Listen(pb.ListenRequest(join=join(made.id)), **ann)
    await until(listening, lambda e: e.HasField("utterance_started"))
    # Behind it there is no more to come: it is more than can have been spoken.
    words = audio(bytes(4 * 48_000 * 4))
    request = pb.SpeakRequest(interview_id=made.id, call=1, messages=[words, words])
    for _ in range(3):
        assert (await wire.interviews.Speak(request, **ann)).last_seq > 0
    request.call = 2
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.Speak(request, **ann)
    assert fields(error.value) == ["join.input.sample_rate_hz"]
    listening.cancel()


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [({"call": 0}, "call"), ({"messages": []}, "messages"), ({"interview_id": ""}, "interview_id")],
)
async def test_a_bad_speak_is_named(wire: Wire, request_fields: dict[str, Any], field: str) -> None:
    good = {"interview_id": "i", "call": 1, "messages": [typed("hello")]}
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.Speak(
            pb.SpeakRequest(**{**good, **request_fields}), **outgoing(PATIENCE, user="ann")
        )
    assert fields(error.value) == [field]


async def test_what_is_said_after_the_end_is_refused_and_what_was_taken_before_is_not(
    wire: Wire,
) -> None:
    made = await wire.create(rounds=1, follow_ups=0)
    ann = outgoing(2 * PATIENCE, user="ann")

    def speak(call: int) -> pb.SpeakRequest:
        return pb.SpeakRequest(interview_id=made.id, call=call, messages=[typed("In time?")])

    listening = wire.interviews.Listen(pb.ListenRequest(join=join(made.id, typed=True)), **ann)
    async with asyncio.timeout(PATIENCE):
        await listening.read()
        await wire.interviews.Speak(speak(1), **ann)
        await wire.interviews.EndInterview(pb.EndInterviewRequest(interview_id=made.id), **ann)
        while isinstance(await listening.read(), pb.ListenResponse):
            pass
    assert (await wire.interviews.Speak(speak(1), **ann)).last_seq > 0
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.Speak(speak(2), **ann)
    assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "WRONG_STATE" in repr(error.value.trailing_metadata())
