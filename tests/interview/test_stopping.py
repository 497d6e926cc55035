"""A server that stops, or has a fault, is no ruder than one that is killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import grpc
import pytest
from viva.interview.v1 import interview_service_pb2 as pb
from viva.interview.v1.conversation_pb2 import CandidateMessage, InterviewEvent, PlaybackPosition

from services.interview.clients.seams import PartialHeard, SpeechBegan, TurnEnded
from services.interview.conversation import events as m
from services.interview.conversation.pace import Pace
from services.interview.conversation.state import SessionState
from services.interview.events import CandidateTurn, InterviewerText, StateChanged, TurnHeld
from services.interview.parting import ANSWER_SECONDS, SILENCE_SECONDS, Parting
from services.interview.questions.bank import Bank
from services.interview.record import Interview, Speaker, State
from services.interview.store.memory import MemoryStore
from services.interview.store.store import Lease
from services.interview.wire import events as event_wire
from services.runtime.channel import outgoing
from services.runtime.errors import Draining
from services.runtime.request import Request, set_current_request
from services.runtime.stats import duration
from tests.interview.calls import Conversation, join, refused, typed, until
from tests.interview.orchestrators import Orchestrator, orchestrator
from tests.interview.stage import PATIENCE, FailingStore, Stage, question, spoken, stage
from tests.interview.test_lifecycle import asked
from tests.interview.test_orchestrators import answered
from tests.interview.test_taking_over import ANSWER, died, microphone
from tests.refusals import reason
from tests.runtime.virtual_time import run

ANN = outgoing(PATIENCE, user="ann")
BEGINNING = "I look at the slow"
REST = "query log and then I add the right index"


# Handing on.


async def handed_on(s: Stage) -> tuple[Interview, SessionState]:
    """What the next process reads of an interview that this one leaves."""
    command = m.HandOn()
    s.conversation.send(command)
    async with asyncio.timeout(PATIENCE):
        await command.done.wait()
    assert command.stored.is_set()
    return await died(s)


def spoken_turns(s: Stage) -> list[tuple[str, int, str]]:
    turns = s.conversation.chronicle.interview.turns
    return [(t.text, t.round, t.question_id) for t in turns if t.speaker is Speaker.CANDIDATE]


def lines(s: Stage, since: float) -> list[str]:
    told = s.conversation.chronicle.journal.after(0)
    return [
        entry.event.text
        for entry in told
        if isinstance(entry.event, InterviewerText) and entry.at >= since
    ]


async def begun(s: Stage, when: float, text: str) -> None:
    """A candidate has begun to say something, at a moment of the clock."""
    await s.hear(SpeechBegan(await place(s, when)), PartialHeard(text, ""))


async def ended(s: Stage, when: float, text: str, seconds: float) -> None:
    """What was begun then is over, and has taken so long."""
    start = await place(s, when)
    await s.hear(TurnEnded(text, spoken(text, start), start, start + seconds))


async def place(s: Stage, when: float) -> float:
    """Where in the audio of the stream a moment of the clock lies."""
    await s.stream()
    return when - s.conversation.ears._timeline.at(0.0)


async def in_mid_answer(s: Stage) -> float:
    """A candidate has said the beginning of an answer; when it began."""
    s.join()
    await s.to_first_question()
    await asyncio.sleep(1.0)
    begins = s.conversation.chronicle.clock.now()
    await begun(s, begins, BEGINNING)
    await asyncio.sleep(2.0)
    return begins


@pytest.mark.parametrize("text_only", [False, True])
@pytest.mark.parametrize("paused", [False, True])
def test_an_answer_that_is_handed_on_stays_one_and_nobody_talks_over_it(
    paused: bool, text_only: bool
) -> None:
    async def main() -> None:
        async with stage(pace=Pace(), follow_ups=1) as first:
            begins = await in_mid_answer(first)
            if paused:
                await ended(first, begins, BEGINNING, 2.0)
                await first.until(CandidateTurn)
            left = await handed_on(first)
        assert [t.text for t in left[0].turns if t.speaker is Speaker.CANDIDATE] == [BEGINNING]
        async with stage(pace=Pace(), follow_ups=1, restored=left, away=1.0) as second:
            second.join(text_only=text_only)
            await second.until(StateChanged, lambda e: e.state is State.LIVE)
            since = second.conversation.chronicle.clock.now()
            # Until what was not acknowledged has come again, and was recognised.
            await asyncio.sleep(1.0)
            assert lines(second, since) == []
            start, text = (since, REST) if paused else (begins, ANSWER)
            await begun(second, start, " ".join(text.split()[:5]))
            await asyncio.sleep(5.0)
            assert lines(second, since) == []
            await ended(second, start, text, 5.0)
            turn = (await second.until(CandidateTurn, lambda e: e.turn.text == ANSWER)).turn
            assert spoken_turns(second) == [(ANSWER, 1, "q1")]
            assert turn.id in {t.id for t in left[0].turns}
            await second.until(InterviewerText)
            assert question(1).text not in " ".join(lines(second, since))

    run(main())


def test_an_answer_that_is_heard_again_in_two_parts_keeps_both() -> None:
    async def main() -> None:
        async with stage(pace=Pace(), follow_ups=0) as first:
            begins = await in_mid_answer(first)
            await first.hear(PartialHeard(ANSWER, ""))
            await asyncio.sleep(4.0)
            await first.hear(PartialHeard(ANSWER, ""))
            await asyncio.sleep(0.1)
            left = await handed_on(first)
        async with stage(pace=Pace(), follow_ups=0, restored=left, away=1.0) as second:
            second.join()
            for text, start in ((BEGINNING, begins), (REST, begins + 3.0)):
                await begun(second, start, text)
                await ended(second, start, text, 2.0)
            await second.until(CandidateTurn, lambda e: e.turn.text == ANSWER)
            assert spoken_turns(second) == [(ANSWER, 1, "q1")]

    run(main())


def test_who_goes_on_no_more_is_replied_to_and_not_asked_again() -> None:
    async def main() -> None:
        async with stage(pace=Pace(), follow_ups=0) as first:
            await in_mid_answer(first)
            left = await handed_on(first)
        async with stage(pace=Pace(), follow_ups=0, restored=left, away=1.0) as second:
            second.join()
            text = (await second.until(InterviewerText)).text
            assert question(2).text in text
            assert spoken_turns(second) == [(BEGINNING, 1, "q1")]

    run(main())


def test_nothing_happens_in_an_interview_that_was_handed_on() -> None:
    async def main() -> None:
        async with stage(pace=Pace(), follow_ups=0) as s:
            await in_mid_answer(s)
            left = await handed_on(s)
            told = s.conversation.chronicle.journal.last_seq
            s.seat.send(m.Typed("Too late."))
            s.seat.hear(bytes(3200), None, "chunk")
            await asyncio.sleep(60.0)
            assert s.conversation.chronicle.journal.last_seq == told
            assert await died(s) == left

    run(main())


def test_time_to_think_goes_on_at_the_next_server() -> None:
    async def main() -> None:
        async with stage(pace=Pace(), follow_ups=0) as first:
            first.join()
            await first.to_first_question()
            begins = first.conversation.chronicle.clock.now()
            first.seat.send(m.Hold(60.0))
            await first.until(TurnHeld)
            await ended(first, begins, BEGINNING, 1.0)
            await asyncio.sleep(1.0)
            left = await handed_on(first)
        async with stage(pace=Pace(), follow_ups=0, restored=left, away=1.0) as second:
            second.join()
            await second.until(StateChanged, lambda e: e.state is State.LIVE)
            since = second.conversation.chronicle.clock.now()
            await asyncio.sleep(30.0)
            assert lines(second, since) == []
            now = second.conversation.chronicle.clock.now()
            await begun(second, now, REST)
            await ended(second, now, REST, 3.0)
            assert (await second.until(CandidateTurn)).turn.text == ANSWER

    run(main())


# When its streams end.


class Stream:
    """A stream of events on a server that is to stop."""

    def __init__(self, s: Stage) -> None:
        self.draining = asyncio.Event()
        self.ended: float | None = None
        """How long after it was to stop."""
        self._stage = s
        self.running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        set_current_request(Request(draining=self.draining))
        parting = Parting()
        parting.seat = self._stage.seat
        with pytest.raises(Draining):
            async with aclosing(self._responses()) as responses:
                async for _ in parting.events(responses):
                    pass
        self.ended = asyncio.get_running_loop().time() - self.stopped

    async def _responses(self) -> AsyncGenerator[pb.ConverseResponse, None]:
        async for entry in self._stage.seat.entries():
            yield pb.ConverseResponse(event=event_wire.event(entry, "token"))

    def stop(self) -> None:
        self.stopped = asyncio.get_running_loop().time()
        self.draining.set()


def test_a_stream_ends_in_silence() -> None:
    async def main() -> None:
        async with stage(pace=Pace(), follow_ups=0) as s:
            s.join()
            await s.to_first_question()
            stream = Stream(s)
            await microphone(s, 3.0)
            stream.stop()
            await microphone(s, 3.0)
            assert stream.ended == pytest.approx(SILENCE_SECONDS, abs=0.2)

    run(main())


def test_a_candidate_who_speaks_ends_the_sentence_and_hears_the_reply() -> None:
    async def main() -> None:
        async with stage(pace=Pace(), follow_ups=0) as s:
            begins = await in_mid_answer(s)
            await microphone(s, 1.0)
            stream = Stream(s)
            await microphone(s, 0.1)
            stream.stop()
            await microphone(s, 5.0)
            assert stream.ended is None
            await ended(s, begins, ANSWER, 6.0)
            await microphone(s, 0.5)
            floor = s.conversation.state.floor
            assert floor is not None
            await microphone(s, 2.0)
            assert stream.ended is None
            s.played(floor.id, 1e6, finished=True)
            while s.conversation.state.floor is not None:
                await microphone(s, 0.1)
            await microphone(s, 1.5)
            assert stream.ended is not None

    run(main())


def test_who_speaks_for_long_goes_on_at_the_next_server() -> None:
    async def main() -> None:
        async with stage(pace=Pace(), follow_ups=0) as s:
            await in_mid_answer(s)
            await microphone(s, 1.0)
            stream = Stream(s)
            await microphone(s, 0.1)
            stream.stop()
            await microphone(s, 15.0)
            assert stream.ended == pytest.approx(ANSWER_SECONDS + SILENCE_SECONDS, abs=0.3)

    run(main())


def test_who_is_not_heard_any_more_is_not_waited_for() -> None:
    async def main() -> None:
        async with stage(pace=Pace(), follow_ups=0) as s:
            await in_mid_answer(s)
            await microphone(s, 1.0)
            stream = Stream(s)
            await microphone(s, 0.1)
            stream.stop()
            await asyncio.sleep(5.0)
            assert stream.ended == pytest.approx(2 * SILENCE_SECONDS, abs=0.3)

    run(main())


@pytest.mark.slow
async def test_who_speaks_in_calls_of_their_own_hears_the_sentence_to_its_end(
    bank: Bank, tmp_path: Path
) -> None:
    store, stopping = MemoryStore(100), asyncio.Event()

    async def stop() -> None:
        async with orchestrator(store, bank, tmp_path / "one", drain_seconds=PATIENCE) as one:
            up.set_result(one)
            await stopping.wait()

    up: asyncio.Future[Orchestrator] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(stop())
    async with orchestrator(store, bank, tmp_path / "two") as two:
        one = await up
        made = await one.wire.create(rounds=1, follow_ups=0)
        call = one.wire.interviews.Listen(
            pb.ListenRequest(join=join(made.id), client="page"), **ANN
        )
        started = (await until(call, lambda e: e.HasField("utterance_started")))[-1]
        await until(call, lambda e: e.HasField("audio"))
        stopping.set()
        told: list[InterviewEvent] = []
        number = 0

        async def heard(utterance: str) -> None:
            """Tells the next server, as whoever calls it anew does."""
            nonlocal number
            number += 1
            played = PlaybackPosition(
                utterance_id=utterance, position=duration(60.0), finished=True
            )
            message = CandidateMessage(playback=played)
            request = pb.SpeakRequest(
                interview_id=made.id, client="page", call=number, messages=[message]
            )
            await two.wire.interviews.Speak(request, **ANN)

        while not await is_stopping(one, made.id):
            pass
        await heard(started.utterance_started.utterance_id)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            while True:
                told += await until(call, lambda _: True)
                if told[-1].HasField("utterance_started"):
                    await heard(told[-1].utterance_started.utterance_id)
        assert reason(ended.value) == Draining.reason
        ends = [e.utterance_ended for e in told if e.HasField("utterance_ended")]
        assert ends
        assert not any(end.interrupted for end in ends)
        await running
        with pytest.raises(grpc.aio.AioRpcError) as nobody:
            await heard("any")
        assert reason(nobody.value) == "NOT_JOINED"


async def is_stopping(o: Orchestrator, interview_id: str) -> bool:
    try:
        await o.wire.get(interview_id)
    except grpc.aio.AioRpcError as error:
        return reason(error) == Draining.reason
    return False


# What was answered is stored.


async def speaks(o: Orchestrator, interview_id: str, call: int, text: str) -> str:
    request = pb.SpeakRequest(
        interview_id=interview_id, call=call, client="page", messages=[typed(text)]
    )
    try:
        await o.wire.interviews.Speak(request, **ANN)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


def listens(o: Orchestrator, interview_id: str, token: str | None = None) -> object:
    request = join(interview_id, typed=True, resume_token=token)
    return o.wire.interviews.Listen(pb.ListenRequest(join=request, client="page"), **ANN)


async def test_what_a_server_was_told_that_has_lost_the_interview_is_said_again(
    bank: Bank, tmp_path: Path
) -> None:
    store = MemoryStore(100)
    async with (
        orchestrator(store, bank, tmp_path) as first,
        orchestrator(store, bank, tmp_path) as second,
    ):
        made = await first.wire.create(rounds=3, follow_ups=0)
        seen = await until(listens(first, made.id), asked)  # type: ignore[arg-type]
        holder = await store.holder(made.id)
        assert holder is not None
        second.house.gone(made.id, holder)
        await second.sessions.leases.give_back(await second.sessions.leases.take(made.id))
        assert await speaks(first, made.id, 1, "My answer.") == "UNAVAILABLE"
        again = listens(second, made.id, seen[-1].resume_token)
        await until(again, lambda _: True)  # type: ignore[arg-type]
        for _ in range(2):
            assert await speaks(second, made.id, 1, "My answer.") == "OK"
        assert await answered(second.wire, made.id) == ["My answer."]


async def test_a_call_is_answered_when_its_words_are_stored(bank: Bank, tmp_path: Path) -> None:
    store = FailingStore()
    async with orchestrator(store, bank, tmp_path) as running:
        made = await running.wire.create(rounds=3, follow_ups=0)
        await until(listens(running, made.id), asked)  # type: ignore[arg-type]
        store.broken = True
        assert await speaks(running, made.id, 1, "My answer.") == "UNAVAILABLE"
        # It was taken all the same; but nobody is told so before it is kept.
        assert await speaks(running, made.id, 1, "My answer.") == "UNAVAILABLE"
        store.broken = False
        assert await speaks(running, made.id, 1, "My answer.") == "OK"
        kept = await store.find("ann", made.id)
        assert kept is not None
        said = [t.text for t in kept.turns if t.speaker is Speaker.CANDIDATE]
        assert said == ["My answer."]


# Who has the interview.


@pytest.mark.parametrize("known", [True, False])
async def test_who_was_sent_away_does_not_take_it_back_at_another_server(
    known: bool, bank: Bank, tmp_path: Path
) -> None:
    """Also where the server died in between, and the newer client came before the older."""
    store = MemoryStore(100)
    async with (
        orchestrator(store, bank, tmp_path) as first,
        orchestrator(store, bank, tmp_path) as second,
    ):
        made = await first.wire.create()

        async def joins(o: Orchestrator, client: str) -> Conversation:
            call: Conversation = o.wire.interviews.Converse(None, **ANN)
            request = join(made.id, typed=True, client=client)
            await call.write(pb.ConverseRequest(join=request))
            return call

        older = await joins(first, "older")
        await until(older, lambda e: e.HasField("utterance_started"))
        older.cancel()
        if known:
            newer = await joins(first, "newer")
            await until(newer, lambda _: True)
        session = first.sessions.here(made.id)
        assert session is not None
        await first.sessions.suspend(session)
        newer = await joins(second, "newer")
        await until(newer, lambda _: True)
        assert reason(await refused(await joins(second, "older"))) == "TAKEN_OVER"
        await until(newer, lambda e: e.HasField("utterance_ended"))
        newer.cancel()


# Faults.


class Faulty(MemoryStore):
    """Has a fault of our own in renewing leases."""

    faulty = False
    faults = 0

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.often = asyncio.Event()

    async def renew_all(self, leases: Sequence[Lease], seconds: float) -> Sequence[Lease]:
        if self.faulty:
            self.faults += 1
            if self.faults == 3:
                self.often.set()
            raise RuntimeError("a fault of our own")
        return await super().renew_all(leases, seconds)


async def test_a_fault_in_renewing_leases_ends_no_interview(bank: Bank, tmp_path: Path) -> None:
    store = Faulty(100)
    async with orchestrator(store, bank, tmp_path, lease_seconds=0.2) as running:
        made = await running.wire.create(rounds=3, follow_ups=0)
        async with running.wire.converse(
            pb.ConverseRequest(join=join(made.id, typed=True))
        ) as call:
            await until(call, asked)
            store.faulty = True
            async with asyncio.timeout(PATIENCE):
                await store.often.wait()
            await call.write(pb.ConverseRequest(candidate=typed("An answer.")))
            await until(call, asked)


async def test_an_interview_whose_task_is_cancelled_is_gone_on_with_later(
    bank: Bank, tmp_path: Path
) -> None:
    store = MemoryStore(100)
    async with orchestrator(store, bank, tmp_path) as running:
        made = await running.wire.create(rounds=3, follow_ups=0)
        first = pb.ConverseRequest(join=join(made.id, typed=True))
        async with running.wire.converse(first) as call:
            seen = await until(call, asked)
            session = running.sessions.here(made.id)
            assert session is not None
            assert session.task is not None
            session.task.cancel()
            assert (await refused(call)).code() is grpc.StatusCode.UNAVAILABLE
        first.join.resume_token = seen[-1].resume_token
        async with running.wire.converse(first) as call:
            await until(call, lambda e: e.HasField("state_changed"))
            await call.write(pb.ConverseRequest(candidate=typed("An answer.")))
            await until(call, lambda e: e.candidate_turn.turn.text == "An answer.")
