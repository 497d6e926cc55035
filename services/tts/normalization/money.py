"""Sums of money."""

from __future__ import annotations

import re
from typing import NamedTuple

from services.tts.normalization import number_words as numbers
from services.tts.normalization.number_words import NUMBER
from services.tts.normalization.rule import Context, Piece, Reading, Rule
from services.tts.normalization.units import PER, han_per, per


class _Currency(NamedTuple):
    one: str
    many: str
    cent: str
    cents: str
    han: str


_CURRENCIES = {
    "$": _Currency("dollar", "dollars", "cent", "cents", "美元"),
    "€": _Currency("euro", "euros", "cent", "cents", "欧元"),
    "£": _Currency("pound", "pounds", "penny", "pence", "英镑"),
    "¥": _Currency("yuan", "yuan", "fen", "fen", "元"),
    "￥": _Currency("yuan", "yuan", "fen", "fen", "元"),
    "₹": _Currency("rupee", "rupees", "paisa", "paise", "卢比"),
}
_SCALES = {
    "k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion",
    "t": "trillion",
}  # fmt: skip
_SIGNS = {"-": "minus", "−": "minus", "+": "plus", "~": "about", "≈": "approximately"}
_HAN_SIGNS = {"-": "负", "−": "负", "+": "正", "~": "约", "≈": "约"}
_FACTORS = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}


def _money(match: re.Match[str], context: Context) -> Reading:
    currency = _CURRENCIES[match["currency"]]
    written = (match["scale"] or "").lower()
    scale = _SCALES.get(written, written)
    if context.chinese(match.start()):
        return _mandarin(match, currency, scale)
    amount = match["low"].replace(",", "")
    single = context.before(match.start()) in {"a", "an", "each", "every", "another"}
    name = currency.one if single and not match["per"] else currency.many
    if match["high"]:
        said = f"{numbers.decimal(amount)} to {numbers.decimal(match['high'])} {scale}".strip()
        said = f"{said} {name}"
    elif scale:
        said = f"{numbers.decimal(amount)} {scale} {name}"
    else:
        said = _sum(amount, currency, name)
    if match["sign"]:
        said = f"{_SIGNS[match['sign'].strip()]} {said}"
    if not match["per"]:
        return said
    per_start, per_end = match.span("per")
    return [Piece(match.start(), per_start - 1, said), Piece(per_start, per_end, per(match["per"]))]


def _sum(amount: str, currency: _Currency, many: str) -> str:
    whole, _, fraction = amount.partition(".")
    if fraction and len(fraction) != 2:
        return f"{numbers.decimal(amount)} {many}"
    head = f"{numbers.integer(whole or '0')} {currency.one if whole == '1' else many}"
    if int(fraction or "0") == 0:
        return head
    cents = (
        f"{numbers.cardinal(int(fraction))} {currency.cent if fraction == '01' else currency.cents}"
    )
    return cents if int(whole or "0") == 0 else f"{head} and {cents}"


def _mandarin(match: re.Match[str], currency: _Currency, scale: str) -> Reading:
    def said(amount: str) -> str:
        if scale:
            return numbers.han_count(str(round(float(amount.replace(",", "")) * _FACTORS[scale])))
        return numbers.han_count(amount)

    sign = _HAN_SIGNS[match["sign"].strip()] if match["sign"] else ""
    both = sign + "到".join(said(match[name]) for name in ("low", "high") if match[name])
    text = match.string
    # "¥5 元" and "¥5 万" name their unit themselves.
    follows = text[match.end() :].lstrip()[:1]
    unit = "" if follows == "元" else currency.han
    if match["per"]:
        return f"{han_per(match['per'])}{both}{currency.han}"
    return both + unit


RULES = (
    Rule(
        "s",
        re.compile(
            rf"(?P<sign>(?<![\w)])[-−+]|[~≈]\s?)?(?P<currency>[$€£¥￥₹])\s?(?P<low>{NUMBER})"
            rf"(?:\s?[-–—~]\s?[$€£¥￥₹]?(?P<high>{NUMBER}))?"
            r"(?:\s?(?P<scale>thousand|million|billion|trillion|bn|mn|[kKmMbBtT])(?!\w))?"
            rf"(?:\s?/\s?(?P<per>{PER})(?![\w/]))?"
        ),
        _money,
    ),
)
