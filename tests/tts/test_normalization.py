"""How written text is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tts.normalization import can_be_said, is_speakable, normalize, number_words

_DIGITS = st.integers(min_value=0, max_value=10**15 - 1)


def said(text: str) -> str:
    utterance = normalize(text)
    return "" if utterance is None else utterance.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs $5.50.", "It costs five dollars and fifty cents."),
        ("$1 or €2,000?", "one dollar or two thousand euros?"),
        ("a $3.5 million round", "a three point five million dollar round"),
        ("3.14% of 1,234", "three point one four percent of one thousand two hundred thirty four"),
        ("in 1998 and 2008", "in nineteen ninety eight and two thousand eight"),
        ("the 21st of 3rd", "the twenty first of third"),
        ("at 10:30 or 9:05", "at ten thirty or nine oh five"),
        ("-5 degrees", "minus five degrees"),
        ("agent 007", "agent zero zero seven"),
        ("Dr. Smith vs. Mr. Jones etc.", "doctor Smith versus mister Jones et cetera."),
        ("e.g. this", "for example this"),
        ("SQL and APIs", "ess cue el and eigh pee eye's"),
        ("NASA is GREAT, NOT small", "nasa is great, not small"),
        ("TELL ME MORE ABOUT THE WORK", "tell me more about the work"),
        ("HTTPS and SMTP", "aitch tee tee pee ess and ess em tee pee"),
        ("C++ & R&D", "see plus plus and are and dee"),
        ("Wait... what?!", "Wait… what?"),
        ("tabs\tand\x07 bells\x00", "tabs and bells"),
        ("nice 😀👍🏽 work", "nice work"),
        ("你好，世界！", "你好, 世界!"),
        ("我在2023年用了3.5%", "我在二零二三年用了百分之三点五"),
        ("花了¥105", "花了一百零五元"),
        ("二〇二六年", "二零二六年"),
        ("用Python写API", "用 Python 写 eigh pee eye"),
        ("½ cup", "one half cup"),
        ("", ""),
        ("?!", ""),
        ("😀", ""),
    ],
)
def test_text_is_said_as_a_person_would(text: str, expected: str) -> None:
    assert said(text) == expected


@given(st.text(max_size=20))
def test_a_text_can_be_said_when_there_is_something_to_say(text: str) -> None:
    assert can_be_said(text) == (is_speakable(text) and normalize(text) is not None)


@given(st.text(max_size=200))
def test_words_stand_where_their_offset_says(text: str) -> None:
    utterance = normalize(text, offset=7)
    for token in utterance.tokens if utterance else ():
        assert text[token.offset - 7 :].startswith(token.written)
        assert token.spoken
        assert not any(character.isdigit() and character.isascii() for character in token.spoken)
        assert all(character.isprintable() for character in token.spoken)


@given(_DIGITS)
def test_english_numbers_are_read_back(value: int) -> None:
    assert _read_back(number_words.cardinal(value)) == value


def _read_back(text: str) -> int:
    small = {word: n for n in range(20) for word in [number_words.cardinal(n)]}
    small |= {number_words.cardinal(n): n for n in range(20, 100, 10)}
    scales = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
    total = group = 0
    for word in text.split():
        if word == "hundred":
            group *= 100
        elif word in scales:
            total += group * scales[word]
            group = 0
        else:
            group += small[word]
    return total + group


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("0", "零"), ("10", "十"), ("15", "十五"), ("20", "二十"), ("105", "一百零五"),
        ("110", "一百一十"), ("115", "一百一十五"), ("1001", "一千零一"), ("10000", "一万"),
        ("10010", "一万零一十"), ("100000", "十万"),
        ("123456789", "一亿二千三百四十五万六千七百八十九"),
        ("0.5", "零点五"), ("007", "零零七"),
    ],
)  # fmt: skip
def test_chinese_numbers(digits: str, expected: str) -> None:
    assert number_words.han_number(digits) == expected


def test_marks_lead_back_to_what_was_written() -> None:
    text = "It took 200 ms on v1.29 (see https://example.com/docs), or 10-20 req/s in GPT-4."

    utterance = normalize(text, offset=5)

    assert utterance is not None
    assert [token.written for token in utterance.tokens] == [
        "It", "took", "200", "ms", "on", "v1.29", "see", "example.com/docs", "or", "10-20",
        "req/s", "in", "GPT-4",
    ]  # fmt: skip
    for token in utterance.tokens:
        assert text[token.offset - 5 :].startswith(token.written)
