"""Fractions, scores and ratios."""

from __future__ import annotations

import re
import unicodedata

from services.tts.normalization import number_words as numbers
from services.tts.normalization.letters import spell
from services.tts.normalization.rule import Context, Reading, Rule

_SAID_TOGETHER = {"24/7": "twenty four seven", "9/11": "nine eleven"}
_HAN_TOGETHER = {"24/7": "二十四小时全天"}
_VULGAR = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"


def _fraction(top: int, bottom: int) -> str:
    if bottom == 2:
        part = "half" if top == 1 else "halves"
    elif bottom == 4:
        part = "quarter" if top == 1 else "quarters"
    else:
        part = numbers.ordinal(bottom) + ("" if top == 1 else "s")
    return f"{numbers.cardinal(top)} {part}"


def _with_whole(whole: str | None, top: int, bottom: int, *, chinese: bool) -> str:
    if chinese:
        part = f"{numbers.han_number(str(bottom))}分之{numbers.han_number(str(top))}"
        return f"{numbers.han_number(whole)}又{part}" if whole else part
    part = _fraction(top, bottom)
    if not whole:
        return part
    return f"{numbers.integer(whole)} and {'a' + part[3:] if top == 1 else part}"


def _vulgar(match: re.Match[str], context: Context) -> Reading:
    top, bottom = unicodedata.normalize("NFKC", match["sign"]).split("⁄")
    return _with_whole(
        match["whole"], int(top), int(bottom), chinese=context.chinese(match.start())
    )


def _mixed(match: re.Match[str], context: Context) -> Reading:
    """1 1/2."""
    top, bottom = int(match["top"]), int(match["bottom"])
    if not 0 < top < bottom:
        return None
    return _with_whole(match["whole"], top, bottom, chinese=context.chinese(match.start()))


def _slashed(match: re.Match[str], context: Context) -> Reading:
    top, bottom = int(match["top"]), int(match["bottom"])
    chinese = context.chinese(match.start())
    together = (_HAN_TOGETHER if chinese else _SAID_TOGETHER).get(match.group())
    if together:
        return together
    if chinese:
        if 100 <= bottom <= top:
            # 985/211: two names.
            together = numbers.han_digits(match["top"] + match["bottom"])
        return together or (_with_whole(None, top, bottom, chinese=True) if bottom else None)
    if top + bottom == 100:
        # "50/50", "80/20".
        return f"{numbers.cardinal(top)} {numbers.cardinal(bottom)}"
    if bottom in {10, 100} or (bottom > 12 and top <= bottom):
        return f"{numbers.cardinal(top)} out of {numbers.cardinal(bottom)}"
    if top < bottom and bottom > 1:
        return _fraction(top, bottom)
    return f"{numbers.cardinal(top)} over {numbers.cardinal(bottom)}"


def _score(match: re.Match[str], context: Context) -> Reading:
    """3.5/5."""
    if context.chinese(match.start()):
        return None
    return f"{numbers.decimal(match['top'])} out of {numbers.cardinal(int(match['bottom']))}"


def _ratio(match: re.Match[str], context: Context) -> Reading:
    """3:1 and 1:N."""
    by = "比" if context.chinese(match.start()) else "to"
    sides = [_side(match[name], chinese=by == "比") for name in ("a", "b")]
    return f" {by} ".join(sides) if by == "to" else by.join(sides)


def _side(text: str, *, chinese: bool) -> str:
    if text.isalpha():
        return spell(text)
    return numbers.han_number(text) if chinese else numbers.decimal(text)


_ALONE = r"(?<![\w./:-])"
RULES = (
    Rule("ds", re.compile(rf"(?P<whole>\d{{1,4}})?\s?(?P<sign>[{_VULGAR}])"), _vulgar),
    Rule(
        "d",
        re.compile(
            rf"{_ALONE}(?P<whole>\d{{1,3}})\s(?P<top>\d{{1,2}})/(?P<bottom>\d{{1,2}})(?![\w/.])"
        ),
        _mixed,
    ),
    Rule(
        "d",
        re.compile(rf"{_ALONE}(?P<top>\d{{1,3}})/(?P<bottom>\d{{1,3}})(?![\w/]|\.\d)"),
        _slashed,
    ),
    Rule(
        "d",
        re.compile(rf"{_ALONE}(?P<top>\d{{1,3}}\.\d)/(?P<bottom>\d{{1,3}})(?![\w/]|\.\d)"),
        _score,
    ),
    Rule(
        "dl",
        re.compile(
            rf"{_ALONE}(?P<a>\d{{1,3}}(?:\.\d)?|[NM1])[:：](?P<b>\d{{1,3}}(?:\.\d)?|[NM])(?![\w:])"
        ),
        _ratio,
    ),
)
