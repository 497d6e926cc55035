"""Telephone numbers, digit by digit."""

from __future__ import annotations

import re

from services.tts.normalization import number_words as numbers
from services.tts.normalization.rule import Context, Reading, Rule


def _telephone(match: re.Match[str], context: Context) -> Reading:
    found = [part for part in re.findall(r"\d+", match.group()) if part]
    if context.chinese(match.start()):
        return "".join(numbers.han_digits(part) for part in found)
    said = " ".join(numbers.digits(part) for part in found)
    return f"plus {said}" if match.group().startswith("+") else said


_FORMS = (
    # +1 415 555 0132
    r"\+\d{1,3}(?:[\s-]?\(?\d{2,4}\)?){2,5}(?!\w)",
    # (415) 555-0132
    r"\(\d{3}\)\s?\d{3}[-\s]\d{4}(?!\w)",
    # 1-800-555-0199, 415-555-0132, 415.555.0132
    r"(?:1[-.])?\d{3}([-.])\d{3}\1\d{4}(?![\w-])",
    # 138-0013-8000
    r"1[3-9]\d([-\s])\d{4}\1\d{4}(?![\w-])",
    # 555-0123
    r"\d{3}-\d{4}(?![\w-])",
    # 13812345678, 010-12345678
    r"1[3-9]\d{9}(?!\w)|0\d{2,3}-\d{7,8}(?!\w)",
)
RULES = tuple(Rule("ds", re.compile(rf"(?<![\w.-]){form}"), _telephone) for form in _FORMS)
