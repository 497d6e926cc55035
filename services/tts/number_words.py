"""Numbers as words, in English and Mandarin."""

from __future__ import annotations

_UP_TO_NINETEEN = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
"""
_ONES = _UP_TO_NINETEEN.split()
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = (
    (10**12, "trillion"),
    (10**9, "billion"),
    (10**6, "million"),
    (1000, "thousand"),
    (100, "hundred"),
)
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
# More digits than this are an identifier, and are read one by one.
LONGEST_NUMBER = 15

_HAN_DIGITS = "零一二三四五六七八九"


def cardinal(value: int) -> str:
    """English words of at most `LONGEST_NUMBER` digits: 142 → "one hundred forty two"."""
    if value < 0:
        return f"minus {cardinal(-value)}"
    if value < 20:
        return _ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens] + (f" {_ONES[ones]}" if ones else "")
    for scale, name in _SCALES:
        if value >= scale:
            count, rest = divmod(value, scale)
            return f"{cardinal(count)} {name}" + (f" {cardinal(rest)}" if rest else "")
    raise AssertionError(value)


def ordinal(value: int) -> str:
    """English ordinal: 21 → "twenty first"."""
    *before, last = cardinal(value).split()
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return " ".join([*before, last])


def digits(text: str) -> str:
    """English words of digits read one by one: "007" → "zero zero seven"."""
    return " ".join(_ONES[int(digit)] for digit in text)


def year(value: int) -> str:
    """English words of a year from 1000 to 2099: 1998 → "nineteen ninety eight"."""
    century, rest = divmod(value, 100)
    if value // 10 in {100, 200} or (rest == 0 and century % 10 == 0):
        return cardinal(value)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def decimal(text: str) -> str:
    """English words of digits with at most one point: "3.14" → "three point one four"."""
    whole, _, fraction = text.partition(".")
    head = integer(whole or "0")
    return f"{head} point {digits(fraction)}" if fraction else head


def integer(text: str) -> str:
    """English words of digits; long ones and those led by zero are read one by one."""
    if len(text) > LONGEST_NUMBER or (len(text) > 1 and text.startswith("0")):
        return digits(text)
    return cardinal(int(text))


def han_digits(text: str) -> str:
    """Mandarin digits one by one: "2026" → "二零二六"."""
    return "".join(_HAN_DIGITS[int(digit)] for digit in text)


def han_number(text: str) -> str:
    """Mandarin reading of digits with at most one point: "105.2" → "一百零五点二"."""
    whole, _, fraction = text.partition(".")
    whole = whole or "0"
    if len(whole) > LONGEST_NUMBER or (len(whole) > 1 and whole.startswith("0")):
        head = han_digits(whole)
    else:
        head = _han_cardinal(int(whole))
    return f"{head}点{han_digits(fraction)}" if fraction else head


def _han_cardinal(value: int) -> str:
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
        head = unit if scale == 10 and count == 1 else _han_cardinal(count) + unit
        if rest == 0:
            return head
        gap = "零" if rest * 10 < scale else ""
        tail = _han_cardinal(rest)
        # 一百一十五: the 一 of a ten is spoken inside a longer number.
        return head + gap + ("一" if 10 <= rest < 20 else "") + tail
    raise AssertionError(value)
