"""Measures of delivery, passages with their times, and the report put together."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.interview.interviewer.analysing import analyse
from services.interview.interviewer.summarising import compose
from services.interview.record import Interview, InterviewSettings, Speaker, SpokenWord, Turn
from services.interview.reports.delivery import measure
from services.interview.reports.passages import passages
from services.interview.reports.report import Basis
from tests.interview.stage import FakeEmbedder, question, spoken


def said(text: str, start: float = 5.0) -> Turn:
    words = spoken(text, start)
    return Turn("t1", Speaker.CANDIDATE, text, start, words[-1].end, words)


def interview(*turns: Turn) -> Interview:
    return Interview(
        id="i", user="u", settings=InterviewSettings(), plan=("q1",), created=datetime.now(UTC),
        turns=turns,
    )  # fmt: skip


def test_pace_fillers_and_pauses_are_measured() -> None:
    words = spoken("Um I mean we use you know that kind of index", 0.0)
    late = tuple(SpokenWord(w.text, w.start + 3, w.end + 3) for w in words[6:])
    delivery = measure([(*words[:6], *late)])
    assert delivery is not None
    assert [f.text for f in delivery.fillers] == ["Um", "i mean", "you know"]
    assert [pytest.approx(t) for t in delivery.pauses[0]] == [1.8, 4.8]
    assert delivery.words_per_minute == pytest.approx(60 * 11 / 6.3)
    calm = measure([spoken("We use an index on that table and it is fast", 0.0)])
    assert calm is not None
    assert delivery.clarity < calm.clarity


def test_too_few_words_say_nothing_about_delivery() -> None:
    assert measure([spoken("Yes indeed", 0.0)]) is None


def test_passages_carry_the_times_of_their_words() -> None:
    turn = said("First we look at it. Then we add an index.")
    one, two, both = passages([turn])
    assert one.quote == "First we look at it."
    assert one.start == pytest.approx(5.0)
    assert one.end == pytest.approx(6.5)
    assert two.quote == "Then we add an index."
    assert (both.start, both.end) == (one.start, two.end)
    assert {p.turn_id for p in (one, two, both)} == {"t1"}


def test_a_silence_ends_a_passage_without_punctuation() -> None:
    words = spoken("we look at the plan", 0.0)
    more = spoken("and then an index helps", 4.0)
    turn = Turn("t", Speaker.CANDIDATE, "", 0.0, 6.0, (*words, *more))
    assert [p.quote for p in passages([turn])][:2] == [
        "we look at the plan",
        "and then an index helps",
    ]


async def test_evidence_lies_inside_the_answer_and_is_quoted_from_it() -> None:
    turn = said("We watch slow queries and add the right index. The weather is fine today.")
    result, failure = await analyse(
        FakeEmbedder(), round_number=1, question=question(1), asked="How?", turns=[turn]
    )
    assert failure is None
    point = result.key_points[0]
    assert point.covered
    assert point.evidence is not None
    assert point.evidence.quote in turn.text
    assert turn.start <= point.evidence.start < point.evidence.end <= turn.end
    for dimension in result.dimensions:
        assert dimension.evidence
        assert 0 <= dimension.score <= 100


async def test_a_report_names_what_was_said_and_what_was_missing() -> None:
    turn = said("We watch slow queries and add the right index.")
    result, _ = await analyse(
        FakeEmbedder(), round_number=1, question=question(1), asked="How?", turns=[turn]
    )
    report = compose(interview(turn), [result])
    assert report.overall_score == pytest.approx(result.score)
    assert "watch slow queries" in report.strengths[0]
    assert any("plan capacity" in weakness for weakness in report.weaknesses)
    assert report.suggestions
    assert report.basis is Basis.RUBRIC_EMBEDDING


def test_without_an_answer_there_is_no_score() -> None:
    report = compose(interview(), [])
    assert report.overall_score is None
    assert report.questions == ()
    assert "nothing to score" in report.summary
