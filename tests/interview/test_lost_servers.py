"""Servers that are killed, hang, or lose what they drive: what is asked of the others meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from viva.interview.v1 import interview_pb2, interview_service_pb2_grpc, turn_pb2
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview import forwarding
from services.interview.forwarding import Forwarding
from services.interview.leases import GONE_SECONDS, HeldElsewhere, Leases
from services.interview.questions.bank import Bank
from services.interview.sessions import Limits
from services.interview.store.memory import MemoryStore
from services.interview.store.store import Holder, Lease
from services.runtime.channel import outgoing
from services.runtime.errors import Unavailable, to_status
from tests.interview.calls import refused, typed, until
from tests.interview.orchestrators import orchestrator
from tests.interview.stage import PATIENCE
from tests.interview.test_lifecycle import asked
from tests.interview.test_orchestrators import (
    ANN,
    Clock,
    FailingStore,
    S,
    YieldingStore,
    joins,
    made_by,
    moved_to,
    says,
    seated,
)
from tests.interview.test_store_contract import interview
from tests.refusals import reason
from tests.runtime.virtual_time import run
from tests.server_process import until as until_true


class CountingStore(FailingStore):
    """Counts how often it is asked who drives an interview."""

    asked = 0

    async def holder(self, interview_id: str) -> Holder | None:
        self.asked += 1
        return await super().holder(interview_id)


class SlowStore(FailingStore):
    """A store whose commits take as long as `gate` is closed, and a while to be given up."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(100, clock=clock)
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()

    async def commit(self, *written: Any, **named: Any) -> None:
        self.begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.3)
            raise
        await super().commit(*written, **named)


# Killed: its lease runs on for a while.


@pytest.mark.parametrize("method", ["PauseInterview", "Speak", "ReadRecording"])
async def test_what_is_asked_of_a_killed_servers_interview_is_answered_at_once(
    method: str, bank: Bank, tmp_path: Path
) -> None:
    store = CountingStore(100, clock=Clock())
    async with AsyncExitStack() as stack:
        dead = await stack.enter_async_context(orchestrator(store, bank, tmp_path))
        made = await dead.wire.create(rounds=2, follow_ups=0)
        async with dead.wire.converse(joins(made.id)) as call:
            await until(call, asked)
        store.reason = "STORE_LOST"
        await stack.aclose()
        store.reason = None
        async with orchestrator(store, bank, tmp_path) as heir:
            store.asked = 0
            options = outgoing(PATIENCE, **ANN)
            match method:
                case "PauseInterview":
                    pause = pb.PauseInterviewRequest(interview_id=made.id)
                    paused = await heir.wire.interviews.PauseInterview(pause, **options)
                    assert paused.interview.state == S.INTERVIEW_STATE_PAUSED
                case "Speak":
                    words = pb.SpeakRequest(interview_id=made.id, call=1, messages=[typed("So.")])
                    with pytest.raises(grpc.aio.AioRpcError) as error:
                        await heir.wire.interviews.Speak(words, **options)
                    assert reason(error.value) == "NOT_JOINED"
                case _:
                    read = pb.ReadRecordingRequest(
                        interview_id=made.id, speaker=turn_pb2.SPEAKER_CANDIDATE
                    )
                    heard = heir.wire.interviews.ReadRecording(read, **options)
                    assert [piece async for piece in heard] == []
            assert store.asked <= 4


def test_a_verdict_that_a_holder_is_gone_counts_for_a_moment() -> None:
    async def main() -> None:
        store = MemoryStore(10)
        made = interview()
        await store.save(made)
        lease = await store.acquire(made.id, "127.0.0.1:1/a", 3600.0)
        assert isinstance(lease, Lease)
        holder = Holder(lease.holder, lease.token)
        mine = Leases(store, "127.0.0.1:2/b", 10.0, lambda _: None)
        mine.gone(made.id, holder)
        assert mine.is_gone(made.id, holder)
        await asyncio.sleep(GONE_SECONDS)
        assert not mine.is_gone(made.id, holder)
        with pytest.raises(HeldElsewhere):
            await mine.take(made.id)
        mine.gone(made.id, holder)
        assert (await mine.take(made.id)).token > lease.token

    run(main())


async def test_one_question_unanswered_takes_nothing_from_a_healthy_server(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, missed = forwarding._answers, [False]

    async def misses_one(channel: grpc.aio.Channel) -> bool:
        return missed.pop() if missed else await answers(channel)

    monkeypatch.setattr(forwarding, "_answers", misses_one)
    store = FailingStore(100, clock=Clock())
    async with (
        orchestrator(store, bank, tmp_path) as first,
        orchestrator(store, bank, tmp_path) as second,
    ):
        made = await first.wire.create(rounds=2, follow_ups=0)
        async with first.wire.converse(joins(made.id)) as call:
            await until(call, asked)
            pause = pb.PauseInterviewRequest(interview_id=made.id)
            await second.wire.interviews.PauseInterview(pause, **outgoing(PATIENCE, **ANN))
            await until(call, moved_to(interview_pb2.INTERVIEW_STATE_PAUSED))
        assert not missed
        assert second.sessions.here(made.id) is None


# Hung.


class HungCall:
    """A call that is answered by nobody."""

    def __init__(self) -> None:
        self._answer = asyncio.get_running_loop().create_future()

    def __await__(self) -> Any:
        return self._answer.__await__()

    def cancel(self) -> None:
        self._answer.cancel()


class HungStub:
    """A server that took the call and hangs."""

    def __init__(self, channel: object) -> None:
        pass

    def PauseInterview(self, request: object, **options: object) -> HungCall:
        return HungCall()


class NoContext:
    """A call of a client."""

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other server answers one question about its health, and then nothing."""
    healthy = [True]

    async def answers(channel: object) -> bool:
        if healthy:
            return healthy.pop()
        await asyncio.sleep(forwarding.PING_SECONDS)
        return False

    monkeypatch.setattr(forwarding, "_answers", answers)
    monkeypatch.setattr(forwarding, "open_channel", lambda address: object())
    monkeypatch.setattr(interview_service_pb2_grpc, "InterviewServiceStub", HungStub)


def answering(gone: list[Holder], *, ever: bool = True) -> Callable[[], Awaitable[str]]:
    holder = Holder("127.0.0.1:1/a", 7)

    async def answer() -> str:
        if not (gone and ever):
            raise HeldElsewhere("interview", holder)
        return "from here"

    return answer


@pytest.mark.usefixtures("hung")
def test_a_call_to_a_server_that_hangs_is_answered_here_within_moments() -> None:
    async def main() -> None:
        gone: list[Holder] = []
        calls = Forwarding(lambda _, holder: gone.append(holder), 6.0)
        context: Any = NoContext()
        told = await calls.unary("PauseInterview", object(), context, answering(gone))
        assert told == "from here"
        pings = forwarding.PING_SECONDS * (1 + forwarding.PINGS)
        assert asyncio.get_running_loop().time() <= pings + forwarding.POLL_SECONDS

    run(main())


@pytest.mark.usefixtures("hung")
def test_who_cannot_be_answered_anywhere_is_told_so() -> None:
    async def main() -> None:
        gone: list[Holder] = []
        calls = Forwarding(lambda _, holder: gone.append(holder), 6.0)
        context: Any = NoContext()
        with pytest.raises(Unavailable):
            await calls.unary("PauseInterview", object(), context, answering(gone, ever=False))
        assert len(gone) < 10

    run(main())


class WrongStub(HungStub):
    """A server that has another's address, and does not hold what is asked for."""

    async def _refuse(self) -> str:
        status = to_status(HeldElsewhere("interview", Holder("127.0.0.1:1/a", 7)))
        details = ("grpc-status-details-bin", status.SerializeToString())
        raise grpc.aio.AioRpcError(
            grpc.StatusCode.UNAVAILABLE,
            grpc.aio.Metadata(),
            grpc.aio.Metadata(details),
            status.message,
            None,
        )

    def PauseInterview(self, request: object, **options: object) -> Any:
        return asyncio.ensure_future(self._refuse())


@pytest.mark.usefixtures("hung")
def test_a_holder_that_somebody_else_answers_for_is_not_taken_for_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def answers(channel: object) -> bool:
        return True

    monkeypatch.setattr(forwarding, "_answers", answers)
    monkeypatch.setattr(interview_service_pb2_grpc, "InterviewServiceStub", WrongStub)

    async def main() -> None:
        gone: list[Holder] = []
        calls = Forwarding(lambda _, holder: gone.append(holder), 6.0)
        context: Any = NoContext()
        with pytest.raises(Unavailable):
            await calls.unary("PauseInterview", object(), context, answering(gone))
        assert gone == []

    run(main())


# Lost, or laid aside: the session goes, and a client comes.


async def test_who_joins_again_while_a_lost_session_ends_is_heard(
    bank: Bank, tmp_path: Path
) -> None:
    clock = Clock()
    store = SlowStore(clock)
    async with orchestrator(store, bank, tmp_path) as first:
        made = await first.wire.create(rounds=2, follow_ups=0)
        async with first.wire.converse(joins(made.id)) as call:
            await until(call, asked)
            store.gate.clear()
            store.begun.clear()
            await call.write(says("The first answer."))
            await store.begun.wait()
            clock.now += 1000.0
            taken = await store.acquire(made.id, "127.0.0.1:1/x", 60.0)
            assert isinstance(taken, Lease)
            await first.sessions.leases.renew_once()
            assert reason(await refused(call)) == "UNAVAILABLE"
        store.gate.set()
        async with first.wire.converse(joins(made.id)) as again:
            await until(again, moved_to(S.INTERVIEW_STATE_LIVE))
            await again.write(says("The first answer."))
            await until(again, lambda event: event.HasField("candidate_turn"))


@pytest.mark.parametrize("joins_after", range(6))
async def test_a_seat_in_a_session_that_was_lost_ends(
    joins_after: int, bank: Bank, tmp_path: Path
) -> None:
    clock = Clock()
    store = YieldingStore(100, clock=clock)
    async with orchestrator(store, bank, tmp_path) as running:
        name = await made_by(running)
        await seated(running, name)
        lost = running.sessions.here(name)
        clock.now += 1000.0
        taken = await store.acquire(name, "127.0.0.1:1/x", 60.0)
        assert isinstance(taken, Lease)
        await running.sessions.leases.renew_once()
        for _ in range(joins_after):
            await asyncio.sleep(0)
        assert running.sessions.here(name) is not lost
        with pytest.raises(HeldElsewhere):
            await seated(running, name)


async def test_who_comes_back_while_the_interview_is_laid_aside_goes_on(
    bank: Bank, tmp_path: Path
) -> None:
    store = SlowStore(Clock())
    limits = Limits(absence_seconds=0.01, abandoned_seconds=0.02)
    async with orchestrator(store, bank, tmp_path, limits=limits) as running:
        made = await running.wire.create(rounds=1, follow_ups=0)
        async with running.wire.converse(joins(made.id)) as call:
            await until(call, asked)
            store.gate.clear()
        old = running.sessions.here(made.id)
        assert old is not None

        async def being_laid_aside() -> bool:
            return old.suspending

        await until_true(being_laid_aside)
        async with running.wire.converse(joins(made.id)) as call:
            store.gate.set()
            await until(call, moved_to(S.INTERVIEW_STATE_LIVE))
            await call.write(says("An answer."))
            await until(call, lambda event: event.HasField("report_ready"))
