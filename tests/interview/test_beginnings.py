"""Of an answer without end only the beginning is scored, and the report says so."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.interview.interviewer import beginning as limits
from services.interview.interviewer import summarising
from services.interview.interviewer.beginning import SCORED_LETTERS, beginning
from services.interview.interviewer.summarising import Reviewer
from services.interview.record import (
    Category,
    Interview,
    InterviewSettings,
    Mode,
    Speaker,
    SpokenWord,
    Turn,
)
from services.interview.reports.report import Report
from services.interview.store import codec
from services.interview.wire import reports
from tests.interview.stage import FakeEmbedder, question

SAID = "We watch the slow queries and add an index. "
ANSWER = Turn("t", Speaker.CANDIDATE, SAID * 1000, 1.0, 1.0, round=1, question_id="q1", typed=True)


async def report(*turns: Turn, language: str = "en", mode: Mode = Mode.INTERVIEW) -> Report:
    record = Interview(
        "i",
        "ann",
        InterviewSettings(rounds=1, language=language, mode=mode),
        ("q1",),
        datetime.now(UTC),
        turns=turns,
    )
    category = Category.CONVERSATION if mode is Mode.SPEAKING_PRACTICE else Category.TECHNICAL
    async with asyncio.TaskGroup() as tasks:
        reviewer = Reviewer(FakeEmbedder())
        reviewer.begin(tasks, 1, replace(question(1), category=category), turns)
        return await reviewer.report(record)


@pytest.mark.parametrize(
    ("language", "mode", "told"),
    [
        ("en", Mode.INTERVIEW, "Question 1: only the first 40,000 letters"),
        ("zh", Mode.INTERVIEW, "前40000个字符"),
        ("en", Mode.SPEAKING_PRACTICE, "Topic 1: only the first 40,000 letters"),
    ],
)
async def test_what_is_beyond_is_not_scored_and_the_report_says_so(
    language: str, mode: Mode, told: str
) -> None:
    made = await report(ANSWER, replace(ANSWER, id="late", text=SAID), language=language, mode=mode)
    assert told in made.summary
    assert made.questions[0].scored_letters == SCORED_LETTERS
    assert made.questions[0].turn_ids == ("t",)
    assert reports.report(made).questions[0].scored_letters == SCORED_LETTERS
    assert codec.REPORT.validate_json(codec.REPORT.dump_json(made)) == made


async def test_of_an_answer_with_an_end_nothing_is_said() -> None:
    made = await report(replace(ANSWER, text=SAID))
    assert "letters" not in made.summary
    assert made.questions[0].scored_letters == 0
    assert not reports.report(made).questions[0].HasField("scored_letters")


async def test_the_score_is_that_of_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (limits, summarising):
        monkeypatch.setattr(module, "SCORED_LETTERS", len(SAID))
    more = replace(ANSWER, text=SAID + "We take backups and restore them as a test.")
    cut, whole = await report(more), await report(replace(ANSWER, text=SAID))
    assert cut.overall_score == whole.overall_score


def test_words_end_with_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SCORED_LETTERS", 7)
    words = tuple(SpokenWord(word, at, at + 0.3, 0.9) for at, word in enumerate(("one", "two")))
    turn = Turn("t", Speaker.CANDIDATE, "one two", 0.0, 1.0, words)
    same = [turn]
    assert beginning(same) is same
    monkeypatch.setattr(limits, "SCORED_LETTERS", 5)
    assert beginning(same) == [replace(turn, text="one t", words=words[:1])]
