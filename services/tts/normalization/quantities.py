"""Numbers with what belongs to them: a sign, a range, a scale, a unit, a rate."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.tts.normalization import number_words as numbers
from services.tts.normalization.letters import spell, with_names
from services.tts.normalization.number_words import NUMBER
from services.tts.normalization.rule import Context, Piece, Reading, Rule, pieces
from services.tts.normalization.script import HAN
from services.tts.normalization.units import PER, UNIT, UNITS, han_per, per
from services.tts.normalization.years import is_year

_SCALES = {"M": 10**6, "B": 10**9, "K": 1000, "k": 1000}
_SCALE_NAMES = {"M": "million", "B": "billion"}
_SCALE_WORD = r"thousand|million|billion|trillion"
_HAN_SCALE = "万亿千百"
# A two before these is 两.
_MEASURES = "个年次台张名位倍种条天周小分秒毫微款组轮层行列份件家项套块步代字副岁点半万亿千百"
_SIGNS = {
    "-": "minus",
    "−": "minus",
    "+": "plus",
    "±": "plus or minus",
    "~": "about",
    "≈": "approximately",
}
_HAN_SIGNS = {"-": "负", "−": "负", "+": "正", "±": "正负", "~": "约", "≈": "约"}
_DEGREES = frozenset(["°", "°C", "℃"])
_ARTICLES = frozenset(
    ["a", "an", "each", "every", "another", "the", "our", "their", "its", "this", "that"]
)
_NO_NOUN = frozenset(
    [
        "of",
        "in",
        "for",
        "to",
        "is",
        "was",
        "are",
        "were",
        "at",
        "per",
        "on",
        "and",
        "or",
        "but",
        "than",
        "from",
        "by",
        "with",
        "before",
        "after",
        "it",
        "we",
        "that",
        "which",
        "when",
        "if",
        "as",
        "until",
        "total",
        "more",
        "less",
        "later",
        "earlier",
        "faster",
        "slower",
        "long",
        "wide",
        "high",
        "old",
        "away",
        "apart",
        "each",
        "ago",
        "later",
        "now",
        "then",
        "because",
        "so",
        "between",
        "through",
        "during",
        "without",
    ]
)


@dataclass(frozen=True, slots=True)
class _Quantity:
    """The parts of a written quantity; see the pattern."""

    match: re.Match[str]
    context: Context

    def part(self, name: str) -> str:
        return self.match[name] or ""

    @property
    def is_range(self) -> bool:
        return self.match["high"] is not None

    def piece(self, first: str, last: str, spoken: str) -> Piece:
        """A piece that spans the groups from one to another, whichever of them matched."""
        ends = [
            self.match.span(name)
            for name in ("sign", "low", "high", "scale", "plus", "unit", "per")
            if self.match[name] and _ORDER[first] <= _ORDER[name] <= _ORDER[last]
        ]
        return Piece(min(start for start, _ in ends), max(end for _, end in ends), spoken)


_ORDER = {
    name: place
    for place, name in enumerate(("sign", "low", "high", "scale", "plus", "unit", "per"))
}


def _read(match: re.Match[str], context: Context) -> Reading:
    quantity = _Quantity(match, context)
    if context.chinese(match.start()):
        return _mandarin(quantity)
    return _english(quantity)


def _english(quantity: _Quantity) -> Reading:
    match, context = quantity.match, quantity.context
    low, high = quantity.part("low"), quantity.part("high")
    sign = _SIGNS.get(quantity.part("sign").strip(), "")
    unit, scale = quantity.part("unit"), quantity.part("scale")
    if quantity.is_range:
        said = f"{_value(low, quantity)} to {_value(high, quantity)}"
    else:
        said = _value(low, quantity)
    if scale:
        said = f"{said} {_SCALE_NAMES.get(scale) or spell('K')}"
    found = [quantity.piece("sign", "scale", f"{sign} {said}".strip())]
    if quantity.part("plus"):
        found.append(Piece(*match.span("plus"), "plus"))
    if unit:
        singular = low == "1" and not high and not scale
        single = singular or quantity.part("gap") == "-" or _before_noun(match, context)
        found.append(
            quantity.piece("unit", "unit", UNITS[unit].one if single else UNITS[unit].many)
        )
    if quantity.part("per"):
        found.append(Piece(*match.span("per"), per(match["per"])))
    return found


def _value(text: str, quantity: _Quantity) -> str:
    plain = not (quantity.part("unit") or quantity.part("scale") or quantity.part("plus"))
    other = quantity.part("high") if text == quantity.part("low") else quantity.part("low")
    paired = len(other) == 4 and other.isdigit() and 1500 <= int(other) <= 2099
    if plain and is_year(text, quantity.match.start("low"), quantity.match.end(), quantity.context):
        return numbers.year(int(text))
    if plain and paired and len(text) == 4 and text.isdigit() and 1500 <= int(text) <= 2099:
        return numbers.year(int(text))
    return numbers.decimal(text)


def _before_noun(match: re.Match[str], context: Context) -> bool:
    """Whether a quantity describes the noun after it: "a 200 ms delay"."""
    if match["per"] or match["plus"]:
        return False
    following = context.after(match.end())
    return (
        context.before(match.start()) in _ARTICLES
        and following[:1].islower()
        and following not in _NO_NOUN
    )


def _mandarin(quantity: _Quantity) -> Reading:
    match = quantity.match
    text = quantity.context.text
    unit = UNITS.get(quantity.part("unit"))
    sign = quantity.part("sign").strip()
    following = text[match.end() :].lstrip()[:1]
    counted = unit is not None or following in _MEASURES
    if text[: match.start()].rstrip().endswith("第"):
        counted = False
    as_year = following == "年" and len(match["low"]) == 4
    low, high = (
        _han_value(quantity.part(name), counted=counted, as_year=as_year)
        for name in ("low", "high")
    )
    if quantity.part("scale"):
        low, high = (_han_scaled(quantity, name) for name in ("low", "high"))
    said = f"{low}到{high}" if quantity.is_range else low
    if quantity.part("unit") in {"%", "％"}:
        said = f"百分之{_HAN_SIGNS.get(sign, '')}{said}"
        return [quantity.piece("sign", "unit", said)]
    said_sign = (
        "零下"
        if sign in {"-", "−"} and quantity.part("unit") in _DEGREES
        else _HAN_SIGNS.get(sign, "")
    )
    said = said_sign + said
    if quantity.part("per"):
        counted_by = with_names(unit.han) if unit else ""
        return [quantity.piece("sign", "per", f"{han_per(match['per'])}{said}{counted_by}")]
    if quantity.part("plus") and unit is None:
        return _han_at_least(quantity, said)
    found = [quantity.piece("sign", "scale", said)]
    if unit:
        more = "以上" if quantity.part("plus") else ""
        found.append(Piece(*match.span("unit"), with_names(unit.han) + more))
    return found


def _han_scaled(quantity: _Quantity, name: str) -> str:
    """Of "1.2M": 一百二十万."""
    value = float(quantity.part(name).replace(",", "") or 0) * _SCALES[quantity.part("scale")]
    return numbers.han_count(str(round(value)))


def _han_at_least(quantity: _Quantity, said: str) -> Reading:
    """Of "5+ 年": 五年以上."""
    match = quantity.match
    measure = re.compile(rf"\s*([{HAN}])").match(quantity.context.text, match.end())
    if measure is None or measure.group(1) not in _MEASURES:
        return [Piece(*match.span(), f"{said}以上")]
    return [Piece(match.start(), measure.end(), f"{said}{measure.group(1)}以上")]


def _han_value(text: str, *, counted: bool, as_year: bool) -> str:
    if as_year and text.isdigit():
        return numbers.han_digits(text)
    return (numbers.han_count if counted else numbers.han_number)(text)


def _ordinal(match: re.Match[str], context: Context) -> Reading:
    return numbers.ordinal(int(match["value"]))


def _many(match: re.Match[str], context: Context) -> Reading:
    """Of "100s of users": hundreds; "100s of downtime" are seconds."""
    if context.chinese(match.start()):
        return None
    return _ROUND[len(match["value"])]


_ROUND = {
    2: "tens", 3: "hundreds", 4: "thousands", 5: "tens of thousands",
    6: "hundreds of thousands", 7: "millions",
}  # fmt: skip


def _feet(match: re.Match[str], context: Context) -> Reading:
    """A person's height, in feet and inches."""
    feet, inches = int(match["feet"]), int(match["inches"])
    if context.chinese(match.start()):
        return f"{numbers.han_count(str(feet))}英尺{numbers.han_count(str(inches))}英寸"
    return f"{numbers.cardinal(feet)} foot {numbers.cardinal(inches)}"


def _han_rate(match: re.Match[str], context: Context) -> Reading:
    """Of "500次/台": 每台五百次."""
    count = "到".join(numbers.han_count(match[name]) for name in ("low", "high") if match[name])
    return f"{han_per(match['per'])}{count}{match['what']}"


def _multiple(match: re.Match[str], context: Context) -> Reading:
    """Of "3x": three times as in "3x faster", else three X."""
    if context.chinese(match.start()):
        return f"{numbers.han_count(match['value'])}倍"
    times = context.after(match.end()).lower() in _COMPARED
    said = numbers.decimal(match["value"])
    return f"{said} times" if times else f"{said} {spell('x')}"


_COMPARED = frozenset(
    [
        "faster",
        "slower",
        "more",
        "less",
        "fewer",
        "better",
        "worse",
        "larger",
        "bigger",
        "smaller",
        "cheaper",
        "higher",
        "lower",
        "longer",
        "shorter",
        "as",
        "the",
    ]
)


def _lengths(match: re.Match[str], context: Context) -> Reading:
    """Of "1920x1080": each side, with "by" between."""
    sizes = [size for size in (match["a"], match["b"], match["c"]) if size]
    if context.chinese(match.start()):
        return "乘".join(
            numbers.han_digits(size) if len(size) == 4 else numbers.han_number(size)
            for size in sizes
        )
    return " by ".join(
        numbers.paired(size) if len(size) == 4 else numbers.decimal(size) for size in sizes
    )


def _scientific(match: re.Match[str], context: Context) -> Reading:
    exponent = match["exponent"].lstrip("+")
    minus = exponent[0] in "-−"
    plain = exponent.lstrip("-−")
    if context.chinese(match.start()):
        power = ("负" if minus else "") + numbers.han_number(plain)
        return f"{numbers.han_number(match['value'])}乘十的{power}次方"
    said = f"{'minus ' if minus else ''}{numbers.cardinal(int(plain))}"
    return f"{numbers.decimal(match['value'])} {spell('e')} {said}"


def _amperes(match: re.Match[str], context: Context) -> Reading:
    """Of "a 13A fuse"; elsewhere the letter counts or names: "flat 5A"."""
    text, value = context.text, match["value"]
    before_noun = context.after(match.end()).lower() in _ELECTRIC
    if not before_noun and _ELECTRICITY.search(text) is None:
        return None
    if context.chinese(match.start()):
        return pieces(match, value=numbers.han_count(value), unit="安")
    unit = "amp" if before_noun or value == "1" else "amps"
    return pieces(match, value=numbers.decimal(value), unit=unit)


_ELECTRIC_NOUNS = """
fuse fuses breaker breakers circuit circuits supply socket sockets outlet outlets plug plugs current
charger chargers relay relays motor motors load loads cable cables adapter
"""
_ELECTRIC = frozenset(_ELECTRIC_NOUNS.split())
_ELECTRICITY = re.compile(r"\d\s?(?:mA|[kmM]?V|[kM]?W|[kmM]?[ΩΩ])(?![A-Za-z])|电流|保险丝")

_SCALED_UNIT = (
    r"(?P<scale>[kKMB](?![A-Za-z0-9_/°²³ΩΩ]))?(?P<plus>\+(?!\d|\+))?"
    rf"(?:(?P<gap>[\s\-]?)(?P<unit>{UNIT})(?![A-Za-z0-9_²³])"
    # "5 yrs. of work" goes on.
    r"(?:(?<=[a-z]{2})\.(?=\s[a-z]))?)?"
)
_SPACED = rf"(?:\s?[–—~～]\s?|-)(?={NUMBER})"
RULES = (
    Rule(
        "d",
        re.compile(r"(?P<value>\d{1,7})(?:st|nd|rd|th)\b"),
        _ordinal,
    ),
    Rule(
        "d",
        re.compile(
            r"(?<![\w.,])(?P<value>10{1,6})s(?=\sof\s(?:people\b|(?:[\w-]+\s){0,2}[A-Za-z]+s\b))"
        ),
        _many,
    ),
    Rule(
        "d",
        re.compile(r"(?<![\w.])(?P<feet>[3-8])['’′]\s?(?P<inches>1[01]|\d)(?:[\"”″]|'')"),
        _feet,
    ),
    Rule("d", re.compile(rf"(?P<value>{NUMBER})\s?[xX×](?![\w×])"), _multiple),
    Rule(
        "d",
        re.compile(
            rf"(?P<low>{NUMBER})(?:[-–~](?P<high>{NUMBER}))?\s?(?P<what>[{HAN}]{{1,3}})\s?/\s?"
            rf"(?P<per>{PER})(?![\w/])"
        ),
        _han_rate,
    ),
    Rule(
        "d",
        re.compile(rf"(?P<a>{NUMBER})\s?[x×](?P<b>{NUMBER})(?:\s?[x×](?P<c>{NUMBER}))?(?!\w)"),
        _lengths,
    ),
    Rule(
        "d", re.compile(rf"(?P<value>{NUMBER})[eE](?P<exponent>[-−+]?\d{{1,3}})(?!\w)"), _scientific
    ),
    Rule(
        "ds",
        re.compile(
            rf"(?P<sign>(?:(?<![A-Za-z0-9_)\]年月日号章节时点])[-−+]|[±~≈]\s?)(?=\.?\d))?(?P<low>{NUMBER})"
            rf"(?:{_SPACED}(?P<high>{NUMBER})(?!-\d))?"
            rf"{_SCALED_UNIT}(?:\s?/\s?(?P<per>{PER})(?![\w/]))?"
        ),
        _read,
    ),
)
AMPERES = Rule("d", re.compile(rf"(?P<value>{NUMBER})\s?(?P<unit>A)(?![\w'’/+-]|\.\w)"), _amperes)
"""Before other letters behind a number are taken for its own."""
