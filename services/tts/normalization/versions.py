"""Versions: each part between points is a number of its own."""

from __future__ import annotations

import re

from services.tts.normalization import number_words as numbers
from services.tts.normalization.letters import spell
from services.tts.normalization.rule import Context, Piece, Reading, Rule, pieces
from services.tts.normalization.terms import SOFTWARE


def _parts(text: str) -> str:
    return " point ".join(
        _part(part, first=index == 0) for index, part in enumerate(text.split("."))
    )


def _part(text: str, *, first: bool) -> str:
    if not first and len(text) == 2 and text[0] == "0" and text != "00":
        return f"oh {numbers.cardinal(int(text))}"
    return numbers.integer(text)


def _han_parts(text: str) -> str:
    whole, *rest = text.split(".")
    return "点".join([numbers.han_number(whole), *(numbers.han_digits(part) for part in rest)])


def _marked(match: re.Match[str], context: Context) -> Reading:
    """v1.29; a capital before a number without points may name anything: "V8"."""
    named = context.text[match.end() :].lstrip().startswith("版")
    if match["mark"] == "V" and match["parts"].isdigit() and not named:
        say = numbers.han_number if context.chinese(match.start()) else numbers.integer
        return pieces(match, mark=spell("V"), parts=say(match["parts"]))
    if context.chinese(match.start()):
        return _han_parts(match["parts"]) + ("" if named else "版")
    said = _parts(match["parts"])
    # "Version v2" has its word already.
    return said if context.before(match.start()) in {"version", "release"} else f"version {said}"


def _named(match: re.Match[str], context: Context) -> Reading:
    """Python 3.11: two parts are a version only behind a name."""
    known = context.before(match.start()) in SOFTWARE
    if not known and match["parts"].count(".") < 2:
        return None
    return _han_parts(match["parts"]) if context.chinese(match.start()) else _parts(match["parts"])


def _open(match: re.Match[str], context: Context) -> Reading:
    """1.x."""
    middle = match.end("whole")
    chinese = context.chinese(match.start())
    said = numbers.han_number(match["whole"]) if chinese else numbers.cardinal(int(match["whole"]))
    return [
        Piece(match.start(), middle, said),
        Piece(middle, middle + 1, "点" if chinese else "dot"),
        Piece(middle + 1, match.end(), spell("x")),
    ]


RULES = (
    Rule("d", re.compile(r"(?P<whole>\d{1,2})\.[xX](?!\w)"), _open),
    Rule("l", re.compile(r"(?P<mark>[vV])(?P<parts>\d+(?:\.\d+)*)(?![\w%]|\.\d)"), _marked),
    Rule(
        "d",
        re.compile(
            r"(?P<parts>\d{1,4}(?:\.\d{1,4}){1,3})(?![\w%]|\.\d|\s?[xX×]|\s?(?:[kKMGT]?i?B|ms|s)\b)"
        ),
        _named,
    ),
)
