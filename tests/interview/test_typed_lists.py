"""An answer typed as a list says what the same answer says in sentences."""

from __future__ import annotations

import pytest

from services.interview.interviewer.analysing import analyse
from services.interview.questions.bank import load_bank
from services.interview.record import Category
from services.interview.reports.passages import sentences, texts
from services.interview.reports.report import QuestionResult
from tests.interview.stage import FakeEmbedder, question
from tests.interview.test_reports import typed

POINTS = question(1).key_points


async def result_of(text: str) -> QuestionResult:
    result, _ = await analyse(
        FakeEmbedder(), round_number=1, question=question(1), asked="How?", turns=[typed(text)]
    )
    return result


@pytest.mark.parametrize("mark", ["", "- ", "* ", "• ", "1. ", "2) ", "(3) "])
async def test_each_item_of_a_list_makes_its_point(mark: str) -> None:
    result = await result_of("\n".join(mark + point for point in POINTS))
    assert all(point.covered for point in result.key_points)
    assert [point.evidence.quote for point in result.key_points if point.evidence] == list(POINTS)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", " \n  "])
def test_a_line_break_ends_a_sentence(end: str) -> None:
    assert [each.quote for each in sentences([typed(f"one thing{end}another thing")])] == [
        "one thing",
        "another thing",
    ]


def test_chinese_items_lose_their_numbers_too() -> None:
    quotes = [each.quote for each in sentences([typed("1、先看日志\n2、再重启服务")])]
    assert quotes == ["先看日志", "再重启服务"]


@pytest.mark.parametrize("text", ["3 servers failed.", "-5 degrees is cold.", "2.5 hours.", "1."])
def test_what_is_no_mark_of_an_item_stays(text: str) -> None:
    assert texts(text) == [text]


async def test_a_negation_ends_with_its_item() -> None:
    asked = next(each for each in load_bank() if each.id == "beh-people-apology")
    assert asked.category is not Category.TECHNICAL
    result, _ = await analyse(
        FakeEmbedder(),
        round_number=1,
        question=asked,
        asked=asked.text,
        turns=[typed("\n".join(f"- {point}" for point in asked.key_points))],
    )
    assert all(point.covered for point in result.key_points)
