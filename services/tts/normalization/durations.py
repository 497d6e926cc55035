"""Durations of several parts: "1m30s", "1h 30m", "1h45"."""

from __future__ import annotations

import re

from services.tts.normalization import number_words as numbers
from services.tts.normalization.rule import Context, Piece, Reading, Rule
from services.tts.normalization.units import UNITS

_NAMES = {"d": UNITS["d"], "h": UNITS["h"], "m": UNITS["min"], "min": UNITS["min"], "s": UNITS["s"]}
# The least first.
_RANKS = "smhd"
_MOST_DIGITS = 2
_PART = re.compile(r"(\d+)(min|[dhms])?")


def _duration(match: re.Match[str], context: Context) -> Reading:
    chinese = context.chinese(match.start())
    found: list[Piece] = []
    rank = len(_RANKS)
    for part in _PART.finditer(match.group()):
        count, name = part.group(1), part.group(2) or "min"
        # "5m 30s" is a time; "400m 52s" is not, nor "25m 2m".
        place = _RANKS.index(name[0])
        long = len(count) > _MOST_DIGITS and (found or name[0] == "m")
        if place >= rank or long:
            return None
        rank = place
        unit = _NAMES[name]
        if chinese:
            said = numbers.han_count(count) + unit.han
        else:
            said = f"{numbers.integer(count)} {unit.one if count == '1' else unit.many}"
        found.append(Piece(match.start() + part.start(), match.start() + part.end(), said))
    return found


RULES = (
    Rule(
        "d",
        re.compile(r"(?:\d+(?:min|[dhm])\s?){1,3}\d+(?:min|[hms])\b|\d+h[0-5]\d\b"),
        _duration,
    ),
)
