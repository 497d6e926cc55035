"""What is typed is read as it would have been said."""

from __future__ import annotations

import pytest

from services.interview.understanding.wording import read


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("repeat plz", "repeat please"),
        ("i dont get ur q", "i do not get your question"),
        ("skip this q", "skip this question"),
        ("could u repeat the quesiton", "could you repeat the question"),
        ("cant hear u", "can not hear you"),
        ("lets skip", "let us skip"),
        ("gotta go", "have to go"),
        ("結束面試", "结束面试"),
        ("甚麼意思", "什么意思"),
        ("ｓｋｉｐ", "skip"),
    ],
)
def test_habits_of_typing_are_written_out(typed: str, said: str) -> None:
    assert read(typed).clauses == (said,)


@pytest.mark.parametrize(
    "text",
    [
        "two questions",
        "plums",
        "an id",
        "she lets rooms",
        "the interviews",
        "want a plan b",
        "bruh",
    ],
)
def test_words_that_only_look_alike_stay(text: str) -> None:
    assert read(text).clauses == (text,)


def test_what_stands_behind_a_zero_is_read() -> None:
    assert read("結束\0面試").words == ("结", "束", "面", "试")
