"""What counts as detail of an answer: figures that measure something, not the numbers of a list."""

from __future__ import annotations

import pytest

from services.interview.interviewer.foreign import foreign
from services.interview.interviewer.wording import wording
from services.interview.interviewer.words import content_words
from tests.interview.stage import question

ITEMS = ("reproduce it reliably", "make the case small", "bisect the history", "add a test")


def figures(answer: str) -> int:
    return wording(question(1), answer).figures


@pytest.mark.parametrize("joint", ["\n", " "])
@pytest.mark.parametrize("mark", ["{}. ", "{}) ", "({}) "])
def test_numbering_a_list_adds_no_detail(joint: str, mark: str) -> None:
    numbered = joint.join(mark.format(n + 1) + item for n, item in enumerate(ITEMS))
    plain = wording(question(1), joint.join(ITEMS))
    assert wording(question(1), numbered) == plain
    assert plain.figures == 0


@pytest.mark.parametrize("answer", ["Two, three, four, five.", "1, 2, 3", "It was one of these."])
def test_a_number_of_nothing_is_no_figure(answer: str) -> None:
    assert figures(answer) == 0


@pytest.mark.parametrize(
    ("answer", "least"),
    [
        ("We served 40 % more.", 1),
        ("It took 200ms on 3 servers.", 2),
        ("In 2019 it fell to 12.", 2),
        ("Twelve people did it in two weeks.", 2),
    ],
)
def test_a_number_with_its_unit_or_noun_is_one(answer: str, least: int) -> None:
    assert figures(answer) >= least


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Сначала я воспроизвожу ошибку и добавляю тест.", "other"),
        ("أولاً أعيد إنتاج الخطأ بشكل موثوق ثم أضيف اختباراً", "other"),
        ("まず確実に再現します。次に失敗するケースを小さくします。", "ja"),
        ("首先我会稳定地复现这个问题。", "zh"),
        ("I reproduce it with Kafka and München in mind.", None),
    ],
)
def test_the_script_tells_a_foreign_answer(text: str, language: str | None) -> None:
    assert foreign(text, "en") == language


@pytest.mark.parametrize("text", ["Größe über Müller", "ошибка тест", "이름 알겠습니다"])
def test_words_have_the_letters_of_any_script(text: str) -> None:
    assert len(content_words(text)) == len(text.split())
