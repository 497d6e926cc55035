"""Numbers as words: English by num2words, Mandarin here (num2words has none)."""

from __future__ import annotations

import re
from functools import lru_cache

from num2words import num2words

LONGEST_NUMBER = 15
"""More digits than this are an identifier, and are read one by one."""

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?!\d)"
"""A written number, as a regular expression's part."""

_PARTING = re.compile(r"[\s,-]+")
_HAN_DIGITS = "零一二三四五六七八九"


def _plain(words: str) -> str:
    """As an American says it: without "and", commas and hyphens."""
    return " ".join(word for word in _PARTING.split(words) if word != "and")


@lru_cache(maxsize=4096)
def cardinal(value: int) -> str:
    """English words of at most `LONGEST_NUMBER` digits: 142 → "one hundred forty two"."""
    return _plain(num2words(value))


@lru_cache(maxsize=512)
def ordinal(value: int) -> str:
    """English ordinal: 21 → "twenty first"."""
    return _plain(num2words(value, to="ordinal"))


def digits(text: str) -> str:
    """English words of digits read one by one: "007" → "zero zero seven"."""
    return " ".join(cardinal(int(digit)) for digit in text)


@lru_cache(maxsize=512)
def year(value: int) -> str:
    """English words of a year: 1998 → "nineteen ninety eight"."""
    return _plain(num2words(value, to="year"))


def decimal(text: str) -> str:
    """English words of digits with at most one point: "3.14" → "three point one four"."""
    whole, _, fraction = text.replace(",", "").partition(".")
    head = integer(whole) if whole else ""
    return f"{head} point {digits(fraction)}".strip() if fraction else head


def integer(text: str) -> str:
    """English words of digits; long ones and those led by zero are read one by one."""
    if len(text) > LONGEST_NUMBER or (len(text) > 1 and text.startswith("0")):
        return digits(text)
    return cardinal(int(text))


def paired(text: str) -> str:
    """English words of a code: "404" → "four oh four", "8080" → "eighty eighty"."""
    if text.startswith("0") or len(text) > 5:
        return digits(text)
    value = int(text)
    if len(text) in {1, 2, 5} or value % 1000 == 0:
        return cardinal(value)
    head, tail = cardinal(value // 100), value % 100
    if tail == 0:
        return f"{head} hundred"
    return f"{head} oh {cardinal(tail)}" if tail < 10 else f"{head} {cardinal(tail)}"


def plural(word: str) -> str:
    """An English number word in the plural: "ninety" → "nineties"."""
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def han_digits(text: str) -> str:
    """Mandarin digits one by one: "2026" → "二零二六"."""
    return "".join(_HAN_DIGITS[int(digit)] for digit in text)


def han_number(text: str) -> str:
    """Mandarin reading of digits with at most one point: "105.2" → "一百零五点二"."""
    whole, _, fraction = text.replace(",", "").partition(".")
    whole = whole or "0"
    if len(whole) > LONGEST_NUMBER or (len(whole) > 1 and whole.startswith("0")):
        head = han_digits(whole)
    else:
        head = han_cardinal(int(whole))
        if head[:2] in {"二千", "二万", "二亿"}:
            head = f"两{head[1:]}"
    return f"{head}点{han_digits(fraction)}" if fraction else head


def han_count(text: str) -> str:
    """The same before a measure word: two is 两 by itself, and before 百; yet 二十."""
    read = han_number(text)
    return f"两{read[1:]}" if read == "二" or read.startswith("二百") else read


def han_cardinal(value: int) -> str:
    """Mandarin cardinal: 10010 → "一万零一十"."""
    if value < 10:
        return _HAN_DIGITS[value]
    for scale, unit in (
        (10**12, "万亿"),
        (10**8, "亿"),
        (10**4, "万"),
        (1000, "千"),
        (100, "百"),
        (10, "十"),
    ):
        if value < scale:
            continue
        count, rest = divmod(value, scale)
        # 十五, not 一十五.
        head = unit if scale == 10 and count == 1 else han_cardinal(count) + unit
        if rest == 0:
            return head
        gap = "零" if rest * 10 < scale else ""
        tail = han_cardinal(rest)
        # 一百一十五: the 一 of a ten is spoken inside a longer number.
        return head + gap + ("一" if 10 <= rest < 20 else "") + tail
    raise AssertionError(value)
