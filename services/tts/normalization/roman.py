"""Roman numerals, where they are numerals: "Phase II", "Louis XIV"."""

from __future__ import annotations

import re

from services.tts.normalization import number_words as numbers
from services.tts.normalization.rule import Context, Reading, Rule

_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50}
_NUMBERED = frozenset(
    [
        "part",
        "chapter",
        "phase",
        "type",
        "war",
        "section",
        "volume",
        "title",
        "level",
        "tier",
        "act",
        "book",
        "class",
        "stage",
        "grade",
        "appendix",
        "article",
        "step",
        "round",
        "generation",
        "gen",
        "mark",
        "schedule",
        "category",
    ]
)
_RULERS = frozenset(
    [
        "henry",
        "louis",
        "elizabeth",
        "george",
        "charles",
        "james",
        "richard",
        "edward",
        "william",
        "pope",
        "john",
        "paul",
        "catherine",
        "peter",
        "nicholas",
        "philip",
        "napoleon",
    ]
)
_UP_TO_49 = r"X{0,4}(?:IX|IV|V?I{0,3})"


def _value(numeral: str) -> int:
    total = 0
    for sign, following in zip(numeral, [*numeral[1:], None], strict=True):
        value = _VALUES[sign]
        total += -value if following and _VALUES[following] > value else value
    return total


def _roman(match: re.Match[str], context: Context) -> Reading:
    numeral, before = match.group(), context.before(match.start())
    if not before or context.chinese(match.start()):
        return None
    if before in _RULERS:
        return f"the {numbers.ordinal(_value(numeral))}"
    if before in _NUMBERED or (len(numeral) > 1 and _behind_a_title(match, context)):
        return numbers.cardinal(_value(numeral))
    return None


def _behind_a_title(match: re.Match[str], context: Context) -> bool:
    """Whether a capitalised word stands before: "Engineer III"."""
    return re.search(r"[A-Z][a-z]{2,} $", context.text[: match.start()]) is not None


RULES = (Rule("l", re.compile(rf"(?=[IVX]){_UP_TO_49}\b(?!['’])"), _roman),)
