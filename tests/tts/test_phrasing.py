"""Where a text is cut into phrases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tts.phrasing import MAX_CHARACTERS, Phrase, Phraser

_TEXT = st.text(
    alphabet=st.one_of(
        st.sampled_from(" \n.,;:!?—…。！？，、；：\"')”Dr1239$ab我你好的I"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=600,
)


def phrases(text: str) -> list[str]:
    phraser = Phraser()
    return [phrase.text for phrase in phraser.feed(text) + phraser.flush()]


def spoken(text: str) -> list[str]:
    return [phrase.strip() for phrase in phrases(text) if phrase.strip()]


@given(_TEXT)
def test_joined_phrases_are_the_text(text: str) -> None:
    assert "".join(phrases(text)) == text


@given(_TEXT, st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=40))
def test_pieces_do_not_change_where_a_text_is_cut(text: str, sizes: list[int]) -> None:
    phraser = Phraser()
    found: list[Phrase] = []
    position = turn = 0
    while position < len(text):
        size = sizes[turn % len(sizes)]
        found += phraser.feed(text[position : position + size])
        position += size
        turn += 1
    found += phraser.flush()

    assert [phrase.text for phrase in found] == phrases(text)


@given(_TEXT)
def test_offsets_point_into_the_text_and_lengths_are_bounded(text: str) -> None:
    phraser = Phraser()
    for phrase in phraser.feed(text) + phraser.flush():
        assert text[phrase.offset : phrase.offset + len(phrase.text)] == phrase.text
        assert 0 < len(phrase.text) <= MAX_CHARACTERS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thank you, MARK. Let us begin.", ["Thank you, MARK.", "Let us begin."]),
        (
            "Thank you, that was clear. Could you tell me how you tested it?",
            ["Thank you,", "that was clear.", "Could you tell me how you tested it?"],
        ),
        ("Hello, welcome.", ["Hello, welcome."]),
        ("Pi is 3.14 and e is 2.718. Right?", ["Pi is 3.14 and e is 2.718.", "Right?"]),
        (
            "Dr. Smith and J. R. Hartley met at 10 a.m. today.",
            ["Dr. Smith and J. R. Hartley met at 10 a.m. today."],
        ),
        (
            "It cost $1,200.50 then. See example.com for it.",
            ["It cost $1,200.50 then.", "See example.com for it."],
        ),
        ("I said no. Then I left.", ["I said no.", "Then I left."]),
        ("I have 5 yrs. of work. Then go.", ["I have 5 yrs. of work.", "Then go."]),
        ("It took 5 hrs. We left.", ["It took 5 hrs.", "We left."]),
        ("See no. 5 first. Then go.", ["See no. 5 first.", "Then go."]),
        ("1. Tell me more. 2. Explain it.", ["1. Tell me more.", "2. Explain it."]),
        ('He asked "why?" and left.', ['He asked "why?"', "and left."]),
        ("请介绍一下你自己。你为什么想加入我们？", ["请介绍一下你自己。", "你为什么想加入我们？"]),
        ("你好，欢迎参加今天的面试。", ["你好，欢迎参加今天的面试。"]),
        ("欢迎参加，今天的面试。", ["欢迎参加，", "今天的面试。"]),
        ("好的。Tell me about Redis。谢谢", ["好的。", "Tell me about Redis。", "谢谢"]),
    ],
)  # fmt: skip
def test_cuts_where_a_speaker_would(text: str, expected: list[str]) -> None:
    assert spoken(text) == expected


def test_the_first_phrase_is_short_though_the_sentence_is_long() -> None:
    text = (
        "Tell me about a time at work when you had to make a hard decision with very little data."
    )

    first, *rest = spoken(text)

    assert first == "Tell me about a time at work"
    assert rest == ["when you had to make a hard decision with very little data."]


def test_a_later_sentence_stays_whole() -> None:
    later = "What did the team do next, and how did you know it worked?"

    assert spoken(f"I see. {later}") == ["I see.", later]


def test_a_number_is_not_parted_from_its_word_by_a_forced_cut() -> None:
    text = "one two three four five six seven eight nine 300 1,000 2,000 thousand items were lost"

    for phrase in spoken(text)[:-1]:
        assert not phrase[-1].isdigit()


def test_a_phrase_comes_out_as_soon_as_the_next_word_begins() -> None:
    phraser = Phraser()

    assert phraser.feed("That is very clear.") == []
    assert [phrase.text for phrase in phraser.feed(" ")] == ["That is very clear."]


def test_flush_speaks_what_has_come() -> None:
    phraser = Phraser()
    phraser.feed("Let me think")

    assert [phrase.text for phrase in phraser.flush()] == ["Let me think"]
    assert phraser.flush() == []


def test_text_without_any_boundary_is_cut_by_length() -> None:
    assert [len(phrase) for phrase in phrases("a" * 1000)] == [240, 240, 240, 240, 40]
