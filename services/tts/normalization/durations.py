"""Durations of several parts: "1m30s"."""

from __future__ import annotations

import re

from services.tts.normalization import number_words as numbers
from services.tts.normalization.rule import Context, Piece, Reading, Rule
from services.tts.normalization.units import UNITS

_NAMES = {"d": UNITS["d"], "h": UNITS["h"], "m": UNITS["min"], "min": UNITS["min"], "s": UNITS["s"]}
_PART = re.compile(r"(\d+)(min|[dhms])")


def _duration(match: re.Match[str], context: Context) -> Reading:
    chinese = context.chinese(match.start())
    found = []
    for part in _PART.finditer(match.group()):
        count, unit = part.group(1), _NAMES[part.group(2)]
        if chinese:
            said = numbers.han_count(count) + unit.han
        else:
            said = f"{numbers.integer(count)} {unit.one if count == '1' else unit.many}"
        found.append(Piece(match.start() + part.start(), match.start() + part.end(), said))
    return found


RULES = (Rule("d", re.compile(r"(?:\d+(?:min|[dhm])){1,3}\d+(?:min|[hms])\b"), _duration),)
