"""Programs that read a conversation with a time limit, or have candidates who think."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import interview_pb2

from services.client import Conversation, Viva
from tests.cli.scripted_interview import Requests, begins, ended, reported, scripted

LOOK_SECONDS = 0.05
GUARD_SECONDS = 20.0


async def looked(conversation: Conversation) -> list[str | None]:
    """The kinds of what comes within a moment."""
    kinds: list[str | None] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS):
            async for event in conversation.events():
                kinds += [event.WhichOneof("event")]
    return kinds


async def until_the_report(conversation: Conversation) -> list[str | None]:
    """Looks again and again."""
    kinds: list[str | None] = []
    async with asyncio.timeout(GUARD_SECONDS):
        while "report_ready" not in kinds:
            kinds += await looked(conversation)
    return kinds


def after(thought: asyncio.Event) -> Callable[[Requests], AsyncIterator[cpb.InterviewEvent]]:
    """A server that asks after some thought, and is done."""

    async def script(_: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        await thought.wait()
        yield begins("question", interview_pb2.PHASE_QUESTION)
        yield ended("question")
        yield reported()

    return script


async def test_a_reader_that_looks_now_and_then_misses_nothing() -> None:
    thought = asyncio.Event()
    notes: list[str] = []
    async with (
        scripted(after(thought)) as (address, server),
        Viva(address) as viva,
        viva.conversation("x", note=notes.append) as conversation,
    ):
        kinds = [*await looked(conversation), *await looked(conversation)]
        thought.set()
        kinds += await until_the_report(conversation)
    assert kinds == ["audio_received", "utterance_started", "utterance_ended", "report_ready"]
    assert len(server.joined) == 1
    assert notes == []


async def test_the_same_events_are_read_on_after_a_reader_has_run_out_of_time() -> None:
    thought = asyncio.Event()
    async with (
        scripted(after(thought)) as (address, server),
        Viva(address) as viva,
        viva.conversation("x") as conversation,
    ):
        events = conversation.events()
        kinds = [(await anext(events)).WhichOneof("event")]
        # The reader's own limit, a task that is cancelled, and the conversation's.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), LOOK_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await anext(events)
        conversation.silence_seconds = LOOK_SECONDS
        with pytest.raises(TimeoutError, match="nothing came"):
            await anext(events)
        conversation.silence_seconds = GUARD_SECONDS
        thought.set()
        async with asyncio.timeout(GUARD_SECONDS):
            kinds += [event.WhichOneof("event") async for event in events]
        assert kinds == ["audio_received", "utterance_started", "utterance_ended", "report_ready"]
        assert len(server.joined) == 1
        # The end is the end, whoever asks.
        assert [event async for event in events] == await told(conversation) == []


async def test_a_reader_that_looks_now_and_then_joins_again() -> None:
    async def script(_: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        if len(server.joined) == 1:
            raise ConnectionError
        yield reported()

    async with (
        scripted(script) as (address, server),
        Viva(address) as viva,
        viva.conversation("x") as conversation,
    ):
        kinds = await until_the_report(conversation)
    assert kinds == ["audio_received", "audio_received", "report_ready"]
    assert len(server.joined) == 2


async def asks_and_listens(requests: Requests) -> AsyncIterator[cpb.InterviewEvent]:
    """Asks, and says nothing more before the third message."""
    yield begins("question", interview_pb2.PHASE_QUESTION)
    yield ended("question")
    for _ in range(3):
        await anext(requests)
    yield reported()


async def asked(conversation: Conversation) -> None:
    async with asyncio.timeout(GUARD_SECONDS):
        async for _ in conversation.events():
            if conversation.awaits_answer:
                return


async def told(conversation: Conversation) -> list[str | None]:
    return [event.WhichOneof("event") async for event in conversation.events()]


async def test_a_written_candidate_may_think_for_as_long_as_they_like() -> None:
    async with (
        scripted(asks_and_listens) as (address, _),
        Viva(address) as viva,
        viva.conversation("x", text_only=True) as conversation,
    ):
        await asked(conversation)
        conversation.silence_seconds = LOOK_SECONDS
        reading = asyncio.create_task(told(conversation))
        await asyncio.wait([reading], timeout=5 * LOOK_SECONDS)
        assert not reading.done()
        # From now on it is the interviewer who is silent.
        await conversation.answer("I add an index.")
        with pytest.raises(TimeoutError, match="nothing came"):
            await asyncio.wait_for(reading, GUARD_SECONDS)
        # Whoever reads on does so in the same conversation.
        for _ in range(2):
            await conversation.answer("And I measured it.")
        assert await until_the_report(conversation) == ["report_ready"]


@pytest.mark.parametrize(("text_only", "limit"), [(False, None), (True, GUARD_SECONDS)])
async def test_whoever_speaks_or_sets_a_limit_is_told_of_silence(
    text_only: bool, limit: float | None
) -> None:
    async with (
        scripted(asks_and_listens) as (address, _),
        Viva(address) as viva,
        viva.conversation("x", text_only=text_only, silence_seconds=limit) as conversation,
    ):
        await asked(conversation)
        conversation.silence_seconds = LOOK_SECONDS
        with pytest.raises(TimeoutError, match="nothing came"):
            await asyncio.wait_for(told(conversation), GUARD_SECONDS)
