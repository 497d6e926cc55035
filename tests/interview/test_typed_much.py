"""Somebody types without end: it is refused, or waits, and nobody else is held up by it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import interview_pb2
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview.conversation import events as e
from services.interview.conversation import typed as limits
from services.interview.conversation.progress import Step
from services.interview.conversation.state import Answer, Place, SessionState
from services.interview.in_turn import InTurn
from services.interview.pump import MOST_BYTES
from services.interview.questions.bank import Bank
from services.interview.record import (
    Interview,
    InterviewSettings,
    Patience,
    Phase,
    Speaker,
    State,
    Turn,
)
from services.interview.refusals import RefusedField
from services.interview.store.memory import MemoryStore
from services.runtime.channel import outgoing
from tests.interview.calls import Conversation, Wire, audio, heard, join, refused, typed, until
from tests.interview.orchestrators import orchestrator
from tests.interview.stage import PATIENCE, FailingStore, FakeStream, stage
from tests.refusals import fields, reason
from tests.server_process import until as until_true

LONGEST = "word " * 4000


def joined(interview_id: str, client: str | None = None) -> pb.ConverseRequest:
    return pb.ConverseRequest(join=join(interview_id, typed=True, client=client))


async def paused(wire: Wire, call: Conversation, interview_id: str) -> None:
    await until(call, lambda told: told.HasField("utterance_started"))
    request = pb.PauseInterviewRequest(interview_id=interview_id)
    await wire.interviews.PauseInterview(request, **outgoing(PATIENCE, user="ann"))


async def say(call: Conversation, text: str, number: int | None = None) -> None:
    message = cpb.CandidateMessage(number=number)
    message.MergeFrom(typed(text))
    await call.write(pb.ConverseRequest(candidate=message))


async def test_an_answer_without_end_is_refused_and_the_interview_goes_on(
    tmp_path: Path, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore(100)
    async with orchestrator(store, bank, tmp_path / "one") as server:
        made = await server.wire.create()
        async with server.wire.converse(joined(made.id)) as call:
            await paused(server.wire, call, made.id)
            for _ in range(3):
                await say(call, LONGEST)
            error = await refused(call)
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert (fields(error), reason(error)) == (["candidate.typed.text"], "ANSWER_TOO_LONG")
        assert f"{limits.ANSWER_LETTERS}" in (error.details() or "")
        found = await server.wire.get(made.id)
        assert found.state == interview_pb2.INTERVIEW_STATE_PAUSED
    # Another server counts what the record has.
    monkeypatch.setattr(limits, "INTERVIEW_ANSWERS", 2)
    async with orchestrator(store, bank, tmp_path / "two") as server:
        async with server.wire.converse(joined(made.id)) as call:
            await say(call, "And more.")
            assert reason(await refused(call)) == "INTERVIEW_TOO_LONG"
        turns = await server.wire.turns(made.id)
        assert [len(turn.text) for turn in turns if turn.typed] == [19_999, 19_999]


async def test_an_answer_that_was_begun_elsewhere_is_counted_and_the_next_begins_anew() -> None:
    plan = ("q1", "q2")
    written = Turn("t", Speaker.CANDIDATE, "a" * limits.ANSWER_LETTERS, 1.0, 1.0, typed=True)
    state = SessionState(
        Patience.NORMAL,
        state=State.PAUSED,
        place=Place(Step(Phase.QUESTION, 1), answer=Answer((written,)), asked=True),
    )
    record = Interview(
        "interview",
        "somebody",
        InterviewSettings(rounds=2),
        plan,
        datetime.now(UTC),
        state=State.PAUSED,
        turns=(written,),
    )
    async with stage(restored=(record, state)) as s:
        s.join(text_only=True)
        with pytest.raises(RefusedField) as error:
            s.seat.type("b", None, "candidate")
        assert error.value.reason == "ANSWER_TOO_LONG"
        s.seat.send(e.Typed("I add an index to the table."))
        while s.conversation.state.place.step.phase is Phase.QUESTION:
            await s.next()
        s.seat.type("b", None, "candidate")


@pytest.mark.parametrize(
    ("limit", "most"), [("INTERVIEW_ANSWERS", 2), ("INTERVIEW_LETTERS", 2 * len("Yes."))]
)
async def test_an_interview_takes_only_so_much(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(limits, limit, most)
    made = await wire.create()
    ann = outgoing(2 * PATIENCE, user="ann")
    listening = wire.interviews.Listen(pb.ListenRequest(join=join(made.id, typed=True)), **ann)
    async with asyncio.timeout(PATIENCE):
        await listening.read()

    def speak(call: int, count: int) -> pb.SpeakRequest:
        messages = [typed("Yes.")] * count
        return pb.SpeakRequest(interview_id=made.id, call=call, messages=messages)

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.Speak(speak(1, 3), **ann)
    assert fields(error.value) == ["messages[2].typed.text"]
    assert reason(error.value) == "INTERVIEW_TOO_LONG"
    # Nothing of it was taken.
    await wire.interviews.Speak(speak(1, 2), **ann)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.Speak(speak(2, 1), **ann)
    assert fields(error.value) == ["messages[0].typed.text"]
    listening.cancel()
    assert [turn.text for turn in await wire.turns(made.id) if turn.typed] == ["Yes."] * 2


async def test_what_was_taken_under_its_number_is_not_refused_when_it_comes_again(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INTERVIEW_ANSWERS", 1)
    made = await wire.create()
    async with wire.converse(joined(made.id, "page")) as call:
        await say(call, "Yes.", 1)
        await until(
            call, lambda told: told.HasField("audio_received") and told.audio_received.message == 1
        )
    async with wire.converse(joined(made.id, "page")) as call:
        await say(call, "Yes.", 1)
        await say(call, "No.", 2)
        error = await refused(call)
    assert reason(error) == "INTERVIEW_TOO_LONG"
    assert [turn.text for turn in await wire.turns(made.id) if turn.typed] == ["Yes."]


async def test_who_types_waits_for_what_is_not_stored_and_all_of_it_is_taken(
    tmp_path: Path, bank: Bank
) -> None:
    store = FailingStore()
    async with orchestrator(store, bank, tmp_path) as server:
        made = await server.wire.create()
        async with server.wire.converse(joined(made.id)) as call:
            await paused(server.wire, call, made.id)
            before = (await server.wire.get(made.id)).turn_count
            store.gate.clear()
            for number in range(20):
                await say(call, f"Part {number}.")
            # Whatever else is asked meanwhile is answered, and finds one of them.
            for _ in range(50):
                count = (await server.wire.get(made.id)).turn_count
                assert count <= before + 1
            assert count == before + 1
            store.gate.set()
            await until(call, lambda told: told.candidate_turn.turn.text == "Part 19.")
        assert (await server.wire.get(made.id)).turn_count == before + 20


async def test_audio_and_playback_wait_for_nothing_that_is_stored(
    tmp_path: Path, bank: Bank
) -> None:
    store = FailingStore()
    async with orchestrator(store, bank, tmp_path) as server:
        made = await server.wire.create()
        first = pb.ConverseRequest(join=join(made.id))
        async with server.wire.converse(first) as call:
            started = (await until(call, lambda told: told.HasField("utterance_started")))[-1]
            store.gate.clear()
            for number in range(limits.INTERVIEW_ANSWERS):
                await say(call, f"Part {number}.")
            playback = cpb.PlaybackPosition(utterance_id=started.utterance_started.utterance_id)
            await call.write(pb.ConverseRequest(candidate=cpb.CandidateMessage(playback=playback)))
            await call.write(pb.ConverseRequest(candidate=audio(bytes(48_000 * 4))))
            assert await heard(server.wire, 0.95) == pytest.approx(1.0, abs=0.05)
            store.gate.set()


async def test_the_end_of_an_answer_keeps_its_place_in_the_audio(
    tmp_path: Path, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[int | None] = []

    async def send(_: FakeStream, audio: bytes) -> None:
        got.append(len(audio))

    async def finalize(_: FakeStream) -> None:
        got.append(None)

    monkeypatch.setattr(FakeStream, "send", send)
    monkeypatch.setattr(FakeStream, "finalize", finalize)
    store = FailingStore()
    async with orchestrator(store, bank, tmp_path) as server:
        made = await server.wire.create()
        first = pb.ConverseRequest(join=join(made.id))
        async with server.wire.converse(first) as call:
            await until(call, lambda told: told.HasField("utterance_started"))
            store.gate.clear()
            for number in range(3):
                await say(call, f"Part {number}.")
            finish = cpb.CandidateMessage(finish_turn=cpb.FinishTurn())
            for message in (audio(bytes(48_000 * 4)), finish, audio(bytes(48_000 * 4))):
                await call.write(pb.ConverseRequest(candidate=message))

            async def half() -> bool:
                return sum(size or 0 for size in got) > 30_000

            await until_true(half)
            store.gate.set()

            async def whole() -> bool:
                return sum(size or 0 for size in got) > 60_000

            await until_true(whole)
    place = got.index(None)
    assert sum(size or 0 for size in got[:place]) == pytest.approx(32_000, abs=1600)


# In their turn.


class Turns(InTurn[cpb.CandidateMessage]):
    """Keeps what it takes; nothing is stored before a test says so."""

    def __init__(self) -> None:
        super().__init__(self._note, lambda said: said.done.wait())
        self.taken: list[cpb.CandidateMessage] = []

    def _note(self, message: cpb.CandidateMessage) -> e.Store:
        self.taken.append(message)
        self.said = e.Store()
        return self.said


async def a_while() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_comes_behind_something_unstored_is_taken_in_its_turn() -> None:
    turns, messages = Turns(), [typed(f"Part {number}.") for number in range(4)]
    running = asyncio.create_task(turns.run())
    for message in messages:
        await turns.bring(message)
    rest = asyncio.create_task(turns.all_taken())
    for count in range(1, len(messages) + 1):
        await a_while()
        assert turns.taken == messages[:count]
        assert rest.done() == (count == len(messages))
        turns.said.done.set()
    await turns.bring(messages[0])
    assert len(turns.taken) == len(messages) + 1
    running.cancel()


async def test_of_what_waits_for_its_turn_only_so_much_is_kept() -> None:
    turns, message = Turns(), typed("a" * (MOST_BYTES // 10))
    running = asyncio.create_task(turns.run())
    brought: list[int] = []

    async def bring() -> None:
        for number in range(30):
            await turns.bring(message)
            brought.append(number)

    bringing = asyncio.create_task(bring())
    await a_while()
    assert 5 < len(brought) < 12
    while not bringing.done():
        turns.said.done.set()
        await a_while()
    running.cancel()
