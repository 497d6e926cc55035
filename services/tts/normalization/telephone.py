"""Telephone numbers, digit by digit, short ones of emergencies too."""

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


def _short(match: re.Match[str], context: Context) -> Reading:
    """Of "she called 911"; "we called 110 people" is a count."""
    start, end, text = match.start(), match.end(), context.text
    emergency = match.group() in _EMERGENCIES
    if context.chinese(start):
        called = _HAN_CALLED.search(text[:start]) and text[end : end + 1] not in _HAN_COUNTS
        return numbers.han_digits(match.group()) if emergency and called else None
    before, after = context.before(start), context.after(end)
    if _COUNTED.fullmatch(after):
        return None
    called = before in _CALLED or after in _CALLS
    return _telephone(match, context) if before in _DIALED or (emergency and called) else None


def _spaced(match: re.Match[str], context: Context) -> Reading:
    """Of "my number is 600 123 456"; "a budget of 600 000 000" is one number."""
    return _telephone(match, context) if is_told(context.text, match.start()) else None


def is_told(text: str, position: int) -> bool:
    """Whether a telephone number is told there."""
    return _TOLD.search(text[max(0, position - _TOLD_REACH) : position]) is not None


_EMERGENCIES = frozenset(["000", "110", "111", "112", "119", "120", "122", "911", "999"])
_DIALED = frozenset(["dial", "dials", "dialed", "dialled", "dialing", "dialling"])
_CALLING = "call calls called calling phone phoned ring rang text texted"
_CALLED = frozenset(_CALLING.split())
_CALLS = frozenset(["call", "caller", "operator", "dispatcher", "dispatch", "line"])
_COUNTED = re.compile(r"people|(?!calls)[a-z]+[^s]s")
_HAN_CALLED = re.compile(r"(?:拨打|拨通|拨|呼叫|打)[了过]?\s*$")
_HAN_COUNTS = frozenset("个次通遍下分块元条")
_TOLD = re.compile(
    r"\b(?:[Pp]hone|[Nn]umber|[Tt]el|[Mm]obile|[Cc]ell|[Ff]ax|(?:[Cc]all|[Tt]ext|[Rr]ing|[Rr]each)\s\w+)"
    r"\b[^.!?\d]{0,12}$"
)
_TOLD_REACH = 24
RULES = (
    *(Rule("ds", re.compile(rf"(?<![\w.-]){form}"), _telephone) for form in _FORMS),
    Rule("d", re.compile(r"(?<![\w.-])\d{3}(?:\s\d{3}){2}(?![\w-]|\s\d)"), _spaced),
    Rule("d", re.compile(r"(?<![\w.,$-])\d{3}(?![\w,%-]*\d|%|-)"), _short),
)
