"""What bridges two processes: the clock, the ids, the numbers of events."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.interview.conversation.journal import REBUILT_GAP, Journal
from services.interview.events import CandidateTurn, Entry
from services.interview.rebuilding import clock_of
from services.interview.record import Interview, SpokenWord, State, may_become
from services.runtime.ids import new_id
from tests.interview.test_store_contract import interview, turn


def begun(seconds_ago: float) -> Interview:
    return interview(started=datetime.now(UTC) - timedelta(seconds=seconds_ago))


def entry(seq: int, at: float = 0.0) -> Entry:
    return Entry(seq, at, CandidateTurn(turn(seq)))


async def test_the_clock_goes_on_by_wall_time() -> None:
    assert clock_of(begun(100.0), [entry(1, 90.0)]).now() == pytest.approx(100.0, abs=1.0)


@pytest.mark.parametrize("seconds_ago", [10.0, -10_000.0])
async def test_a_wall_clock_that_was_set_back_does_not_set_the_interviews_back(
    seconds_ago: float,
) -> None:
    clock = clock_of(begun(seconds_ago), [entry(1, 50.0), entry(2, 90.0)])
    first = clock.now()
    assert first >= 90.0
    assert first < 91.0
    said = replace(turn(1), end=95.0)
    assert clock_of(replace(begun(seconds_ago), turns=(said,)), [entry(1, 90.0)]).now() >= 95.0


async def test_the_clock_of_what_never_began_has_not_started() -> None:
    clock = clock_of(interview(), [])
    assert clock.now() == 0.0
    clock.start()
    await asyncio.sleep(0)
    assert clock.now() > 0.0


async def test_a_journal_goes_on_far_behind_what_was_kept() -> None:
    kept = [entry(3), entry(7), entry(40)]
    journal = Journal(lambda: 1.0, 1 << 20, b"12345678", kept)
    assert journal.epoch == b"12345678"
    assert journal.last_seq == 40 + REBUILT_GAP
    assert journal.after(40) == ()
    assert journal.after(40 + 17) == ()
    new = [journal.append(CandidateTurn(turn(n))) for n in (1, 2)]
    assert [each.seq for each in new] == [40 + REBUILT_GAP + 1, 40 + REBUILT_GAP + 2]
    for seq, expected in ((0, [*kept, *new]), (3, [*kept[1:], *new]), (5, [*kept[1:], *new])):
        assert list(journal.after(seq)) == expected
    assert list(journal.after(41)) == new
    assert list(journal.after(new[0].seq)) == new[1:]
    assert journal.after(new[1].seq) == ()


async def test_a_journal_goes_on_far_behind_what_was_told_though_nothing_of_it_was_kept() -> None:
    assert Journal(lambda: 1.0, 1 << 20, b"12345678", told=7).last_seq == 7 + REBUILT_GAP
    assert Journal(lambda: 1.0, 1 << 20, b"12345678", [entry(3)], told=70).last_seq == (
        70 + REBUILT_GAP
    )
    assert Journal(lambda: 1.0, 1 << 20, b"12345678", [entry(3)], told=0).last_seq == (
        3 + REBUILT_GAP
    )
    # A server that died before it told anything: what it told after its last commit had numbers.
    assert Journal(lambda: 1.0, 1 << 20, b"12345678", told=0).last_seq == REBUILT_GAP
    assert Journal(lambda: 1.0, 1 << 20, b"12345678").last_seq == 0


def test_ids_are_uuids_of_version_7_in_their_order() -> None:
    ids = [new_id(float(second)) for second in range(1_700_000_000, 1_700_000_050)]
    assert ids == sorted(ids)
    assert all(len(name) == 32 and name[12] == "7" and name[16] in "89ab" for name in ids)
    assert len({new_id(1.0) for _ in range(1000)}) == 1000


def test_no_state_is_left_by_a_move_that_makes_no_sense() -> None:
    assert may_become(State.READY, State.LIVE)
    assert may_become(State.PAUSED, State.LIVE)
    assert may_become(State.LIVE, State.REVIEWING)
    assert may_become(State.REVIEWING, State.COMPLETED)
    assert not may_become(State.READY, State.COMPLETED)
    assert not may_become(State.COMPLETED, State.LIVE)
    for over in (State.COMPLETED, State.CANCELLED, State.FAILED):
        assert not any(may_become(over, state) for state in State if state is not over)
    # No state without an exit, until it is over for good.
    for state in (State.READY, State.LIVE, State.PAUSED, State.REVIEWING):
        assert any(may_become(state, other) for other in State if other is not state)


async def test_a_journal_counts_texts_and_words() -> None:
    long = replace(turn(1), text="索引" * 1000, words=(SpokenWord("索引", 0.0, 1.0),) * 1000)
    journal = Journal(lambda: 1.0, 1 << 20)
    for _ in range(20):
        journal.append(CandidateTurn(long))
    assert len(journal.after(0)) < 10
