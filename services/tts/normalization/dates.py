"""Dates and times of day."""

from __future__ import annotations

import re

from services.tts.normalization import number_words as numbers
from services.tts.normalization.letters import spell
from services.tts.normalization.rule import Context, Piece, Reading, Rule

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_SHORT = {month[:3].lower(): month.lower() for month in MONTHS} | {"sept": "september"}
_MONTH = rf"(?P<month>{'|'.join(MONTHS)}|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
_DAY = r"(?P<day>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?(?![\w:/%]|\.\d)"
_YEAR = r"(?P<year>[12]\d{3})(?![\w:/%]|\.\d)"


def _month(written: str) -> str:
    return _SHORT[written.rstrip(".").lower()[:3]]


def _numeric(match: re.Match[str], context: Context) -> Reading:
    """2023-10-05, 2023/10/05, and 10/05/2023 as Americans write it."""
    year, month, day = (int(match[name]) for name in ("year", "month", "day"))
    if not 1 <= month <= 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    if context.chinese(match.start()):
        said = numbers.han_digits(match["year"])
        return f"{said}年{numbers.han_cardinal(month)}月{numbers.han_cardinal(day)}日"
    return f"{MONTHS[month - 1].lower()} {numbers.ordinal(day)} {numbers.year(year)}"


def _named(match: re.Match[str], context: Context) -> Reading:
    """March 3, 2021."""
    found = [
        Piece(*match.span("month"), _month(match["month"])),
        Piece(*match.span("day"), numbers.ordinal(int(match["day"]))),
    ]
    if match["year"]:
        found.append(Piece(*match.span("year"), numbers.year(int(match["year"]))))
    return found


def _month_year(match: re.Match[str], context: Context) -> Reading:
    return [
        Piece(*match.span("month"), _month(match["month"])),
        Piece(*match.span("year"), numbers.year(int(match["year"]))),
    ]


def _numeric_month(match: re.Match[str], context: Context) -> Reading:
    """06/2019."""
    month = int(match["month"])
    if context.chinese(match.start()):
        return f"{numbers.han_digits(match['year'])}年{numbers.han_cardinal(month)}月"
    return [
        Piece(match.start(), match.end("month"), MONTHS[month - 1].lower()),
        Piece(*match.span("year"), numbers.year(int(match["year"]))),
    ]


def _day_first(match: re.Match[str], context: Context) -> Reading:
    """5 May 2018; the month is said first."""
    said = f"{_month(match['month'])} {numbers.ordinal(int(match['day']))}"
    found = [Piece(match.start(), match.end("month"), said)]
    if match["year"]:
        found.append(Piece(*match.span("year"), numbers.year(int(match["year"]))))
    return found


_RATIO_BEFORE = re.compile(r"(?:比例|比分|比率|配比)[是为约]{0,2}\s*$")


def _clock(match: re.Match[str], context: Context) -> Reading:
    hour, minute = int(match["hour"]), match["minute"]
    second = match["second"]
    if context.chinese(match.start()):
        if _RATIO_BEFORE.search(context.text[max(0, match.start() - 8) : match.start()]):
            return None
        said = f"{numbers.han_count(str(hour))}点"
        if minute != "00" or second:
            said += f"{_han_two(minute)}分"
        return said + (f"{_han_two(second)}秒" if second else "")
    half = (match["half"] or "").replace(".", "")
    found = numbers.cardinal(hour)
    if minute == "00" and not second:
        found += "" if half else " o'clock" if 1 <= hour <= 12 else " hundred"
    else:
        found += f" {_two(minute)}"
    if second:
        found += f" and {numbers.cardinal(int(second))} second{'' if second == '01' else 's'}"
    if not half:
        return found
    return [Piece(match.start(), match.start("half"), found), _half(match)]


def _half(match: re.Match[str]) -> Piece:
    ends = match["half"].endswith(".") and not match.string[match.end() :].strip()
    return Piece(*match.span("half"), spell(match["half"].replace(".", "")), "." if ends else "")


def _two(text: str) -> str:
    return f"oh {numbers.cardinal(int(text))}" if text[0] == "0" else numbers.cardinal(int(text))


def _han_two(text: str) -> str:
    return f"零{numbers.han_number(text[1])}" if text[0] == "0" else numbers.han_number(text)


def _hour(match: re.Match[str], context: Context) -> Reading:
    """5 pm."""
    return [Piece(*match.span("hour"), numbers.cardinal(int(match["hour"]))), _half(match)]


def _terms(match: re.Match[str], context: Context) -> Reading:
    """Q1-Q3."""
    chinese = context.chinese(match.start())
    say = numbers.han_number if chinese else numbers.integer
    to = match.end("first")
    return [
        Piece(match.start(), match.start() + 1, spell(match["name"])),
        Piece(*match.span("first"), say(match["first"])),
        Piece(to, to + 1, "到" if chinese else "to"),
        Piece(to + 1, to + 2, spell(match["name"])),
        Piece(*match.span("last"), say(match["last"])),
    ]


_HALF = r"(?P<half>[aApP]\.?[mM](?:\.|\b))"
RULES = (
    Rule("l", re.compile(r"(?<!\w)(?P<name>[QH])(?P<first>\d)[-–](?P=name)(?P<last>\d)\b"), _terms),
    Rule(
        "d",
        re.compile(
            r"(?P<year>[12]\d{3})(?P<by>[-/.])(?P<month>\d{1,2})"
            r"(?P=by)(?P<day>\d{1,2})(?![\d/-]|\.\d)"
        ),
        _numeric,
    ),
    Rule(
        "d",
        re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>[12]\d{3})(?![\d/])"),
        _numeric,
    ),
    Rule(
        "d",
        re.compile(r"(?<![\w/.])(?P<month>0?[1-9]|1[0-2])/(?P<year>(?:19|20)\d\d)(?![\w/%]|\.\d)"),
        _numeric_month,
    ),
    Rule("l", re.compile(rf"{_MONTH}\s{_DAY}(?:,?\s{_YEAR})?"), _named),
    Rule("l", re.compile(rf"{_MONTH},?\s{_YEAR}"), _month_year),
    Rule(
        "d",
        re.compile(
            r"(?P<day>3[01]|[12]\d|[1-9])(?:st|nd|rd|th)?(?:\sof)?"
            rf"\s{_MONTH}(?![a-z])(?:,?\s{_YEAR})?"
        ),
        _day_first,
    ),
    Rule(
        "d",
        re.compile(
            r"(?<![\d:])(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)"
            rf"(?::(?P<second>[0-5]\d))?(?:\s?{_HALF})?(?![\d:])"
        ),
        _clock,
    ),
    Rule("d", re.compile(rf"(?P<hour>1[0-2]|0?[1-9])\s?{_HALF}"), _hour),
)
