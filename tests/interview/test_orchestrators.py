"""Several orchestrators on one store: one drives an interview, all answer for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import interview_pb2, turn_pb2
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview.conversation.attendance import Seat
from services.interview.conversation.journal import REBUILT_GAP
from services.interview.conversation.reviewing import Review
from services.interview.leases import HeldElsewhere
from services.interview.questions.bank import Bank
from services.interview.record import Interview, InterviewSettings, State
from services.interview.reports.report import Report
from services.interview.sessions import Limits, Session
from services.interview.store.memory import MemoryStore
from services.interview.store.store import Expiry, Holder, Lease, Store, Summary
from services.runtime.channel import outgoing
from services.runtime.errors import Aborted, FailedPrecondition, NotFound, Overloaded
from services.runtime.postgres.failures import StoreFailed
from tests.interview.calls import Wire, audio, heard, join, joining, refused, typed, until
from tests.interview.orchestrators import Orchestrator, orchestrator
from tests.interview.stage import PATIENCE
from tests.interview.stage import FailingStore as SlowStore
from tests.interview.test_lifecycle import asked
from tests.refusals import reason
from tests.server_process import until as until_true

ANN = {"user": "ann"}
S = interview_pb2.InterviewState


class Clock:
    """What leases run by: it stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class FailingStore(MemoryStore):
    """A store whose database is away while `reason` is set."""

    reason: str | None = None

    def _check(self) -> None:
        if self.reason:
            raise StoreFailed(self.reason, "it cannot be reached")

    async def commit(self, *written: Any, **named: Any) -> None:
        self._check()
        await super().commit(*written, **named)

    async def release(self, lease: Lease) -> None:
        self._check()
        await super().release(lease)

    async def summary(self, user: str, interview_id: str) -> Summary | None:
        self._check()
        return await super().summary(user, interview_id)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> FailingStore:
    return FailingStore(100, clock=clock)


@pytest_asyncio.fixture
async def two(
    store: Store, bank: Bank, tmp_path: Path
) -> AsyncIterator[tuple[Orchestrator, Orchestrator]]:
    async with (
        orchestrator(store, bank, tmp_path) as first,
        orchestrator(store, bank, tmp_path) as second,
    ):
        yield first, second


def joins(interview_id: str, token: str | None = None) -> pb.ConverseRequest:
    return pb.ConverseRequest(join=join(interview_id, resume_token=token, typed=True))


def says(text: str) -> pb.ConverseRequest:
    return pb.ConverseRequest(candidate=typed(text))


def moved_to(state: S.ValueType) -> Callable[[cpb.InterviewEvent], bool]:
    return lambda event: event.state_changed.state == state


async def answered(wire: Wire, interview_id: str, user: str = "ann") -> list[str]:
    """What the candidate has said, by the record."""
    turns = await wire.turns(interview_id, user=user)
    return [turn.text for turn in turns if turn.speaker == turn_pb2.SPEAKER_CANDIDATE]


async def test_commands_reach_the_one_that_drives(two: tuple[Orchestrator, Orchestrator]) -> None:
    first, second = two
    made = await first.wire.create(rounds=2, follow_ups=0)
    async with first.wire.converse(joins(made.id)) as call:
        await until(call, asked)
        wanted = pb.PauseInterviewRequest(interview_id=made.id)
        paused = await second.wire.interviews.PauseInterview(wanted, **outgoing(PATIENCE, **ANN))
        assert paused.interview.state == S.INTERVIEW_STATE_PAUSED
        await until(call, moved_to(S.INTERVIEW_STATE_PAUSED))
        resume = pb.ResumeInterviewRequest(interview_id=made.id)
        await second.wire.interviews.ResumeInterview(resume, **outgoing(PATIENCE, **ANN))
        await until(call, moved_to(S.INTERVIEW_STATE_LIVE))
        assert (await second.wire.get(made.id)).state == S.INTERVIEW_STATE_LIVE
        end = pb.EndInterviewRequest(interview_id=made.id)
        ended = await second.wire.interviews.EndInterview(end, **outgoing(PATIENCE, **ANN))
        assert ended.interview.state == S.INTERVIEW_STATE_CANCELLED
    assert second.sessions.here(made.id) is None


async def test_a_client_that_comes_back_elsewhere_goes_on_as_if_it_had_not(
    two: tuple[Orchestrator, Orchestrator],
) -> None:
    first, second = two
    made = await first.wire.create(rounds=1, follow_ups=0)
    async with first.wire.converse(joins(made.id)) as call:
        seen = await until(call, asked)
    async with second.wire.converse(joins(made.id, seen[0].resume_token)) as call:
        again = await until(call, asked)
        assert [event.seq for event in again] == [event.seq for event in seen]
        await call.write(says("I add an index."))
        await until(call, lambda e: e.HasField("report_ready"))
    assert await answered(second.wire, made.id) == ["I add an index."]


async def test_what_is_spoken_in_calls_reaches_the_one_that_listens(
    two: tuple[Orchestrator, Orchestrator],
) -> None:
    first, second = two
    made = await first.wire.create(rounds=1, follow_ups=0)
    listening = first.wire.interviews.Listen(
        pb.ListenRequest(join=join(made.id, typed=True)), **outgoing(PATIENCE, **ANN)
    )
    await until(listening, asked)
    words = pb.SpeakRequest(interview_id=made.id, call=1, messages=[typed("I add an index.")])
    for _ in range(2):
        await second.wire.interviews.Speak(words, **outgoing(PATIENCE, **ANN))
    await until(listening, lambda e: e.HasField("report_ready"))
    assert await answered(second.wire, made.id) == ["I add an index."]


async def test_errors_of_the_holder_come_through_as_they_are(
    two: tuple[Orchestrator, Orchestrator],
) -> None:
    first, second = two
    made = await first.wire.create()
    listening = first.wire.interviews.Listen(
        pb.ListenRequest(join=join(made.id, typed=True)), **outgoing(PATIENCE, **ANN)
    )
    await until(listening, asked)
    words = pb.SpeakRequest(interview_id=made.id, call=1, messages=[audio(b"\0\0\0\0")])
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await second.wire.interviews.Speak(words, **outgoing(PATIENCE, **ANN))
    assert (error.value.code(), reason(error.value)) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "NO_AUDIO",
    )
    listening.cancel()


async def test_another_user_is_not_told_who_drives_it(
    two: tuple[Orchestrator, Orchestrator],
) -> None:
    first, second = two
    made = await first.wire.create()
    async with first.wire.converse(joins(made.id)) as call:
        await until(call, asked)
        async with second.wire.converse(joins(made.id), user="bob") as other:
            assert (await refused(other)).code() is grpc.StatusCode.NOT_FOUND
        request = pb.DeleteInterviewRequest(interview_id=made.id)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await second.wire.interviews.DeleteInterview(request, **outgoing(PATIENCE, user="bob"))
        assert error.value.code() is grpc.StatusCode.NOT_FOUND


async def test_the_last_client_to_join_has_it_wherever_it_joined(
    two: tuple[Orchestrator, Orchestrator],
) -> None:
    first, second = two
    made = await first.wire.create()
    async with first.wire.converse(joins(made.id)) as call:
        await until(call, asked)
        async with second.wire.converse(joins(made.id)) as newer:
            await until(newer, asked)
            assert reason(await refused(call)) == "TAKEN_OVER"


async def test_two_that_join_at_once_meet_in_one_session(
    two: tuple[Orchestrator, Orchestrator],
) -> None:
    made = await two[0].wire.create()

    async def join_at(one: Orchestrator) -> str:
        async with one.wire.converse(joins(made.id)) as call:
            try:
                await until(call, asked)
            except grpc.aio.AioRpcError as error:
                return reason(error)
        return "JOINED"

    assert sorted(await asyncio.gather(*map(join_at, two))) in (
        ["JOINED", "JOINED"],
        ["JOINED", "TAKEN_OVER"],
    )
    assert sum(one.sessions.here(made.id) is not None for one in two) == 1


async def test_one_that_lives_keeps_its_interviews_from_another_of_its_address(
    store: FailingStore, bank: Bank, tmp_path: Path
) -> None:
    async with (
        orchestrator(store, bank, tmp_path) as first,
        orchestrator(store, bank, tmp_path, address=f"127.0.0.1:{first.port}") as second,
    ):
        made = await second.wire.create(rounds=2, follow_ups=0)
        async with second.wire.converse(joins(made.id)) as call:
            await until(call, asked)
            with pytest.raises(HeldElsewhere):
                await first.house.pause("ann", made.id)
            with pytest.raises(HeldElsewhere):
                await first.sessions.leases.take(made.id)
            await second.sessions.leases.renew_once()
            assert second.sessions.here(made.id) is not None


# The one that drove it is gone.


async def test_an_interview_goes_on_where_its_dead_orchestrator_left_it(
    store: FailingStore, bank: Bank, tmp_path: Path, clock: Clock
) -> None:
    async with AsyncExitStack() as stack:
        dead = await stack.enter_async_context(orchestrator(store, bank, tmp_path))
        made = await dead.wire.create(rounds=2, follow_ups=0)
        async with dead.wire.converse(joins(made.id)) as call:
            await until(call, asked)
            await call.write(says("The first answer."))
            seen = await until(call, asked)
        # Nothing of it reaches the store any more; but its lease runs on for a while.
        store.reason = "STORE_LOST"
        await stack.aclose()
        store.reason = None
        async with orchestrator(store, bank, tmp_path) as heir:
            held = await store.holder(made.id)
            assert isinstance(held, Holder)
            token = seen[-1].resume_token
            async with heir.wire.converse(joins(made.id, token)) as call:
                again = await until(call, asked)
                assert again[0].seq == seen[-1].seq < again[1].seq
                assert again[-1].seq > REBUILT_GAP
                assert again[-1].at.ToMilliseconds() >= seen[-1].at.ToMilliseconds()
                await call.write(says("The second answer."))
                await until(call, lambda e: e.HasField("report_ready"))
            assert await answered(heir.wire, made.id) == ["The first answer.", "The second answer."]
            assert (await heir.wire.get(made.id)).state == S.INTERVIEW_STATE_COMPLETED


async def test_a_server_that_dies_in_the_greeting_keeps_its_tokens_and_numbers(
    two: tuple[Orchestrator, Orchestrator], store: FailingStore, clock: Clock
) -> None:
    first, second = two
    made = await first.wire.create(rounds=2, follow_ups=0)
    async with first.wire.converse(joins(made.id)) as call:
        seen = await until(call, lambda e: e.HasField("utterance_started"))
        kept = await store.session(made.id)
        assert kept is not None
        assert kept[1] == []
        # The lease of one that was killed runs out; it writes nothing more.
        clock.now += 1000.0
        store.reason = "STORE_LOST"
    store.reason = None
    token: str | None
    for token in (seen[-1].resume_token, None):
        async with second.wire.converse(joins(made.id, token)) as call:
            again = await until(call, asked)
        assert again[1].seq > seen[-1].seq


async def test_an_interview_whose_orchestrator_died_is_paused_and_can_be_ended(
    two: tuple[Orchestrator, Orchestrator], store: FailingStore, clock: Clock
) -> None:
    first, second = two
    made = await first.wire.create(rounds=2, follow_ups=0)
    async with first.wire.converse(joins(made.id)) as call:
        await until(call, asked)
        await call.write(says("The first answer."))
        await until(call, asked)
        clock.now += 1000.0
        assert (await second.wire.get(made.id)).state == S.INTERVIEW_STATE_PAUSED
        end = pb.EndInterviewRequest(interview_id=made.id)
        await second.wire.interviews.EndInterview(end, **outgoing(PATIENCE, **ANN))
        # What the old one still has to say counts for nothing, and its client is told.
        await call.write(says("Too late."))
        assert reason(await refused(call)) == "UNAVAILABLE"
    assert await answered(second.wire, made.id) == ["The first answer."]


async def test_what_lost_its_lease_stops_at_once(
    two: tuple[Orchestrator, Orchestrator], store: FailingStore, clock: Clock
) -> None:
    first, _ = two
    made = await first.wire.create()
    async with first.wire.converse(joins(made.id)) as call:
        await until(call, asked)
        clock.now += 1000.0
        taken = await store.acquire(made.id, "elsewhere:1/x", 60.0)
        assert isinstance(taken, Lease)
        await first.sessions.leases.renew_once()
        # Not as by another client: who was in it joins again.
        assert reason(await refused(call)) == "UNAVAILABLE"
    found = await store.find("ann", made.id)
    assert found is not None
    assert found.state is State.LIVE


@pytest.mark.parametrize("fate", ["deleted", "given away"])
async def test_what_is_over_is_not_told_of_where_its_lease_was_lost(
    fate: str, two: tuple[Orchestrator, Orchestrator], clock: Clock
) -> None:
    hung, other = two
    made = await hung.wire.create(rounds=1, follow_ups=0)
    async with hung.wire.converse(joins(made.id)) as call:
        await until(call, asked)
        await call.write(says("The first answer."))
        await until(call, lambda e: e.HasField("report_ready"))
    assert hung.sessions.here(made.id) is not None
    clock.now += 1000.0
    if fate == "deleted":
        await other.house.delete("ann", made.id)
    else:
        assert await other.house.transfer("ann", "bob") == 1
        assert await answered(hung.wire, made.id, "bob") == ["The first answer."]
    await hung.sessions.leases.renew_once()
    for one in two:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await one.wire.turns(made.id)
        assert error.value.code() == grpc.StatusCode.NOT_FOUND


async def test_a_server_that_stops_hands_its_interviews_on(
    store: FailingStore, bank: Bank, tmp_path: Path
) -> None:
    async with orchestrator(store, bank, tmp_path) as heir:
        async with AsyncExitStack() as stack:
            old = await stack.enter_async_context(
                orchestrator(store, bank, tmp_path, drain_seconds=4 * PATIENCE)
            )
            made = await old.wire.create(rounds=1, follow_ups=0)
            async with old.wire.converse(joins(made.id)) as call:
                seen = await until(call, asked)
                stopping = asyncio.create_task(stack.aclose())
                assert reason(await refused(call)) == "DRAINING"
            async with heir.wire.converse(joins(made.id, seen[-1].resume_token)) as call:
                await until(call, moved_to(S.INTERVIEW_STATE_LIVE))
                await call.write(says("An answer."))
                rest = await until(call, lambda e: e.HasField("report_ready"))
                # What was asked there is not asked again here.
                assert not [event for event in rest if asked(event)]
            await stopping
        assert await answered(heir.wire, made.id) == ["An answer."]


async def test_an_absent_candidates_interview_is_laid_aside_and_gone_on_with_later(
    store: FailingStore, bank: Bank, tmp_path: Path
) -> None:
    limits = Limits(absence_seconds=0.01, abandoned_seconds=0.02)
    async with orchestrator(store, bank, tmp_path, limits=limits) as running:
        made = await running.wire.create(rounds=1, follow_ups=0)
        async with running.wire.converse(joins(made.id)) as call:
            await until(call, asked)

        async def laid_aside() -> bool:
            return running.sessions.here(made.id) is None

        await until_true(laid_aside)
        assert (await running.wire.get(made.id)).state == S.INTERVIEW_STATE_PAUSED
        assert await store.holder(made.id) is None
        async with running.wire.converse(joins(made.id)) as call:
            await until(call, moved_to(S.INTERVIEW_STATE_PAUSED))
            await until(call, moved_to(S.INTERVIEW_STATE_LIVE))
            await call.write(says("An answer."))
            await until(call, lambda e: e.HasField("report_ready"))


async def test_what_is_resumed_while_nobody_is_there_is_paused_again(
    store: FailingStore, bank: Bank, tmp_path: Path
) -> None:
    limits = Limits(absence_seconds=0.1, abandoned_seconds=600.0)
    async with orchestrator(store, bank, tmp_path, limits=limits) as running:
        made = await running.wire.create(rounds=1, follow_ups=0)
        async with running.wire.converse(joins(made.id)) as call:
            await until(call, asked)

        async def paused() -> bool:
            return (await running.wire.get(made.id)).state == S.INTERVIEW_STATE_PAUSED

        for _ in range(2):
            await until_true(paused)
            await running.house.resume("ann", made.id)


async def test_what_is_taken_up_for_a_join_that_is_refused_is_laid_aside_again(
    store: FailingStore, bank: Bank, tmp_path: Path
) -> None:
    limits = Limits(absence_seconds=0.01, abandoned_seconds=0.02)
    async with orchestrator(store, bank, tmp_path, limits=limits) as running:
        made = (await running.wire.create(rounds=1, follow_ups=0)).id

        async def arrives(client: str) -> Seat:
            return await running.house.join(
                "ann", made, source=None, output=None, resume_token=None, client=client
            )

        async def laid_aside() -> bool:
            return running.sessions.here(made) is None and await store.holder(made) is None

        await arrives("one window")
        running.house.leave(await arrives("another"))
        await until_true(laid_aside)
        with pytest.raises(Aborted, match="another client has joined"):
            await arrives("one window")
        assert running.sessions.here(made) is not None
        await until_true(laid_aside)


# The store is away.


async def test_a_store_that_fails_ends_no_interview_and_it_goes_on_when_it_is_back(
    two: tuple[Orchestrator, Orchestrator], store: FailingStore
) -> None:
    first, _ = two
    made = await first.wire.create(rounds=2, follow_ups=0)
    other = await first.wire.create(rounds=1, follow_ups=0)
    async with first.wire.converse(joins(made.id)) as call:
        await until(call, asked)
        await call.write(says("The first answer."))
        await until(call, asked)
        store.reason = "STORE_FULL"
        await call.write(says("The second answer."))
        told = await until(call, lambda e: e.degraded.service == "store")
        assert not any(event.HasField("candidate_turn") for event in told)
        assert (await first.wire.get(made.id)).state == S.INTERVIEW_STATE_LIVE
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await first.wire.get(other.id)
        assert (refusal.value.code(), reason(refusal.value)) == (
            grpc.StatusCode.UNAVAILABLE,
            "STORE_FULL",
        )
        store.reason = None
        await until(call, lambda e: e.HasField("report_ready"))
    async with first.wire.converse(joins(other.id)) as call:
        await until(call, asked)
    assert await answered(first.wire, made.id) == ["The first answer.", "The second answer."]


# Housekeeping.


async def test_a_report_that_was_left_half_written_is_finished(
    two: tuple[Orchestrator, Orchestrator], store: FailingStore
) -> None:
    first, second = two
    made = await first.wire.create(rounds=2, follow_ups=0)
    async with first.wire.converse(joins(made.id)) as call:
        await until(call, asked)
        await call.write(says("I add an index to the database."))
        await until(call, asked)
        session = first.sessions.here(made.id)
        assert session is not None
        await first.sessions.suspend(session)
    found = await store.find("ann", made.id)
    assert found is not None
    await store.save(replace(found, state=State.REVIEWING))
    await second.keeping.finish_reviews()
    async with second.wire.converse(joins(made.id)) as call:
        told = await until(call, lambda e: e.HasField("report_ready"))
    assert told[-1].report_ready.report.questions[0].round == 1
    assert (await first.wire.get(made.id)).state == S.INTERVIEW_STATE_COMPLETED


async def test_old_interviews_are_deleted_with_all_that_is_kept_of_them(
    store: FailingStore, bank: Bank, tmp_path: Path
) -> None:
    async with orchestrator(store, bank, tmp_path, retention_days=1e-9) as running:
        made = await running.wire.create(rounds=1, follow_ups=0)
        async with running.wire.converse(joining(made.id)) as call:
            await until(call, lambda e: e.HasField("utterance_started"))
            for _ in range(20):
                await call.write(pb.ConverseRequest(candidate=audio(b"\1\0\1\0" * 4800)))
            await heard(running.wire, 1.9)
            await running.recordings.book_once()
            end = pb.EndInterviewRequest(interview_id=made.id)
            await running.wire.interviews.EndInterview(end, **outgoing(PATIENCE, **ANN))
            while isinstance(await call.read(), pb.ConverseResponse):
                pass
        assert list((tmp_path / "recordings").iterdir())
        for _ in range(2):  # The first only notes what the clock shows.
            await running.keeping.delete_old()
        assert await store.find("ann", made.id) is None
        assert list((tmp_path / "recordings").iterdir()) == []


async def test_a_live_interview_is_deleted_from_anywhere(
    two: tuple[Orchestrator, Orchestrator], store: FailingStore
) -> None:
    first, second = two
    made = await first.wire.create()
    async with first.wire.converse(joins(made.id)) as call:
        await until(call, asked)
        request = pb.DeleteInterviewRequest(interview_id=made.id)
        for one in (second, first):
            await one.wire.interviews.DeleteInterview(request, **outgoing(PATIENCE, **ANN))
        assert await store.find("ann", made.id) is None


@pytest.mark.parametrize("state", [State.REVIEWING, State.COMPLETED])
async def test_what_is_deleted_while_its_report_is_written_or_stored_ends_like_any_other(
    state: State,
    bank: Bank,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = SlowStore()
    report = Review.report

    async def written(review: Review) -> Report:
        store.gate.clear()
        if state is State.REVIEWING:
            await asyncio.Event().wait()
        return await report(review)

    monkeypatch.setattr(Review, "report", written)
    async with orchestrator(store, bank, tmp_path) as running:
        made = await running.wire.create(rounds=1, follow_ups=0)
        async with running.wire.converse(joins(made.id)) as call:
            await until(call, asked)
            await call.write(says("The first answer."))
            session = await reached(running, made.id, state)
            assert not session.over
            await running.house.delete("ann", made.id)
            async with asyncio.timeout(PATIENCE):
                while isinstance(await call.read(), pb.ConverseResponse):
                    pass
        assert not await store.holds(made.id)
    assert not [logged for logged in caplog.records if logged.levelno >= logging.ERROR]


async def reached(running: Orchestrator, interview_id: str, state: State) -> Session:
    """The session of an interview that has come so far."""
    session = running.sessions.here(interview_id)
    assert session is not None

    async def so_far() -> bool:
        return session.chronicle.interview.state is state

    await until_true(so_far)
    return session


async def test_a_session_of_another_version_is_refused_and_then_has_failed(
    two: tuple[Orchestrator, Orchestrator], store: FailingStore
) -> None:
    first, _ = two
    unreadable = [await first.wire.create(rounds=1, follow_ups=0) for _ in range(2)]
    for made in unreadable:
        found = await store.find("ann", made.id)
        lease = await store.acquire(made.id, "127.0.0.1:1/old", 60.0)
        assert found is not None
        assert isinstance(lease, Lease)
        reviewing = replace(found, state=State.REVIEWING)
        await store.commit(lease, reviewing, b'{"version": 99, "session": {}}', [])
        await store.release(lease)
    async with first.wire.converse(joins(unreadable[0].id)) as call:
        refusal = await refused(call)
    assert (refusal.code(), reason(refusal)) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "SESSION_VERSION",
    )
    await first.keeping.finish_reviews()
    for made in unreadable:
        failed = await first.wire.get(made.id)
        assert failed.state == S.INTERVIEW_STATE_FAILED
        assert await store.holder(made.id) is None
    assert not await store.unreviewed(10)


class BadRows(FailingStore):
    """A store of which some rows cannot be read."""

    bad: tuple[str, ...] = ()
    swept: asyncio.Event

    async def find(self, user: str, interview_id: str) -> Interview | None:
        if interview_id in self.bad:
            raise ValueError("no such category")
        return await super().find(user, interview_id)

    async def delete(
        self,
        user: str,
        interview_id: str,
        lease: Lease | None = None,
        expiry: Expiry | None = None,
    ) -> None:
        if interview_id in self.bad:
            raise ValueError("no such category")
        await super().delete(user, interview_id, lease, expiry)

    async def forget_deletions(self, older_than: datetime) -> None:
        self.swept.set()
        await super().forget_deletions(older_than)


async def test_one_bad_row_or_a_folder_that_is_gone_ends_no_server(
    bank: Bank, tmp_path: Path
) -> None:
    store = BadRows(100)
    store.swept = asyncio.Event()
    async with orchestrator(store, bank, tmp_path, retention_days=1e-9) as running:
        bad, good = [await running.wire.create(rounds=1, follow_ups=0) for _ in range(2)]
        found = await store.find("ann", bad.id)
        assert found is not None
        await store.save(replace(found, state=State.REVIEWING))
        store.bad = (bad.id,)
        (tmp_path / "recordings").rmdir()
        await running.keeping.delete_old()  # It only notes what the clock shows.
        running_on = asyncio.create_task(running.keeping.run())
        await store.swept.wait()

        async def only_the_bad_one() -> bool:
            return await store.find("ann", good.id) is None

        await until_true(only_the_bad_one)
        await running.recordings.sweep()
        assert not running_on.done()
        running_on.cancel()


# Several calls of one process at once.


class YieldingStore(MemoryStore):
    """A store that lets others run before each of its steps, as a database does."""

    async def acquire(
        self, interview_id: str, holder: str, seconds: float, beyond: int | None = None
    ) -> Lease | Holder:
        await _let_others()
        return await super().acquire(interview_id, holder, seconds, beyond)

    async def find(self, user: str, interview_id: str) -> Interview | None:
        await _let_others()
        return await super().find(user, interview_id)

    async def summary(self, user: str, interview_id: str) -> Summary | None:
        await _let_others()
        return await super().summary(user, interview_id)

    async def delete(
        self,
        user: str,
        interview_id: str,
        lease: Lease | None = None,
        expiry: Expiry | None = None,
    ) -> None:
        await _let_others()
        await super().delete(user, interview_id, lease, expiry)


async def _let_others() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest_asyncio.fixture
async def busy(bank: Bank, tmp_path: Path) -> AsyncIterator[Orchestrator]:
    async with orchestrator(YieldingStore(100), bank, tmp_path) as running:
        yield running


async def made_by(running: Orchestrator) -> str:
    made = await running.house.create("ann", InterviewSettings(rounds=1, follow_ups=0))
    return made.interview.id


async def seated(running: Orchestrator, interview_id: str) -> Seat:
    return await running.house.join(
        "ann", interview_id, source=None, output=None, resume_token=None
    )


async def test_two_ends_at_once_answer_alike(busy: Orchestrator) -> None:
    name = await made_by(busy)
    ended = await asyncio.gather(*(busy.house.end("ann", name) for _ in range(2)))
    assert [each.interview.state for each in ended] == [State.CANCELLED] * 2


async def test_two_deletions_at_once_answer_alike(busy: Orchestrator) -> None:
    name = await made_by(busy)
    await asyncio.gather(*(busy.house.delete("ann", name) for _ in range(2)))
    with pytest.raises(NotFound):
        await busy.house.find("ann", name)


@pytest.mark.parametrize("joins_after", range(12))
async def test_an_end_beside_a_join_ends_the_interview_for_who_is_in_it(
    busy: Orchestrator, joins_after: int
) -> None:
    name = await made_by(busy)
    end = asyncio.create_task(busy.house.end("ann", name))
    for _ in range(joins_after):
        await asyncio.sleep(0)
    try:
        seat = await seated(busy, name)
    except FailedPrecondition:
        pass  # It was over before.
    else:
        async with asyncio.timeout(PATIENCE):
            async for _ in seat.entries():
                pass
    assert (await end).interview.state.over
    assert (await busy.house.find("ann", name)).interview.state is State.CANCELLED


@pytest.mark.parametrize("joins_after", range(12))
async def test_a_deletion_beside_a_join_leaves_nobody_in_it(
    busy: Orchestrator, joins_after: int
) -> None:
    name = await made_by(busy)
    delete = asyncio.create_task(busy.house.delete("ann", name))
    for _ in range(joins_after):
        await asyncio.sleep(0)
    with suppress(NotFound):
        seat = await seated(busy, name)
        async with asyncio.timeout(PATIENCE):
            async for _ in seat.entries():
                pass
    await delete
    assert busy.sessions.here(name) is None
    with pytest.raises(NotFound):
        await busy.house.find("ann", name)


async def test_joins_at_once_hold_no_more_than_the_limit(busy: Orchestrator) -> None:
    names = [await made_by(busy) for _ in range(8)]
    seats = await asyncio.gather(*(seated(busy, name) for name in names), return_exceptions=True)
    assert sum(isinstance(each, Seat) for each in seats) == 2
    assert all(isinstance(each, Seat | Overloaded) for each in seats)
