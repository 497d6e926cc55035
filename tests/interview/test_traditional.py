"""Chinese typed in traditional characters counts as in simplified ones, and is shown as typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.interview.interviewer.analysing import analyse
from services.interview.interviewer.assessing import assess
from services.interview.interviewer.declining import declined
from services.interview.questions.bank import load_bank
from services.interview.questions.index import QuestionIndex
from services.interview.reports.report import QuestionResult
from services.interview.simplified import simplified
from tests.interview.stage import FakeEmbedder
from tests.interview.test_reports import typed

SIMPLIFIED = {
    "zh-tech-index": (
        "索引让数据库不用扫描整张表就能找到数据，一般用B树实现。"
        "每个索引都会让插入和更新变慢，还要占用空间。"
    ),
    "zh-beh-conflict": (
        "去年我负责一个项目，和同事对进度的看法不一样。"
        "我约他当面谈，听完他的理由，结果我们提前两周完成了。"
    ),
}
TRADITIONAL = {
    "zh-tech-index": (
        "索引讓數據庫不用掃描整張表就能找到數據，一般用B樹實現。"
        "每個索引都會讓插入和更新變慢，還要佔用空間。"
    ),
    "zh-beh-conflict": (
        "去年我負責一個項目，和同事對進度的看法不一樣。"
        "我約他當面談，聽完他的理由，結果我們提前兩週完成了。"
    ),
}


async def result_of(question_id: str, text: str) -> QuestionResult:
    question = load_bank().find(question_id)
    assert question is not None
    result, _ = await analyse(
        FakeEmbedder(), round_number=1, question=question, asked="？", turns=[typed(text)]
    )
    return result


@pytest.mark.parametrize("question_id", TRADITIONAL)
async def test_the_characters_move_no_score(question_id: str) -> None:
    one = await result_of(question_id, SIMPLIFIED[question_id])
    other = await result_of(question_id, TRADITIONAL[question_id])
    assert other.score == one.score
    assert [d.score for d in other.dimensions] == [d.score for d in one.dimensions]
    assert [p.covered for p in other.key_points] == [p.covered for p in one.key_points]
    assert other.story == one.story


@pytest.mark.parametrize("question_id", TRADITIONAL)
async def test_quotes_are_what_was_typed(question_id: str) -> None:
    text = TRADITIONAL[question_id]
    result = await result_of(question_id, text)
    cited = [e.quote for d in result.dimensions for e in d.evidence]
    cited += [p.evidence.quote for p in result.key_points if p.evidence]
    assert cited
    assert all(quote in text for quote in cited)


async def test_follow_ups_ask_for_the_same() -> None:
    question = load_bank().find("zh-tech-index")
    assert question is not None
    answers = SIMPLIFIED["zh-tech-index"], TRADITIONAL["zh-tech-index"]
    one, other = [await assess(FakeEmbedder(), question, answer) for answer in answers]
    assert one == other
    assert one.covered


def test_who_declines_may_write_so() -> None:
    assert declined("這個問題我沒有經驗。", "")


async def test_a_topic_finds_the_same_questions(tmp_path: Path) -> None:
    index = QuestionIndex(load_bank(), FakeEmbedder(), tmp_path)
    one, other = [
        await index.search(topic, lambda question: question.language == "zh", 5)
        for topic in ("单元测试", "單元測試")
    ]
    assert [found.question.id for found in one] == [found.question.id for found in other]


def test_nothing_simplified_is_changed() -> None:
    for question in load_bank():
        for text in (question.text, *question.key_points, *question.follow_ups):
            assert simplified(text) == text
    assert simplified("结果不显著") == "结果不显著"
    assert simplified("後\0來") == "后\0来"
    assert simplified("We use Postgres.") == "We use Postgres."
