"""The small parts of the live loop, each by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.interview.clients.seams import PlacedWord
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.clock import AudioTimeline, InterviewClock
from services.interview.conversation.journal import Journal
from services.interview.conversation.playback import ClientClock, Heard, Playback, heard_text
from services.interview.conversation.progress import OPENING, Step, after
from services.interview.events import InterviewerAudio, InterviewerText
from services.interview.interviewer.deciding import Move
from services.interview.interviewer.declining import declined
from services.interview.interviewer.guarding import acceptable, question_from
from services.interview.record import Phase, Speaker, Turn
from services.interview.store.memory import MemoryStore
from tests.interview.test_store_contract import interview


@given(rounds=st.integers(1, 10), follow_ups=st.integers(0, 3), data=st.data())
def test_every_interview_ends_after_all_its_rounds(
    rounds: int, follow_ups: int, data: st.DataObject
) -> None:
    step, asked = OPENING, []
    while step.phase is not Phase.CLOSING:
        deeper = step.follow_up < follow_ups and data.draw(st.booleans())
        step = after(step, Move.FOLLOW_UP if deeper else Move.NEXT, range(1, rounds + 1))
        asked.append(step)
    assert [s.round for s in asked if s.phase is Phase.QUESTION] == list(range(1, rounds + 1))
    for number in range(1, rounds + 1):
        extra = [s for s in asked if s.phase is Phase.FOLLOW_UP and s.round == number]
        assert [s.follow_up for s in extra] == list(range(1, len(extra) + 1))
        assert len(extra) <= follow_ups


def test_nothing_follows_the_closing() -> None:
    with pytest.raises(ValueError, match="closing"):
        after(Step(Phase.CLOSING, 3), Move.NEXT, [1, 2, 3])


def test_the_journal_drops_the_oldest_and_keeps_counting() -> None:
    journal = Journal(lambda: 0.0, max_bytes=4000)
    for number in range(50):
        journal.append(InterviewerAudio("u", number, bytes(200)))
    kept = journal.after(0)
    assert kept[-1].seq == 50
    assert 1 < len(kept) < 50
    assert [entry.seq for entry in kept] == list(range(kept[0].seq, 51))
    assert journal.after(49) == [kept[-1]]
    assert not journal.after(50)


async def test_the_journal_wakes_who_waits() -> None:
    journal = Journal(lambda: 0.0, max_bytes=4000)
    changed = journal.changed()
    journal.append(InterviewerText("u", "hello"))
    assert changed.is_set()
    assert not journal.changed().is_set()


TEXT = "How did you do it?"
WORDS = [
    PlacedWord("How", 3, 0.0, 0.3),
    PlacedWord("did", 7, 0.3, 0.6),
    PlacedWord("you", 11, 0.6, 0.9),
    PlacedWord("do", 14, 0.9, 1.2),
    PlacedWord("it", 17, 1.2, 1.5),
]


@pytest.mark.parametrize(
    ("position", "heard"),
    [(0.0, ""), (0.1, ""), (0.2, "How"), (0.7, "How did"), (0.8, "How did you"), (2.0, TEXT)],
)
def test_the_text_is_cut_at_the_last_word_heard(position: float, heard: str) -> None:
    assert heard_text(TEXT, WORDS, position) == heard


def test_playback_goes_on_between_acknowledgements_but_not_past_what_was_sent() -> None:
    playback = Playback()
    playback = playback.send(1.0, now=10.0)
    assert playback.position(10.4) == pytest.approx(0.4)
    playback = playback.acknowledge(Heard(0.2, 10.5, finished=False))
    assert playback.position(10.7) == pytest.approx(0.4)
    assert playback.position(20.0) == 1.0
    playback = playback.pause(10.8)
    assert playback.position(20.0) == pytest.approx(0.5)
    playback = playback.resume(21.0)
    assert playback.position(21.2) == pytest.approx(0.7)
    assert playback.remaining(21.2) == pytest.approx(0.3)


def test_playback_is_over_when_all_that_was_sent_is_heard() -> None:
    playback = Playback()
    over = []
    playback = playback.send(1.0, now=10.0)
    over.append(playback.finished)
    playback = playback.acknowledge(Heard(1.0, 22.0, finished=False))
    over.append(playback.finished)
    playback = playback.send(2.0, now=22.0)
    over.append(playback.finished)
    playback = playback.acknowledge(Heard(1.1, 23.0, finished=True))
    over.append(playback.finished)
    assert over == [False, True, False, True]


def test_a_late_repeated_or_reordered_position_takes_nothing_back() -> None:
    playback = Playback()
    playback = playback.send(10.0, now=0.0)
    playback = playback.acknowledge(Heard(2.0, 2.0, finished=False))
    for late in (Heard(1.0, 1.0, finished=False), Heard(1.5, 2.1, finished=False)):
        playback = playback.acknowledge(late)
        assert playback.position(2.5) == pytest.approx(2.5)
    # Repeated: playback has stopped at the client.
    playback = playback.acknowledge(Heard(2.0, 3.0, finished=False))
    assert playback.position(3.0) == 2.0
    playback = playback.acknowledge(Heard(2.4, 3.4, finished=True))
    assert playback.finished


@given(
    acks=st.lists(
        st.tuples(st.floats(0, 12), st.floats(0, 12), st.booleans(), st.booleans()), max_size=20
    )
)
def test_what_was_confirmed_as_heard_stays_heard(
    acks: list[tuple[float, float, bool, bool]],
) -> None:
    playback = Playback()
    playback = playback.send(10.0, now=0.0)
    confirmed = 0.0
    for position, when, finished, held in acks:
        playback = playback.acknowledge(Heard(position, when, finished=finished))
        if held:
            playback = playback.pause(12.0)
            playback = playback.resume(12.0)
        assert playback.position(12.0) >= min(confirmed, 10.0)
        confirmed = max(confirmed, playback.confirmed)


def test_a_clients_clock_is_read_by_its_fastest_message() -> None:
    clock = ClientClock()
    assert clock.moment(None, now=7.0) == 7.0
    assert clock.moment(100.0, now=1.0) == 1.0
    assert clock.moment(101.0, now=2.5) == pytest.approx(2.0)  # half a second on its way
    assert clock.moment(102.0, now=2.9) == pytest.approx(2.9)  # the fastest so far
    assert clock.moment(103.0, now=4.0) == pytest.approx(3.9)
    assert clock.moment(3.0, now=5.0) == 5.0  # it jumped, and begins anew
    assert clock.moment(4.0, now=6.5) == 6.0


def test_a_position_that_was_long_on_its_way_tells_where_playback_is_by_now() -> None:
    clock, playback = ClientClock(), Playback()
    playback = playback.send(10.0, now=0.0)
    for position, client_time, now in ((1.0, 51.0, 1.0), (1.2, 51.5, 3.5)):
        when = clock.moment(client_time, now)
        playback = playback.acknowledge(Heard(position, when, finished=False))
    assert playback.position(3.5) == pytest.approx(3.2)


class SetClock(InterviewClock):
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


def test_a_gap_in_the_audio_moves_what_follows() -> None:
    clock = SetClock()
    timeline = AudioTimeline(clock)
    for _ in range(10):
        clock.time += 0.1
        timeline.add(0.1)
    clock.time += 5.0
    timeline.add(0.1)
    assert timeline.at(0.5) == pytest.approx(0.5)
    assert timeline.at(1.1) == pytest.approx(6.0)


def test_audio_that_was_held_up_is_placed_where_it_was_spoken() -> None:
    clock = SetClock()
    timeline = AudioTimeline(clock)
    for _ in range(10):
        clock.time += 0.1
        timeline.add(0.1)
    clock.time += 3.0
    for _ in range(30):
        timeline.add(0.1)
    clock.time += 0.1
    timeline.add(0.1)
    assert timeline.at(timeline.received) == pytest.approx(clock.time)


@pytest.mark.parametrize(
    ("answer", "deeper"),
    [
        ("I don't know.", False),
        ("Sorry, can we skip this one?", False),
        ("No idea, to be honest.", False),
        (
            "I don't know the exact number, but we halved the cost by moving jobs to the night.",
            True,
        ),
        ("We split the service in two.", True),
    ],
)
def test_a_follow_up_helps_only_after_an_answer(answer: str, deeper: bool) -> None:
    assert declined(answer, "") is not deeper


ANSWER = "I built a dashboard for our sensors and the outages went down."


@pytest.mark.parametrize(
    "question",
    [
        "How did you choose what to show on the dashboard?",
        "What did the outages cost you before?",
    ],
)
def test_good_questions_pass(question: str) -> None:
    assert acceptable(question, answer=ANSWER, asked=[])


@pytest.mark.parametrize(
    "question",
    [
        "How did you choose the dashboard",
        "Why dashboard?",
        "How did you like the holidays?",
        "Tell me about the dashboard, will you please?",
        "How did you build the dashboard? And the sensors?",
        "How did you as the candidate build the dashboard?",
        "How did you build the dashboard. Was it the dashboard?",
        "How did you build the dashboard how did you build the dashboard?",
        "How did you " + "build the dashboard and then " * 9 + "stop?",
        "How did you build <the> dashboard?",
    ],
)
def test_bad_questions_are_refused(question: str) -> None:
    assert not acceptable(question, answer=ANSWER, asked=[])


def test_a_question_is_not_asked_twice() -> None:
    asked = ["Thank you. How did you build the dashboard?"]
    assert not acceptable("How did you build that dashboard then?", answer=ANSWER, asked=asked)


def test_only_the_first_question_is_taken() -> None:
    assert question_from(' "How did it go?" And then?') == "How did it go?"
    assert question_from("No question here.") is None


# The record.


async def test_turns_stand_in_the_order_of_their_beginnings_whenever_their_text_comes() -> None:
    """A recogniser that hung tells what was said long after the interviewer has gone on."""
    clock = InterviewClock()
    chronicle = Chronicle(interview(), MemoryStore(1), clock, Journal(clock.now, 1 << 20))

    def turn(name: str, start: float) -> Turn:
        speaker = Speaker.CANDIDATE if name.startswith("c") else Speaker.INTERVIEWER
        return Turn(name, speaker, name, start, start + 1.0, round=1, question_id="q1")

    for name, start in (("i1", 0.0), ("i2", 9.0), ("c1", 3.0), ("i3", 5.0), ("c2", 12.0)):
        chronicle.keep_turn(turn(name, start))
    assert [kept.id for kept in chronicle.interview.turns] == ["i1", "c1", "i3", "i2", "c2"]
    # One that is heard again, and began elsewhere.
    chronicle.keep_turn(turn("c1", 6.0))
    assert [kept.id for kept in chronicle.interview.turns] == ["i1", "i3", "c1", "i2", "c2"]
