"""What comes after an answer, how hard the next question is, and which one takes its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.interview.interviewer.assessing import Assessment, assess
from services.interview.interviewer.deciding import Course, Move, decide, next_difficulty
from services.interview.interviewer.declining import declined, subject
from services.interview.questions.bank import load_bank
from services.interview.questions.index import QuestionIndex
from services.interview.questions.planning import harder_or_easier, plan
from services.interview.record import Difficulty, InterviewSettings
from tests.interview.stage import FakeEmbedder, question

COURSE = Course(rounds=3, follow_ups=1, round=1)
PARTLY = Assessment(("a",), ("b",), 0.5, declined=False, words=30)


def test_what_was_missed_is_asked_about() -> None:
    assert decide(COURSE, PARTLY) is Move.FOLLOW_UP


@pytest.mark.parametrize(
    ("course", "assessment", "move"),
    [
        (COURSE, replace(PARTLY, missed=(), level=0.9), Move.NEXT),
        (COURSE, replace(PARTLY, declined=True), Move.NEXT),
        (COURSE, None, Move.NEXT),
        (replace(COURSE, follow_up=1), PARTLY, Move.NEXT),
        (replace(COURSE, round=3, follow_up=1), PARTLY, Move.CLOSE),
        (replace(COURSE, round=3), replace(PARTLY, declined=True), Move.CLOSE),
        (replace(COURSE, round=0), None, Move.NEXT),
    ],
)
def test_the_interview_moves_on(course: Course, assessment: Assessment | None, move: Move) -> None:
    assert decide(course, assessment) is move


@given(st.integers(1, 10), st.integers(0, 3), st.lists(st.booleans(), max_size=60))
def test_every_interview_ends(rounds: int, follow_ups: int, declines: list[bool]) -> None:
    course = Course(rounds, follow_ups)
    for step in range(rounds * (follow_ups + 1) + 1):
        declined = declines[step] if step < len(declines) else False
        assessment = None if course.round == 0 else replace(PARTLY, declined=declined)
        move = decide(course, assessment)
        if move is Move.CLOSE:
            return
        if move is Move.NEXT:
            course = replace(course, round=course.round + 1, follow_up=0)
        else:
            course = replace(course, follow_up=course.follow_up + 1)
        assert course.round <= rounds
        assert course.follow_up <= follow_ups
    raise AssertionError("it goes on for ever")


def test_difficulty_follows_performance() -> None:
    assert next_difficulty(COURSE, None) is Difficulty.MEDIUM
    assert next_difficulty(replace(COURSE, levels=(0.8,)), None) is Difficulty.HARD
    assert next_difficulty(replace(COURSE, levels=(0.1,)), None) is Difficulty.EASY
    assert next_difficulty(replace(COURSE, levels=(0.8, 0.1)), None) is Difficulty.MEDIUM
    assert next_difficulty(replace(COURSE, levels=(0.9, 0.9)), Difficulty.EASY) is Difficulty.EASY


async def test_a_question_is_replaced_by_one_on_the_same_topic(tmp_path: Path) -> None:
    bank = load_bank()
    index = QuestionIndex(bank, FakeEmbedder(), tmp_path)
    await index.build()
    planned = [q for q in bank if q.id in {"tech-data-slow-query", "tech-data-index"}]
    place = next(n for n, q in enumerate(planned, 1) if q.id == "tech-data-slow-query")
    harder = harder_or_easier(planned, place, Difficulty.HARD, index)
    assert harder.difficulty is Difficulty.HARD
    assert set(harder.tags) & {"databases", "sql", "debugging"}
    assert harder not in planned
    # The only easy one is asked anyway; another easy question of the topic is taken.
    easier = harder_or_easier(planned, place, Difficulty.EASY, index)
    assert easier.id != "tech-data-index"
    assert harder_or_easier(planned, place, Difficulty.MEDIUM, index) is planned[place - 1]


async def test_a_plan_asks_in_one_language(tmp_path: Path) -> None:
    index = QuestionIndex(load_bank(), FakeEmbedder(), tmp_path)
    for language in ("en", "zh"):
        asked = await plan(InterviewSettings(language=language, rounds=5), index, [], "seed")
        assert {q.language for q in asked} == {language}
        assert len(asked) == 5


async def test_an_answer_is_assessed_by_what_it_covers() -> None:
    assessed = await assess(FakeEmbedder(), question(1), "We watch slow queries and add an index.")
    assert assessed.covered == ("watch slow queries and add the right index",)
    assert len(assessed.missed) == 2
    assert 0 < assessed.level < 1
    assert Assessment.from_json(assessed.to_json()) == assessed
    with pytest.raises(ValueError, match="no assessment"):
        Assessment.from_json(b"[]")


@pytest.mark.parametrize("answer", ["I don't know.", "Can we skip this one?", "不知道，下一题吧"])
async def test_a_declined_question_misses_everything(answer: str) -> None:
    assessed = await assess(FakeEmbedder(), question(1), answer)
    assert assessed.declined
    assert assessed.missed == question(1).key_points


@pytest.mark.parametrize(
    "answer",
    [
        "I don't know.",
        "Sorry, I really don't know.",
        "Um, I have no idea.",
        "I can't think of anything.",
        "I don't remember that, sorry.",
        "I'm not sure what to say.",
        "I'd rather not say.",
        "I don't know, next question please.",
        "Let's move on to the next question.",
        "Pass.",
        "Not really.",
        "I have never done that.",
        "I've never done that, sorry.",
        "我不知道。",
        "不好意思，这个我不太清楚。",
        "想不起来了",
        "我没做过这个。",
        "换一个问题吧",
    ],
)
def test_who_has_nothing_to_say_declines(answer: str) -> None:
    assert declined(answer, subject(question(1)))


@pytest.mark.parametrize(
    "answer",
    [
        "I don't know Rust, but I keep the database healthy with backups.",
        "The next question is who owns the index.",
        "We pass on that to the database team.",
        "Never in production.",
        "No, we skip this step in tests.",
        "不知道原因的时候我先看日志和指标。",
        "我们跳过了没有索引的表。",
        "No.",
    ],
)
def test_who_says_something_does_not_decline(answer: str) -> None:
    assert not declined(answer, subject(question(1)))


async def test_what_was_asked_decides_whether_a_bare_no_declines() -> None:
    assessed = await assess(
        FakeEmbedder(), question(1), "Never.", asked="Did you ever restore one?"
    )
    assert not assessed.declined
    assert (await assess(FakeEmbedder(), question(1), "Never.")).declined


async def test_without_embeddings_an_answer_is_assessed_by_words() -> None:
    broken = FakeEmbedder()
    broken.broken = "embed"
    assessed = await assess(broken, question(1), "We watch slow queries and add the right index.")
    assert assessed.covered


async def test_nothing_said_is_no_refusal() -> None:
    assert not (await assess(FakeEmbedder(), question(1), " … ")).declined
