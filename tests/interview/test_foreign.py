"""An answer in another language is told as one, and an English one is never taken for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from services.interview.authored import read_authored
from services.interview.interviewer.analysing import analyse
from services.interview.interviewer.foreign import PINYIN, foreign
from services.interview.interviewer.summarising import compose
from services.interview.questions.bank import load_bank
from services.interview.record import Category
from services.interview.reports.report import Report
from tests.interview.stage import FakeEmbedder, question
from tests.interview.test_reports import interview, typed

Answers = Mapping[str, Sequence[str]]
WRITTEN: Mapping[str, Answers] = read_authored(Path(__file__).with_name("languages.yaml"))
ENGLISH = [(kind, text) for kind, texts in WRITTEN["english"].items() for text in texts]
OTHER = [(name, text) for name, texts in WRITTEN["other"].items() for text in texts]
SPANISH = (
    "Primero miro las consultas lentas y añado el índice que falta, después hago copias de"
    " seguridad y las restauro como prueba."
)


def test_no_english_answer_is_taken_for_another_language() -> None:
    assert len(ENGLISH) >= 120
    assert [text for _, text in ENGLISH if foreign(text, "en")] == []


def test_nothing_the_bank_says_is_taken_for_another_language() -> None:
    for each in load_bank():
        points = "\n".join(each.key_points)
        for text in (each.text, points, *each.follow_ups):
            assert foreign(text, each.language) is None, text


def test_answers_in_other_languages_are_told() -> None:
    assert len(OTHER) >= 40
    told = [name for name, text in OTHER if foreign(text, "en") == _expected(name)]
    assert len(told) / len(OTHER) >= 0.95


def test_in_a_chinese_interview_other_languages_are_not_called_english() -> None:
    told = [name for name, text in OTHER if foreign(text, "zh-CN") == _expected(name)]
    assert len(told) / len(OTHER) >= 0.95


def test_in_a_chinese_interview_english_is_told_by_its_function_words() -> None:
    told = {text: foreign(text, "zh-CN") for _, text in ENGLISH}
    assert set(told.values()) == {"en", None}
    assert {told[text] for text in WRITTEN["english"]["learners"]} == {"en"}
    code = [text for kind in ("code", "typed_code") for text in WRITTEN["english"][kind]]
    assert {told[text] for text in code} == {None}


@pytest.mark.parametrize(
    "text",
    [
        "main das saal se ek hospital mein nurse ka kaam karti hoon aur mujhe yeh kaam pasand hai",
        "pracuje jako pielegniarka w malym szpitalu i bardzo lubie swoja prace, zaczynam o szostej",
        "Radim kao medicinska sestra u maloj bolnici na kraju grada i mnogo volim svoj posao.",
        "Radim kao kuhar u hotelu na moru i svaki dan ustajem rano jer moramo pripremiti jelo",
        "ya rabotayu medsestroy v malenkoy bolnitse uzhe desyat let i ochen lyublyu svoyu rabotu",
        "watashi wa chiisana byouin de juunenkan kangoshi toshite hataraite kono shigoto suki",
        "jeoneun byeongwoneseo sip nyeon dongan ganhosaro ilhago issgo i ireul maeil joahamnida",
    ],
)
def test_languages_typed_without_their_letters_are_told_by_their_function_words(text: str) -> None:
    assert foreign(text, "en") == "other"
    assert foreign(text, "zh-CN") == "other"


def _expected(name: str) -> str:
    return PINYIN if name == "pinyin" else "other"


async def report_of(text: str, language: str = "en") -> Report:
    turn = typed(text)
    asked = replace(question(1), language=language)
    result, _ = await analyse(
        FakeEmbedder(), round_number=1, question=asked, asked="How?", turns=[turn]
    )
    held = interview(turn)
    return compose(replace(held, settings=replace(held.settings, language=language)), [result])


async def test_what_was_not_understood_is_neither_praised_nor_blamed() -> None:
    report = await report_of(SPANISH)
    (told,) = report.weaknesses
    assert told.endswith("the interview's language: you answered in another language.")
    assert report.strengths == ()
    assert report.suggestions[0] == "Answer in English, the language of the interview."
    assert all("again and include" in told for told in report.suggestions[1:])
    assert report.summary == (
        "You answered 1 of 1 questions and reached 0 of 100. The answer was in another language;"
        " this interview is in English, so nothing in it was recognised."
    ).replace("1 of 1", f"1 of {interview().settings.rounds}")
    assert {each.score for each in report.dimensions} == {0.0}
    assert not any(point.certain for point in report.questions[0].key_points)


async def test_pinyin_in_a_chinese_interview_is_called_pinyin() -> None:
    text = "wo xian kan ri zhi, ran hou zai chong qi fu wu, zui hou xie yi ge bao gao"
    assert "拼音" in (await report_of(text, "zh")).weaknesses[0]


@pytest.mark.parametrize("category", [Category.TECHNICAL, Category.BEHAVIORAL])
async def test_one_answer_in_another_language_does_not_colour_the_others(
    category: Category,
) -> None:
    turns = typed("We watch slow queries and add the right index every Monday."), typed(SPANISH)
    asked = replace(question(1), category=category)
    results = [
        (
            await analyse(
                FakeEmbedder(), round_number=number, question=asked, asked="How?", turns=[turn]
            )
        )[0]
        for number, turn in enumerate(turns, 1)
    ]
    alone = compose(interview(turns[0]), results[:1])
    both = compose(interview(*turns), results)
    sides = alone.summary.partition("Your best side")[2]
    assert both.summary.endswith(sides)
    assert both.strengths == alone.strengths
