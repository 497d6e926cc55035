"""What every store promises: asked of the one in memory and of a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.interview.events import (
    CandidateTurn,
    Entry,
    Event,
    ReportReady,
    StateChanged,
    UtteranceEnded,
)
from services.interview.record import (
    Category,
    Difficulty,
    Failure,
    Interview,
    InterviewSettings,
    Phase,
    Speaker,
    SpokenWord,
    State,
    Turn,
)
from services.interview.reports.report import Basis, Report
from services.interview.store.memory import MemoryStore
from services.interview.store.postgres import PostgresStore
from services.interview.store.store import (
    Expiry,
    Holder,
    Lease,
    LeaseLost,
    NotExpired,
    Place,
    Recorded,
    Store,
)
from services.runtime.clock_jumps import Sweeps
from services.runtime.ids import new_id
from services.runtime.postgres.database import open_database
from tests.interview.databases import Postgres

ME = "127.0.0.1:7105/me"
OTHER = "127.0.0.1:7115/other"
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SECONDS = 60.0


def interview(user: str = "ann", **changes: Any) -> Interview:
    made = Interview(
        id=new_id(),
        user=user,
        settings=InterviewSettings(
            language="en",
            topics=("databases", "索引"),
            categories=(Category.TECHNICAL,),
            difficulty=Difficulty.HARD,
        ),
        plan=("q1", "q2"),
        created=NOW,
        voice="joe",
    )
    return replace(made, **changes)


def turn(number: int, text: str = "I add an index.") -> Turn:
    words = (SpokenWord("I", 1.25, 1.5, 0.875), SpokenWord("add", 1.5, 2.0))
    speaker = Speaker.CANDIDATE if number % 2 else Speaker.INTERVIEWER
    return Turn(f"t{number}", speaker, text, 1.25, 3.0, words, 1, "q1")


def report(name: str, score: float = 50.0) -> Report:
    return Report(name, score, (), (), ("s",), (), (), Basis.RUBRIC_LEXICAL, "all", 12.5)


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest, postgres: Postgres) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(100)
        return
    async with open_database(await postgres.emptied(), 10.0) as database:
        yield PostgresStore(database)


async def driven(store: Store, made: Interview, holder: str = ME) -> Lease:
    await store.save(made)
    lease = await store.acquire(made.id, holder, SECONDS)
    assert isinstance(lease, Lease)
    return lease


async def reported(store: Store, made: Interview, written: Report) -> None:
    lease = await store.acquire(made.id, ME, SECONDS)
    assert isinstance(lease, Lease)
    await store.commit(lease, made, b"", [], written)
    await store.release(lease)


async def test_an_interview_is_found_as_it_was_saved(store: Store) -> None:
    full = interview(
        asked=InterviewSettings(),
        key="k",
        started=NOW,
        ended=NOW + timedelta(seconds=1),
        state=State.FAILED,
        phase=Phase.FOLLOW_UP,
        round=2,
        turns=(turn(1), turn(2)),
        overall_score=12.5,
        failure=Failure(13, "REASON", "what"),
    )
    await store.save(full)
    assert await store.find("ann", full.id) == full
    summary = await store.summary("ann", full.id)
    assert summary is not None
    assert (summary.interview, summary.turn_count) == (replace(full, turns=()), 2)


async def test_what_is_no_id_is_not_found(store: Store) -> None:
    assert await store.find("ann", "nothing") is None
    assert await store.summary("ann", "\0") is None
    assert not await store.turns("ann", "", 10, 0)


async def test_what_is_only_tried_out_leaves_nothing(store: Store) -> None:
    made = interview()
    await store.save(made)
    await store.try_out("ann", 100_000)
    assert [kept.interview.id for kept in await store.page("ann", 10, None)] == [made.id]


async def test_a_commit_writes_turns_state_session_and_events(store: Store) -> None:
    made = interview()
    lease = await driven(store, made)
    first = replace(made, state=State.LIVE, turns=(turn(1),))
    told: list[Event] = [
        StateChanged(State.LIVE, Phase.OPENING, 0),
        CandidateTurn(turn(1)),
        UtteranceEnded("u", turn(2), True),
    ]
    entries = [Entry(number * 7, 1.5, event) for number, event in enumerate(told, 1)]
    await store.commit(lease, first, b"one", entries[:2])
    revised = replace(first, turns=(turn(1, "I add two."), turn(2)), round=1)
    await store.commit(lease, revised, b"two", entries[2:])
    assert await store.find("ann", made.id) == revised
    assert await store.session(made.id) == (b"two", entries)
    assert list(await store.turns("ann", made.id, 1, 1)) == [turn(2)]
    taken_back = replace(revised, turns=(turn(2),))
    await store.commit(lease, taken_back, b"three", [])
    assert await store.find("ann", made.id) == taken_back


async def test_a_commit_that_is_repeated_changes_nothing(store: Store) -> None:
    made = interview()
    lease = await driven(store, made)
    live = replace(made, state=State.LIVE, turns=(turn(1),))
    entry = Entry(3, 0.5, CandidateTurn(turn(1)))
    for _ in range(2):
        await store.commit(lease, live, b"s", [entry])
    assert await store.find("ann", made.id) == live
    assert await store.session(made.id) == (b"s", [entry])


async def test_a_report_is_kept_with_the_event_that_tells_it(store: Store) -> None:
    made = interview()
    lease = await driven(store, made)
    told = Entry(9, 2.0, ReportReady(report(made.id)))
    await store.commit(lease, replace(made, state=State.COMPLETED), b"", [told], report(made.id))
    assert await store.report("ann", made.id) == report(made.id)
    assert await store.session(made.id) == (b"", [told])


async def test_who_has_lost_the_lease_writes_no_report(store: Store) -> None:
    made = interview()
    await store.save(made)
    old = await store.acquire(made.id, ME, 0.0)
    new = await store.acquire(made.id, OTHER, SECONDS)
    assert isinstance(old, Lease)
    assert isinstance(new, Lease)
    await store.commit(new, made, b"", [], report(made.id, 2.0))
    with pytest.raises(LeaseLost):
        await store.commit(old, made, b"", [], report(made.id, 1.0))
    await store.commit(new, made, b"", [])
    assert await store.report("ann", made.id) == report(made.id, 2.0)


async def test_text_that_no_database_takes_is_kept_without_it(store: Store) -> None:
    made = interview()
    lease = await driven(store, made)
    odd = replace(turn(1), text="a\0b", words=(SpokenWord("a\0b\ud7ff", 0.0, 1.0),))
    await store.commit(lease, replace(made, turns=(odd,)), b"", [Entry(1, 0.0, CandidateTurn(odd))])
    found = await store.find("ann", made.id)
    assert found is not None
    assert found.turns[0].text in {"ab", "a\0b"}


# Leases.


async def test_one_of_two_gets_the_lease_and_the_other_learns_who(store: Store) -> None:
    made = interview()
    await store.save(made)
    both = await asyncio.gather(*(store.acquire(made.id, who, SECONDS) for who in (ME, OTHER)))
    [lease] = [each for each in both if isinstance(each, Lease)]
    [holder] = [each for each in both if isinstance(each, Holder)]
    assert (holder.name, holder.token) == (lease.holder, lease.token)
    assert holder.address == lease.holder.partition("/")[0]


async def test_a_lease_that_ran_out_is_taken_and_its_token_is_worth_nothing(store: Store) -> None:
    made = interview()
    await store.save(made)
    old = await store.acquire(made.id, ME, 0.0)
    new = await store.acquire(made.id, OTHER, SECONDS)
    assert isinstance(old, Lease)
    assert isinstance(new, Lease)
    assert new.token > old.token
    with pytest.raises(LeaseLost):
        await store.commit(old, replace(made, round=1), b"", [])
    assert await store.renew_all([old, new], SECONDS) == [old]
    await store.release(old)
    assert isinstance(await store.acquire(made.id, ME, SECONDS), Holder)
    assert await store.find("ann", made.id) == made


async def test_a_lease_that_ran_out_and_nobody_took_is_still_good(store: Store) -> None:
    made = interview()
    await store.save(made)
    lease = await store.acquire(made.id, ME, 0.0)
    assert isinstance(lease, Lease)
    await store.commit(lease, replace(made, round=1), b"", [])
    assert await store.renew_all([lease], SECONDS) == []
    assert isinstance(await store.acquire(made.id, OTHER, SECONDS), Holder)


async def test_a_late_renewal_revives_no_lease_that_was_given_back(store: Store) -> None:
    made = interview()
    lease = await driven(store, made)
    await store.release(lease)
    assert await store.renew_all([lease], SECONDS) == [lease]
    assert await store.holder(made.id) is None


async def test_a_holder_that_is_gone_is_passed_over_once(store: Store) -> None:
    made = interview()
    gone = await driven(store, made)
    taken = await store.acquire(made.id, OTHER, SECONDS, beyond=gone.token)
    assert isinstance(taken, Lease)
    assert isinstance(await store.acquire(made.id, ME, SECONDS, beyond=gone.token), Holder)


async def test_tokens_rise_beyond_a_release(store: Store) -> None:
    made = interview()
    first = await driven(store, made)
    await store.release(first)
    second = await store.acquire(made.id, ME, SECONDS)
    assert isinstance(second, Lease)
    assert second.token > first.token


async def test_there_is_no_lease_of_what_is_not_there(store: Store) -> None:
    with pytest.raises(LeaseLost):
        await store.acquire(new_id(), ME, SECONDS)


async def test_an_interview_whose_orchestrator_died_is_paused(store: Store) -> None:
    made = interview()
    lease = await driven(store, made)
    live = replace(made, state=State.LIVE)
    await store.commit(lease, live, b"", [])
    assert await store.find("ann", made.id) == live
    await store.renew_all([lease], 0.0)
    paused = replace(live, state=State.PAUSED)
    assert await store.find("ann", made.id) == paused
    [listed] = await store.page("ann", 10, None)
    assert listed.interview == paused


# Whose it is.


async def test_another_users_interview_does_not_exist(store: Store) -> None:
    made = interview(key="k", state=State.COMPLETED, turns=(turn(1),), ended=NOW)
    await store.save(made)
    await reported(store, made, report(made.id))
    await store.save_recorded(Recorded("f", made.id, "ann", Speaker.CANDIDATE, 16000, b"key"))
    later = interview("bob", created=NOW + timedelta(days=1))
    await store.save(later)
    await reported(store, later, report(made.id, 1.0))
    await store.save_recorded(Recorded("g", made.id, "bob", Speaker.CANDIDATE, 16000, b"key"))
    await store.delete("bob", made.id)
    assert await store.find("bob", made.id) is None
    assert await store.summary("bob", made.id) is None
    assert await store.find_by_key("bob", "k") is None
    assert not await store.turns("bob", made.id, 10, 0)
    assert await store.report("bob", made.id) is None
    assert not await store.recorded("bob", made.id)
    assert await store.previous("bob", later) is None
    assert not await store.deleted("bob", made.id)
    assert [listed.interview.id for listed in await store.page("bob", 10, None)] == [later.id]
    assert await store.find("ann", made.id) == made
    assert await store.report("ann", made.id) == report(made.id)
    assert [each.file for each in await store.recorded("ann", made.id)] == ["f"]


async def test_pages_go_on_behind_their_last(store: Store) -> None:
    made = [interview(created=NOW + timedelta(seconds=n // 2)) for n in range(5)]
    for each in made:
        await store.save(each)
    expected = sorted(made, key=lambda each: (each.created, each.id), reverse=True)
    first = await store.page("ann", 2, None)
    last = first[-1].interview
    rest = await store.page("ann", 10, Place(last.created, last.id))
    assert [each.interview for each in (*first, *rest)] == expected


async def test_what_nobody_joined_is_found_the_oldest_first(store: Store) -> None:
    later, first = interview(created=NOW + timedelta(hours=1)), interview(created=NOW)
    cancelled = interview(created=NOW + timedelta(hours=2), state=State.CANCELLED, ended=NOW)
    begun = interview(state=State.PAUSED, started=NOW)
    over = interview(state=State.CANCELLED, started=NOW, ended=NOW)
    for each in (later, first, cancelled, begun, over, interview(user="bob")):
        await store.save(each)
    assert await store.unbegun("ann", 5) == [first.id, later.id, cancelled.id]
    assert await store.unbegun("ann", 1) == [first.id]


async def test_a_key_finds_what_it_created(store: Store) -> None:
    made = interview(key="k")
    await store.save(made)
    assert await store.find_by_key("ann", "k") == made
    newer = interview(key="k", created=NOW + timedelta(days=2))
    await store.save(newer)
    assert await store.find_by_key("ann", "k") == newer


async def test_the_previous_interview_is_the_last_that_was_finished(store: Store) -> None:
    def done(day: int, **changes: Any) -> Interview:
        when = NOW + timedelta(days=day)
        return interview(**{"created": when, "ended": when, "state": State.COMPLETED, **changes})

    earlier, last = done(0), done(1)
    others = [
        done(2, state=State.CANCELLED),
        done(3, user="bob"),
        done(4, settings=InterviewSettings(language="zh")),
        done(9),
    ]
    for each in (last, earlier, *others):
        await store.save(each)
        await reported(store, each, report(each.id, 70.0 if each is last else 1.0))
    now = interview(created=NOW + timedelta(days=8))
    await store.save(now)
    found = await store.previous("ann", now)
    assert found is not None
    assert (found.interview, found.report.overall_score) == (last, 70.0)
    assert await store.previous("ann", earlier) is None


# Deletion.


async def test_a_deletion_leaves_nothing_and_is_remembered(store: Store) -> None:
    made = interview(key="k")
    lease = await driven(store, made)
    live = replace(made, state=State.LIVE, turns=(turn(1),))
    await store.commit(lease, live, b"s", [Entry(1, 0.0, CandidateTurn(turn(1)))], report(made.id))
    await store.save_recorded(Recorded("f", made.id, "ann", Speaker.CANDIDATE, 16000, b"key"))
    with pytest.raises(LeaseLost):
        await store.delete("ann", made.id)
    await store.delete("ann", made.id, lease)
    assert await store.find("ann", made.id) is None
    assert await store.find_by_key("ann", "k") is None
    assert await store.session(made.id) is None
    assert await store.report("ann", made.id) is None
    assert not await store.recorded("ann", made.id)
    assert not await store.known_files(["f"])
    deletion = await store.deleted("ann", made.id)
    assert deletion is not None
    assert not deletion.unbegun
    # What a conversation that has not heard of it still writes is nowhere.
    with pytest.raises(LeaseLost):
        await store.commit(lease, live, b"s", [])
        assert await store.report("ann", made.id) is None
    await store.forget_deletions(datetime.now(UTC) + timedelta(seconds=1))
    assert not await store.deleted("ann", made.id)


async def test_what_is_held_is_known_whosever_it_is(store: Store) -> None:
    made = interview(state=State.READY, started=None)
    assert not await store.holds(made.id)
    await store.save(made)
    assert await store.holds(made.id)
    await store.delete("ann", made.id)
    assert not await store.holds(made.id)
    deletion = await store.deleted("ann", made.id)
    assert deletion is not None
    assert deletion.unbegun


async def test_who_records_is_told_whose_it_is(store: Store) -> None:
    made = interview()
    lease = await driven(store, made)
    file = Recorded("1", made.id, "ann", Speaker.CANDIDATE, 16000, b"key")
    assert await store.save_recorded(file) == "ann"
    await store.transfer("ann", "bob", [lease], lambda _: b"bob's")
    longer = replace(file, size=2)
    assert await store.save_recorded(longer) == "bob"
    assert not await store.recorded("ann", made.id)
    for each in (longer, replace(longer, file="2")):
        assert await store.save_recorded(replace(each, user="bob", wrapped_key=b"bob's")) == "bob"
    assert [each.size for each in await store.recorded("bob", made.id)] == [2, 2]
    await store.delete("bob", made.id, lease)
    assert await store.save_recorded(file) is None


async def test_recordings_are_known_by_their_files(store: Store) -> None:
    made = interview()
    await store.save(made)
    file = Recorded("1", made.id, "ann", Speaker.CANDIDATE, 16000, b"key")
    whole = replace(file, places=((0.0, 1.5), (2.0, 9.0)), size=1 << 33, over=True)
    other = replace(file, file="2", speaker=Speaker.INTERVIEWER)
    for each in (file, whole, other):
        await store.save_recorded(each)
    assert list(await store.recorded("ann", made.id)) == [whole, other]
    assert list(await store.recorded("ann", made.id, Speaker.INTERVIEWER)) == [other]
    assert await store.known_files(["1", "3"]) == {"1"}


# Housekeeping.


async def test_what_is_old_is_told_of_all_users(store: Store) -> None:
    old, other = interview(), interview("bob")
    await store.save(old)
    await store.save(other)
    assert not await store.expired(NOW, timedelta(), 10)
    found = await store.expired(datetime.now(UTC) + timedelta(seconds=5), timedelta(), 10)
    assert list(found) == [("ann", old.id), ("bob", other.id)]


async def test_what_is_not_too_old_any_more_is_not_removed_by_its_age(store: Store) -> None:
    made = interview()
    lease = await driven(store, made)
    sweep = Expiry(datetime.now(UTC) + timedelta(days=2), timedelta(days=1))
    await store.commit(lease, made, b"s", [])
    await store.keep_for("ann", timedelta(days=5))  # Never longer than everybody's.
    for kept in (replace(sweep, kept_for=timedelta(days=3)), replace(sweep, kept_for=None)):
        with pytest.raises(NotExpired):
            await store.delete("ann", made.id, lease, kept)
    assert await store.holds(made.id)
    await store.delete("bob", made.id, lease, sweep)
    assert await store.holds(made.id)
    await store.delete("ann", made.id, lease, sweep)
    assert not await store.holds(made.id)
    assert await store.deleted("ann", made.id)


async def test_an_owners_shorter_wish_counts_when_theirs_is_removed_by_its_age(
    store: Store,
) -> None:
    made = interview()
    await store.save(made)
    for_ever = Expiry(datetime.now(UTC) + timedelta(days=2), None)
    await store.keep_for("ann", timedelta(days=1))
    await store.delete("ann", made.id, None, for_ever)
    assert not await store.holds(made.id)


async def test_sweeps_are_judged_by_what_was_seen_of_the_clock_before(store: Store) -> None:
    day = timedelta(days=1)
    assert await store.judge_sweep(NOW) == (Sweeps(NOW), False)
    assert await store.judge_sweep(NOW + day) == (Sweeps(NOW + day), True)
    jumped = NOW + 400 * day
    assert await store.judge_sweep(jumped) == (Sweeps(NOW + day, jumped, jumped), False)
    later = jumped + day / 24
    assert await store.judge_sweep(later) == (Sweeps(NOW + day, jumped, later), False)
    assert await store.judge_sweep(NOW + 2 * day) == (Sweeps(NOW + 2 * day), True)


async def test_sweeps_at_once_are_judged_one_after_the_other(store: Store) -> None:
    judged = await asyncio.gather(*(store.judge_sweep(NOW) for _ in range(4)))
    assert sorted(believed for _, believed in judged) == [False, True, True, True]


async def test_a_review_that_nobody_goes_on_with_is_told(store: Store) -> None:
    made = interview()
    lease = await driven(store, made)
    await store.commit(lease, replace(made, state=State.REVIEWING), b"", [])
    assert not await store.unreviewed(10)
    await store.release(lease)
    assert list(await store.unreviewed(10)) == [("ann", made.id)]
