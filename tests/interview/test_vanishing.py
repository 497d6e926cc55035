"""Clients that vanish: they may come back, and leave nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import interview_pb2, turn_pb2
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview.conversation.hearing import Hearing
from services.runtime.channel import outgoing
from services.runtime.stats import duration
from tests.interview.calls import (
    Conversation,
    Listening,
    Wire,
    audio,
    join,
    joining,
    refused,
    typed,
    until,
)
from tests.interview.stage import PATIENCE
from tests.interview.test_lifecycle import Code
from tests.refusals import reason


async def test_a_vanished_client_comes_back_to_the_same_conversation(wire: Wire) -> None:
    made = await wire.create()
    async with wire.converse(joining(made.id)) as first:
        seen = await until(first, lambda e: e.HasField("audio"))
    async with wire.converse(joining(made.id, resume_token=seen[1].resume_token)) as second:
        again = await until(second, lambda e: e.seq >= seen[-1].seq)
        assert again[0].seq == 1
        assert again[1 : len(seen) - 1] == seen[2:]


def ours(task: asyncio.Task[object]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "services/interview" in code.co_filename


async def test_clients_that_vanish_leave_no_task_behind(wire: Wire) -> None:
    made = await wire.create()
    ann = outgoing(4 * PATIENCE, user="ann")
    # The server's own live as long as it does.
    before = asyncio.all_tasks()
    for _ in range(30):
        async with wire.converse(joining(made.id)) as call:
            await until(call, lambda e: e.HasField("utterance_started"))
    await wire.interviews.EndInterview(pb.EndInterviewRequest(interview_id=made.id), **ann)
    async with asyncio.timeout(PATIENCE):
        while left := [task for task in asyncio.all_tasks() - before if ours(task)]:
            await asyncio.wait(left)


Start = Callable[[Wire, str], Any]
# The server's own, one for each method: they wait for the next call and belong to none.
ACCEPTING = {"AioServer._request_call", "AioServer._request_registered_call"}


def left_since(before: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    return {
        task
        for task in asyncio.all_tasks() - before
        if getattr(task.get_coro(), "__qualname__", "") not in ACCEPTING
    }


def converse(wire: Wire, interview_id: str) -> Any:
    async def messages() -> AsyncIterator[pb.ConverseRequest]:
        yield joining(interview_id)
        while True:
            yield pb.ConverseRequest(candidate=audio(bytes(4 * 480)))
            await asyncio.sleep(0.01)

    return wire.interviews.Converse(messages(), **outgoing(PATIENCE, user="ann"))


def listen(wire: Wire, interview_id: str) -> Any:
    request = pb.ListenRequest(join=join(interview_id))
    return wire.interviews.Listen(request, **outgoing(PATIENCE, user="ann"))


async def to_the_first_question(wire: Wire, interview_id: str) -> None:
    """Until nothing goes on but listening: the question was asked, the next lines are made."""
    async with wire.converse(joining(interview_id)) as call:
        for _ in range(2):
            seen = await until(call, lambda e: e.HasField("utterance_started"))
            name = seen[-1].utterance_started.utterance_id
            await call.write(pb.ConverseRequest(candidate=audio(bytes(4 * 4_800))))
            while not seen[-1].HasField("utterance_ended"):
                position = cpb.PlaybackPosition(
                    utterance_id=name, position=duration(1000), finished=True
                )
                played = cpb.CandidateMessage(playback=position)
                await call.write(pb.ConverseRequest(candidate=played))
                seen = await until(call, lambda _: True)
        async with asyncio.timeout(PATIENCE):
            await (await wire.recogniser.opened.get()).sent.get()


@pytest.mark.parametrize("start", [converse, listen])
async def test_fifty_cancelled_streams_leave_as_many_tasks_as_there_were(
    wire: Wire, start: Start
) -> None:
    """At any moment: before the join is read, while events come, while audio goes up."""
    made = await wire.create()
    await to_the_first_question(wire, made.id)
    before = asyncio.all_tasks()
    for number in range(50):
        call = start(wire, made.id)
        if number % 3:
            await call.read()
        if number % 3 == 2:
            await call.read()
        call.cancel()
    async with asyncio.timeout(PATIENCE):
        while left := left_since(before):
            await asyncio.wait(left)
    got = await wire.interviews.GetInterview(
        pb.GetInterviewRequest(interview_id=made.id), **outgoing(PATIENCE, user="ann")
    )
    assert got.interview.state == interview_pb2.INTERVIEW_STATE_LIVE


@pytest.mark.parametrize("way", ["Converse", "Listen"])
async def test_a_client_that_was_sent_away_unawares_does_not_take_it_back(
    wire: Wire, way: str
) -> None:
    made = await wire.create()
    ann = outgoing(PATIENCE, user="ann")

    async def joins(client: str) -> Conversation | Listening:
        request = join(made.id, typed=True, client=client)
        if way == "Listen":
            return wire.interviews.Listen(pb.ListenRequest(join=request), **ann)
        call: Conversation = wire.interviews.Converse(None, **ann)
        await call.write(pb.ConverseRequest(join=request))
        return call

    async def joined(client: str) -> Conversation | Listening:
        await until(call := await joins(client), lambda _: True)
        return call

    older = await joined("older")
    # Its connection breaks, and comes back: that is the same client.
    older.cancel()
    await joined("older")
    newer = await joined("newer")
    assert reason(await refused(await joins("older"))) == "TAKEN_OVER"
    await until(newer, lambda e: e.HasField("utterance_started"))
    # Its user asks for it there.
    await joined("older, asked for")
    assert reason(await refused(newer)) == "TAKEN_OVER"


async def test_what_an_older_page_still_says_is_not_taken_for_the_newer_ones(wire: Wire) -> None:
    made = await wire.create(rounds=6, follow_ups=0)
    ann = outgoing(PATIENCE, user="ann")

    async def opened(client: str, token: str | None = None) -> Listening:
        request = join(made.id, typed=True, resume_token=token)
        call = wire.interviews.Listen(pb.ListenRequest(join=request, client=client), **ann)
        await until(call, lambda _: True)
        return call

    async def says(text: str, call: int, client: str | None) -> None:
        request = pb.SpeakRequest(
            interview_id=made.id, call=call, client=client, messages=[typed(text)]
        )
        await wire.interviews.Speak(request, **ann)

    older = await opened("older")
    await says("Said on the older page", 1, "older")
    newer = await opened("newer")
    for client in ("older", None):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await says("Said late on the older page", 2, client)
        assert (error.value.code(), reason(error.value)) == (Code.ABORTED, "TAKEN_OVER")
    await says("Said on the newer page", 1, "newer")
    await says("Also said there", 2, "newer")
    await says("Also said there", 2, "newer")
    seen = await until(newer, lambda e: e.candidate_turn.turn.text == "Also said there")
    # A page that comes back goes on with its numbers; another begins its own.
    await opened("newer", seen[-1].resume_token)
    await says("Also said there", 2, "newer")
    third = await opened("third", seen[-1].resume_token)
    await says("Said on the third page", 2, "third")
    await until(third, lambda e: e.candidate_turn.turn.text == "Said on the third page")
    said = [t.text for t in await wire.turns(made.id) if t.speaker == turn_pb2.SPEAKER_CANDIDATE]
    older.cancel()
    assert said[:3] == ["Said on the older page", "Said on the newer page", "Also said there"]
    assert said.count("Also said there") == 1


async def test_a_delete_whose_caller_goes_away_leaves_no_interview_that_nobody_holds(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    winding_up, gone = asyncio.Event(), asyncio.Event()
    listen_on = Hearing.run

    async def slow(self: Hearing) -> None:
        try:
            await listen_on(self)
        finally:
            winding_up.set()
            await gone.wait()

    monkeypatch.setattr(Hearing, "run", slow)
    made = await wire.create(follow_ups=0)
    ann = outgoing(PATIENCE, user="ann")
    request = pb.DeleteInterviewRequest(interview_id=made.id)
    async with wire.converse(joining(made.id)) as call:
        await until(call, lambda e: e.HasField("audio"))
        deleting = wire.interviews.DeleteInterview(request, **ann)
        waiting = asyncio.ensure_future(deleting.code())
        await asyncio.wait_for(winding_up.wait(), PATIENCE)
        deleting.cancel()
        await waiting
        gone.set()
        async with asyncio.timeout(PATIENCE):
            while isinstance(response := await call.read(), pb.ConverseResponse):
                last = response.event
    assert last.state_changed.state == interview_pb2.INTERVIEW_STATE_CANCELLED
    # And asked again, it is answered as if nothing had happened.
    await wire.interviews.DeleteInterview(request, **ann)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.get(made.id)
    assert error.value.code() == Code.NOT_FOUND
