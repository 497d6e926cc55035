"""Which numbers are years."""

from __future__ import annotations

import re

from services.tts.normalization import number_words as numbers
from services.tts.normalization.rule import Context, Reading, Rule

_TIME_WORDS = frozenset(
    [
        "in",
        "since",
        "until",
        "till",
        "from",
        "during",
        "around",
        "circa",
        "before",
        "after",
        "year",
        "spring",
        "summer",
        "autumn",
        "fall",
        "winter",
        "early",
        "mid",
        "late",
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "class",
        "edition",
    ]
)
_PLURAL = re.compile(r"[a-z]+[^aiusy'\W]s$")
_COUNTED = frozenset(
    ["lines", "requests", "users", "steps", "tests", "files", "servers", "calls", "items", "rows"]
)
_VERBS = frozenset(["has", "was", "is", "does", "goes", "says", "comes", "looks", "seems", "this"])


def is_year(text: str, start: int, end: int, context: Context) -> bool:
    """Whether a number that stands from `start` to `end` is a year.

    1900 to 2099 are, unless things are counted ("2000 lines"); 1100 to 1899 after a word of time.
    """
    if not (len(text) == 4 and text.isdigit() and 1100 <= int(text) <= 2099):
        return False
    following = context.after(end)
    counts = bool(_PLURAL.match(following)) and following not in _VERBS
    timed = context.before(start) in _TIME_WORDS
    if context.text[max(0, start - 1) : start] in {"$", "#"}:
        return False
    if timed:
        # "in 2020 sales rose", but "in 2000 requests".
        return not counts or (int(text) >= 1900 and following not in _COUNTED)
    return int(text) >= 1900 and not counts


def _decade(match: re.Match[str], context: Context) -> Reading:
    return numbers.plural(numbers.year(int(match["year"])))


def _short_decade(match: re.Match[str], context: Context) -> Reading:
    """Of "her 30s" and "the '90s"; "30s" by itself are seconds."""
    if not match["mark"] and context.before(match.start()) not in _OWNERS:
        return None
    return numbers.plural(numbers.cardinal(int(match["tens"])))


_OWNERS = frozenset(["my", "her", "his", "their", "our", "your", "early", "mid", "late"])

RULES = (
    Rule("d", re.compile(r"(?P<year>(?:1[1-9]|20)\d0)'?s\b"), _decade),
    Rule("ds", re.compile(r"(?P<mark>['’])?(?P<tens>[1-9]0)'?s\b"), _short_decade),
)
