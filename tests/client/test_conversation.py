"""A conversation over connections that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import grpc
import pytest
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import interview_pb2

from services.client import Conversation, InterviewFailed, Viva
from services.runtime.errors import FailedPrecondition, Overloaded, ServiceError, Unavailable
from services.runtime.stats import duration, seconds
from services.runtime.validation import validate
from tests.cli.scripted_interview import (
    Requests,
    ScriptedInterview,
    begins,
    ended,
    reported,
    scripted,
)

CHUNK = bytes(range(1, 251)) * 4
CHUNK_SECONDS = len(CHUNK) / 32_000


class Broken(Exception):
    """What the server's side of a connection dies of."""


async def speak(conversation: Conversation) -> None:
    """A microphone never stops."""
    while True:
        await conversation.speak(CHUNK)
        await asyncio.sleep(CHUNK_SECONDS)


async def until_the_report(conversation: Conversation) -> list[str | None]:
    """The kinds of all events up to it."""
    return [event.WhichOneof("event") async for event in conversation.events()]


async def test_what_was_not_acknowledged_is_said_again_to_the_next_server() -> None:
    offsets: list[list[float]] = []

    async def script(requests: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        heard: list[float] = []
        offsets.append(heard)
        async for request in requests:
            heard.append(round(seconds(request.candidate.audio.chunk.offset), 4))
            if len(heard) == 3:
                break
        if len(offsets) == 1:
            received = cpb.AudioReceived(offset=duration(CHUNK_SECONDS))
            yield cpb.InterviewEvent(audio_received=received)
            raise Broken
        yield reported()

    notes: list[str] = []
    async with scripted(script) as (address, server), Viva(address) as viva:
        interview = await viva.create_interview(rounds=1)
        async with viva.conversation(interview.id, note=notes.append) as conversation:
            speaking = asyncio.create_task(speak(conversation))
            kinds = [
                (event.WhichOneof("event"), conversation.late)
                async for event in conversation.events()
            ]
            speaking.cancel()
    answered = ("audio_received", False)
    assert kinds == [answered, answered, answered, ("report_ready", True)]
    assert [join.resume_token for join in server.joined] == ["", "1"]
    again = [round(n * CHUNK_SECONDS, 4) for n in range(4)]
    assert offsets[0] == again[:3]
    assert offsets[1] == again[1:4]
    assert notes == ["The connection broke; joining again."]


async def test_new_audio_begins_where_others_have_spoken_up_to() -> None:
    offsets: list[float] = []

    async def script(requests: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        async for request in requests:
            offsets.append(seconds(request.candidate.audio.chunk.offset))
            if len(offsets) == 2:
                break
        yield reported()

    async with scripted(script) as (address, server), Viva(address) as viva:
        server.received = 310.0
        async with viva.conversation("x") as conversation:
            # Before it is known where it begins.
            await conversation.speak(CHUNK)
            await conversation.speak(CHUNK)
            await until_the_report(conversation)
    assert offsets == pytest.approx([310.0, 310.0 + CHUNK_SECONDS])


@pytest.mark.parametrize("state", ["CANCELLED", "FAILED"])
async def test_an_interview_in_which_nothing_was_answered_ends_quietly(state: str) -> None:
    async def script(_: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        number = interview_pb2.InterviewState.Value(f"INTERVIEW_STATE_{state}")
        yield cpb.InterviewEvent(state_changed=cpb.StateChanged(state=number))

    async with (
        scripted(script) as (address, _),
        Viva(address) as viva,
        viva.conversation("x", text_only=True) as conversation,
    ):
        if state == "CANCELLED":
            assert await until_the_report(conversation) == ["audio_received", "state_changed"]
        else:
            with pytest.raises(InterviewFailed):
                await until_the_report(conversation)


@pytest.mark.parametrize("kept", [0, 1])
async def test_what_is_typed_is_said_again_until_it_is_kept(kept: int) -> None:
    heard: list[list[tuple[int, str | None]]] = []

    async def script(requests: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        said: list[tuple[int, str | None]] = []
        heard.append(said)
        async for request in requests:
            said.append((request.candidate.number, request.candidate.WhichOneof("message")))
            if len(said) == 3 or len(heard) == 2:
                break
        if len(heard) == 1:
            received = cpb.AudioReceived(message=kept or None)
            yield cpb.InterviewEvent(audio_received=received)
            raise Broken
        yield reported()

    async with (
        scripted(script) as (address, _),
        Viva(address) as viva,
        viva.conversation("x") as conversation,
    ):
        await conversation.answer("I add an index.")
        await conversation.speak(CHUNK)
        await conversation.say(cpb.CandidateMessage(finish_turn=cpb.FinishTurn()))
        await until_the_report(conversation)
    # A message does not overtake the words before it.
    assert heard[0] == [(1, "typed"), (0, "audio"), (2, "finish_turn")]
    assert heard[1] == heard[0][kept : kept + 1]


async def test_a_join_that_is_answered_has_mended_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.client.conversation.REJOIN_SECONDS", 0.0)
    joins = 0

    async def script(_: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        nonlocal joins
        joins += 1
        if joins < 4:
            raise Broken
        yield reported()

    async with (
        scripted(script) as (address, _),
        Viva(address) as viva,
        viva.conversation("x") as conversation,
    ):
        kinds = await until_the_report(conversation)
    assert kinds == [*4 * ["audio_received"], "report_ready"]


async def test_a_token_that_is_not_known_any_more_ends_no_conversation() -> None:
    joins = 0

    async def script(_: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        nonlocal joins
        joins += 1
        if joins == 1:
            yield cpb.InterviewEvent(audio_received=cpb.AudioReceived(offset=duration(0.1)))
            raise Broken
        if joins == 2:
            raise FailedPrecondition("RESUME_TOKEN_STALE", "its events are not kept any more")
        yield reported()

    async with (
        scripted(script) as (address, server),
        Viva(address) as viva,
        viva.conversation("x") as conversation,
    ):
        kinds = await until_the_report(conversation)
    assert kinds == [*4 * ["audio_received"], "report_ready"]
    assert [join.resume_token for join in server.joined] == ["", "1", ""]


async def test_a_refusal_is_no_broken_connection() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with Viva(f"127.0.0.1:{port}") as viva, viva.conversation("x") as conversation:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await anext(conversation.events())
    finally:
        await server.stop(0)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_silence_and_an_end_without_a_report_are_failures() -> None:
    async def silent(requests: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        async for _ in requests:
            pass
        yield reported()

    async def over(_: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        nothing: list[cpb.InterviewEvent] = []
        for event in nothing:
            yield event

    async with (
        scripted(silent) as (address, _),
        Viva(address) as viva,
        viva.conversation("x", silence_seconds=0.1) as conversation,
    ):
        events = conversation.events()
        await anext(events)
        with pytest.raises(TimeoutError):
            await anext(events)
    async with (
        scripted(over) as (address, _),
        Viva(address) as viva,
        viva.conversation("x") as conversation,
    ):
        events = conversation.events()
        await anext(events)
        with pytest.raises(InterviewFailed):
            await anext(events)


@pytest.mark.parametrize("breaks", [False, True])
async def test_the_events_end_with_the_report(breaks: bool) -> None:
    async def script(_: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        yield reported()
        if breaks and len(server.joined) == 1:
            raise Broken

    async with (
        scripted(script) as (address, server),
        Viva(address) as viva,
        viva.conversation("x") as conversation,
    ):
        kinds = await until_the_report(conversation)
    assert kinds == ["audio_received", "report_ready"]
    assert len(server.joined) == 1


async def test_whoever_types_is_not_taken_for_silent() -> None:
    async def script(_: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        yield reported()

    async with scripted(script) as (address, server), Viva(address) as viva:
        for text_only in (True, False):
            async with viva.conversation("x", text_only=text_only) as conversation:
                await until_the_report(conversation)
    assert [join.HasField("input") for join in server.joined] == [False, True]


async def test_an_answer_is_awaited_at_the_end_of_a_question_once() -> None:
    cut = ended("cut")
    cut.utterance_ended.interrupted = True

    async def script(_: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        yield begins("welcome", interview_pb2.PHASE_OPENING)
        # Before the end of the last one, which is told when it is stored.
        yield begins("question", interview_pb2.PHASE_QUESTION)
        yield ended("welcome")
        yield ended("question")
        # By another server, which does not know what was told.
        yield begins("question", interview_pb2.PHASE_QUESTION)
        yield ended("question")
        yield begins("cut", interview_pb2.PHASE_QUESTION)
        yield cut
        yield begins("aside", interview_pb2.PHASE_UNSPECIFIED)
        yield begins("follow-up", interview_pb2.PHASE_FOLLOW_UP)
        yield ended("follow-up")
        yield ended("aside")
        yield reported()

    async with (
        scripted(script) as (address, _),
        Viva(address) as viva,
        viva.conversation("x") as conversation,
    ):
        awaited = [
            event.utterance_ended.utterance_id
            async for event in conversation.events()
            if conversation.awaits_answer
        ]
    assert awaited == ["question", "follow-up"]


async def breaks_and_is_full(server: ScriptedInterview, retry_seconds: float) -> None:
    """What a script does whose connection breaks, where its server then refuses two joins."""
    if len(server.joined) == 1:
        server.refusals += 2 * [Overloaded("it holds as many as it takes", retry_seconds)]
        raise Broken


async def test_a_full_server_is_joined_again_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    asleep = asyncio.sleep

    async def sleep(seconds: float, result: object = None) -> object:
        waited.append(seconds)
        return await asleep(0, result)

    async def script(_: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        await breaks_and_is_full(server, 3.0)
        yield reported()

    monkeypatch.setattr("services.client.conversation.asyncio.sleep", sleep)
    async with (
        scripted(script) as (address, server),
        Viva(address) as viva,
        viva.conversation("x") as conversation,
    ):
        kinds = await until_the_report(conversation)
    assert kinds[-1] == "report_ready"
    assert waited.count(3.0) == 2


async def test_a_full_server_is_tried_once_more_at_the_end_of_the_time_for_a_broken_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def script(_: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        await breaks_and_is_full(server, 3600.0)
        yield reported()

    monkeypatch.setattr("services.client.conversation.REJOIN_SECONDS", 0.1)
    async with (
        scripted(script) as (address, server),
        Viva(address) as viva,
        viva.conversation("x") as conversation,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await until_the_report(conversation)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(server.joined) == 3


async def test_what_was_asked_before_an_answer_was_taken_awaits_no_other() -> None:
    async def script(requests: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        yield begins("question", interview_pb2.PHASE_QUESTION)
        yield ended("question")
        async for request in requests:
            assert request.candidate.typed.text == "I add an index."
            break
        # The candidate has taken their time, and was asked meanwhile whether to go on.
        yield begins("offer", interview_pb2.PHASE_QUESTION)
        yield ended("offer")
        yield cpb.InterviewEvent(audio_received=cpb.AudioReceived(message=1))
        yield begins("next", interview_pb2.PHASE_QUESTION)
        yield ended("next")
        yield reported()

    awaited = []
    async with (
        scripted(script) as (address, _),
        Viva(address) as viva,
        viva.conversation("x") as conversation,
    ):
        async for event in conversation.events():
            if conversation.awaits_answer:
                awaited.append(event.utterance_ended.utterance_id)
                await conversation.answer("I add an index.")
    assert awaited == ["question", "next"]


async def test_a_writer_that_is_given_up_ends_no_conversation() -> None:
    reads, heard = asyncio.Event(), list[int]()

    async def script(requests: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        # A server, or a network, that takes nothing for a while.
        await reads.wait()
        async for request in requests:
            heard.append(request.candidate.number)
            if request.candidate.typed.text == "That is all.":
                break
        yield reported()

    notes: list[str] = []
    async with (
        scripted(script) as (address, server),
        Viva(address) as viva,
        viva.conversation("x", note=notes.append) as conversation,
    ):
        reading = asyncio.create_task(until_the_report(conversation))
        said = 0
        with pytest.raises(TimeoutError):
            # Until nothing more goes into the connection.
            while said < 100:
                said += 1
                async with asyncio.timeout(0.2):
                    await conversation.answer(1_000_000 * "x")
        reads.set()
        await conversation.answer("That is all.")
        kinds = await reading
    assert kinds[-1] == "report_ready"
    assert heard == list(range(1, said + 2))
    assert notes == []
    assert len(server.joined) == 1


@pytest.mark.parametrize("pieces", [[b""], [bytes(641), bytes(639)], [bytes(33 * 32_000)]])
async def test_audio_may_come_in_any_pieces(pieces: list[bytes]) -> None:
    heard = bytearray()

    async def script(requests: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        async for request in requests:
            # As every server does.
            validate(request)
            audio = request.candidate.audio.chunk.audio
            assert len(audio) % 2 == 0
            heard.extend(audio)
            if request.candidate.HasField("typed"):
                break
        yield reported()

    async with (
        scripted(script) as (address, _),
        Viva(address) as viva,
        viva.conversation("x") as conversation,
    ):
        for piece in pieces:
            await conversation.speak(piece)
        await conversation.answer("I add an index.")
        kinds = await until_the_report(conversation)
    assert kinds[-1] == "report_ready"
    assert bytes(heard) == b"".join(pieces)


@pytest.mark.parametrize(
    ("refusal", "joins"),
    [
        (Unavailable("the database is away", 0.01), 2),
        (Overloaded("it holds as many as it takes", 0.01), 1),
        (FailedPrecondition("WRONG_STATE", "it is over"), 1),
    ],
)
async def test_only_a_server_that_is_away_is_tried_again_by_whoever_was_never_let_in(
    refusal: ServiceError, joins: int
) -> None:
    async def script(_: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        yield reported()

    async with scripted(script) as (address, server), Viva(address) as viva:
        server.refusals = [refusal]
        async with viva.conversation("x") as conversation:
            with suppress(grpc.aio.AioRpcError):
                await until_the_report(conversation)
    assert len(server.joined) == joins
