"""A call that one orchestrator begins to take and another has in the end: no message is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, aclosing, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from viva.interview.v1 import interview_service_pb2 as pb
from viva.interview.v1 import interview_service_pb2_grpc

from services.interview.leases import HeldElsewhere
from services.interview.predecessors import predecessors
from services.interview.pump import MOST_BYTES, Pump
from services.interview.questions.bank import Bank
from services.interview.record import State
from services.interview.store.memory import MemoryStore
from services.interview.store.store import Lease
from services.runtime.channel import outgoing
from services.runtime.errors import Unavailable
from tests.interview.calls import audio, join, typed, until
from tests.interview.orchestrators import orchestrator
from tests.interview.stage import PATIENCE
from tests.interview.test_lifecycle import asked
from tests.server_process import free_port
from tests.server_process import until as until_true

ANN = {"user": "ann"}


def message(number: int, size: int = 1) -> pb.ConverseRequest:
    return pb.ConverseRequest(candidate=audio(bytes([number]) * size))


class Client:
    """What a client sends, as the server reads it."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[pb.ConverseRequest | Exception | None] = asyncio.Queue()

    async def read(self) -> AsyncIterator[pb.ConverseRequest]:
        while (item := await self.sent.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item


async def taken(pump: Pump[pb.ConverseRequest], count: int) -> list[pb.ConverseRequest]:
    async with asyncio.timeout(PATIENCE):
        messages = pump.messages()
        return [await anext(messages) for _ in range(count)]


async def test_what_one_reader_had_and_did_not_take_the_next_has_from_the_beginning() -> None:
    client = Client()
    pump = Pump(message(0), client.read())
    running = asyncio.create_task(pump.run())
    for number in (1, 2):
        client.sent.put_nowait(message(number))
    assert await taken(pump, 3) == [message(0), message(1), message(2)]
    gone = pump.messages()
    assert await anext(gone) == message(0)
    client.sent.put_nowait(message(3))
    client.sent.put_nowait(None)
    async with asyncio.timeout(PATIENCE):
        assert [each async for each in pump.messages()] == [message(n) for n in range(4)]
        assert [each async for each in gone] == []
        await running


async def test_a_reader_learns_what_the_call_failed_with() -> None:
    client = Client()
    pump = Pump(message(0), client.read())
    client.sent.put_nowait(ConnectionError())
    await pump.run()
    messages = pump.messages()
    assert await anext(messages) == message(0)
    with pytest.raises(ConnectionError):
        await anext(messages)


async def test_of_a_call_that_nobody_takes_only_so_much_is_kept() -> None:
    client = Client()
    pump = Pump(message(0), client.read())
    running = asyncio.create_task(pump.run())
    for number in range(100):
        client.sent.put_nowait(message(number, MOST_BYTES // 10))
    for _ in range(300):
        await asyncio.sleep(0)
    # It waits for a reader, and the client waits with it.
    assert client.sent.qsize() > 80
    # One that reads on gets all of it; for another there is no beginning any more.
    assert len(await taken(pump, 60)) == 60
    with pytest.raises(Unavailable):
        await taken(pump, 1)
    running.cancel()


async def test_of_a_call_that_was_taken_nothing_is_kept() -> None:
    client = Client()
    pump = Pump(message(0), client.read())
    running = asyncio.create_task(pump.run())
    messages = pump.messages()
    await anext(messages)
    pump.settle()
    for number in range(50):
        client.sent.put_nowait(message(number, MOST_BYTES // 10))
    async with asyncio.timeout(PATIENCE):
        got = [await anext(messages) for _ in range(50)]
    assert got[-1] == message(49, MOST_BYTES // 10)
    running.cancel()


class Stopping(interview_service_pb2_grpc.InterviewServiceServicer):
    """A holder that reads what comes, and then is gone before it has answered."""

    def __init__(self) -> None:
        self.read = 0

    async def Converse(
        self, requests: AsyncIterator[pb.ConverseRequest], context: Any
    ) -> AsyncIterator[pb.ConverseResponse]:
        async for _ in requests:
            self.read += 1
            if self.read == 2:
                break
        await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        yield pb.ConverseResponse()


async def test_what_the_old_holder_has_read_reaches_the_new_one(bank: Bank, tmp_path: Path) -> None:
    store, port, holder = MemoryStore(10), free_port(), Stopping()
    server = grpc.aio.server()
    interview_service_pb2_grpc.add_InterviewServiceServicer_to_server(holder, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    async with orchestrator(store, bank, tmp_path) as heir:
        made = await heir.wire.create(rounds=1, follow_ups=0)
        lease = await store.acquire(made.id, f"127.0.0.1:{port}/old", 3600.0)
        assert isinstance(lease, Lease)
        joining = pb.ConverseRequest(join=join(made.id, typed=True))
        hold = pb.ConverseRequest(candidate=typed("I add an index."))
        async with heir.wire.converse(joining, hold) as call:
            await until(call, lambda event: event.HasField("candidate_turn"))
        assert holder.read == 2
    await server.stop(None)


# One that took its calls at the same place.


async def test_a_server_that_was_started_again_has_what_its_predecessor_had_at_once(
    bank: Bank, tmp_path: Path
) -> None:
    store = MemoryStore(10)
    address = "127.0.0.1:7105"
    with predecessors(tmp_path / "interview" / "addresses", before := f"{address}/before"):
        pass
    async with orchestrator(store, bank, tmp_path, address=address) as again:
        made = [await again.wire.create(rounds=1, follow_ups=0) for _ in range(2)]
        for each in made:
            await store.acquire(each.id, before, 3600.0)
        # Without asking whether the holder answers.
        assert (await again.house.end("ann", made[0].id)).interview.state is State.CANCELLED
        joining = pb.ConverseRequest(join=join(made[1].id, typed=True))
        async with again.wire.converse(joining) as call:
            await until(call, asked)


async def test_a_server_that_was_started_before_its_predecessor_died_has_it_then(
    bank: Bank, tmp_path: Path
) -> None:
    store = MemoryStore(10)
    address = "127.0.0.1:7105"
    with ExitStack() as living:
        living.enter_context(
            predecessors(tmp_path / "interview" / "addresses", before := f"{address}/before")
        )
        async with orchestrator(store, bank, tmp_path, address=address) as again:
            made = await again.wire.create(rounds=1, follow_ups=0)
            await store.acquire(made.id, before, 3600.0)
            with pytest.raises(HeldElsewhere):
                await again.house.end("ann", made.id)
            living.close()

            async def ended() -> bool:
                with suppress(HeldElsewhere):
                    return (await again.house.end("ann", made.id)).interview.state.over
                return False

            await until_true(ended)


# Speak calls.


async def test_a_speak_call_is_applied_once_although_its_server_died_before_it_answered(
    bank: Bank, tmp_path: Path
) -> None:
    store = MemoryStore(10)
    async with orchestrator(store, bank, tmp_path) as dead:
        made = await dead.wire.create(rounds=2, follow_ups=0)
        words = pb.SpeakRequest(interview_id=made.id, call=1, messages=[typed("I add an index.")])
        listening = pb.ListenRequest(join=join(made.id, typed=True))
        call = dead.wire.interviews.Listen(listening, **outgoing(PATIENCE, **ANN))
        await until(call, asked)
        await dead.wire.interviews.Speak(words, **outgoing(PATIENCE, **ANN))
        seen = await until(call, lambda event: event.HasField("candidate_turn"))
        holder = await store.holder(made.id)
        assert holder is not None
        async with orchestrator(store, bank, tmp_path) as heir:
            heir.house.gone(made.id, holder)
            listening.join.resume_token = seen[-1].resume_token
            call = heir.wire.interviews.Listen(listening, **outgoing(PATIENCE, **ANN))
            async with aclosing(_events(call)) as events:
                await anext(events)
                await heir.wire.interviews.Speak(words, **outgoing(PATIENCE, **ANN))
                words.call = 2
                words.messages[0].typed.text = "I watch the queries."
                await heir.wire.interviews.Speak(words, **outgoing(PATIENCE, **ANN))
                async with asyncio.timeout(PATIENCE):
                    async for event in events:
                        if event.candidate_turn.turn.text == "I watch the queries.":
                            break
            turns = await heir.wire.turns(made.id)
            said = [turn.text for turn in turns if turn.typed]
            assert said == ["I add an index.", "I watch the queries."]


async def _events(call: Any) -> AsyncGenerator[Any, None]:
    while isinstance(response := await call.read(), pb.ListenResponse):
        yield response.event
