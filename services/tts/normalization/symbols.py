"""Operators, mathematics, Greek letters and other signs."""

from __future__ import annotations

import re
import unicodedata

from services.tts.normalization import number_words as numbers
from services.tts.normalization.letters import spell
from services.tts.normalization.number_words import NUMBER
from services.tts.normalization.rule import Context, Piece, Reading, Rule
from services.tts.normalization.words import identifier_reading

_OPERATORS = {
    ">=": "greater than or equal to", "<=": "less than or equal to", "!==": "not equal to",
    "!=": "not equal to", "===": "equals", "==": "equals", "=>": "to", "->": "to",
    "&&": "and", "||": "or", "+/-": "plus or minus", "+=": "plus equals", "-=": "minus equals",
}  # fmt: skip
_HAN_OPERATORS = {
    ">=": "大于等于", "<=": "小于等于", "!==": "不等于", "!=": "不等于", "===": "等于",
    "==": "等于", "=>": "到", "->": "到", "&&": "和", "||": "或", "+/-": "正负",
    "+=": "加等于", "-=": "减等于",
}  # fmt: skip
_SIGNS = {
    "%": "percent", "％": "percent", "‰": "per mille", "&": "and", "+": "plus", "=": "equals",
    "@": "at", "#": "hash", "°": "degrees", "×": "times", "÷": "divided by", "<": "less than",
    ">": "greater than", "≈": "approximately", "≤": "less than or equal to", "√": "square root of",
    "≥": "greater than or equal to", "≠": "not equal to", "±": "plus or minus", "→": "to",
    "∞": "infinity", "∑": "sum of", "∫": "integral of", "§": "section", "©": "copyright",
    "№": "number", "$": "dollar", "€": "euro", "£": "pound", "⇒": "to", "←": "from", "∈": "in",
    "∩": "intersection", "∪": "union", "∀": "for all", "∃": "there exists", "−": "minus",
}  # fmt: skip
_HAN_SIGNS = {
    "&": "和", "+": "加", "=": "等于", "@": "at", "°": "度", "×": "乘", "÷": "除以", "<": "小于",
    ">": "大于", "≤": "小于等于", "≥": "大于等于", "≠": "不等于", "≈": "约等于", "±": "正负",
    "→": "到", "⇒": "到", "√": "根号", "∞": "无穷", "∑": "求和", "∫": "积分", "%": "百分号",
    "％": "百分号", "−": "减", "№": "第", "§": "第",
}  # fmt: skip
_GREEK = """
α alpha β beta γ gamma δ delta ε epsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda μ mu ν nu
ξ xi ο omicron π pi ρ rho σ sigma ς sigma τ tau υ upsilon φ phi χ chi ψ psi ω omega
"""
_GREEK_NAMES = dict(zip(_GREEK.split()[::2], _GREEK.split()[1::2], strict=True)) | {"µ": "mu"}
_LANGUAGES = {
    "c++": ("see plus plus", "加加"),
    "g++": ("jee plus plus", "加加"),
    "c#": ("see sharp", ""),
    "f#": ("ef sharp", ""),
}
_POWERS = {"2": "squared", "3": "cubed"}


def _language(match: re.Match[str], context: Context) -> Reading:
    name = match.group()
    said, han = _LANGUAGES[name.lower()]
    if han and context.chinese(match.start()):
        middle = match.start() + 1
        return [Piece(match.start(), middle, spell(name[0])), Piece(middle, match.end(), han)]
    return said


def _dotted(match: re.Match[str], context: Context) -> Reading:
    """.NET, .bashrc."""
    word = match["word"]
    said = "net" if word == "NET" else word.lower()
    return f"dot {said}"


def _member(match: re.Match[str], context: Context) -> Reading:
    """nums.sort(), x.length: no sentence ends in them."""
    found = []
    for part in re.finditer(r"[^.]+|\.", match.group()):
        said = "dot" if part.group() == "." else identifier_reading(part.group())
        found.append(Piece(match.start() + part.start(), match.start() + part.end(), said))
    return found


def _growth(match: re.Match[str], context: Context) -> Reading:
    """O(n log n): the bracket is "of"; what it holds is read by the other rules."""
    letter, bracket = match.span("name"), match.span("of")
    of = "" if context.chinese(match.start()) else "of"
    return [
        Piece(
            *letter,
            "omega"
            if match["name"] == "Ω"
            else "theta"
            if match["name"] == "Θ"
            else spell(match["name"]),
        ),
        Piece(*bracket, of),
    ]


def _power(match: re.Match[str], context: Context) -> Reading:
    exponent = match["power"].strip("{}()")
    plain = exponent.lstrip("-−")
    chinese = context.chinese(match.start())
    minus = len(plain) < len(exponent)
    if chinese:
        said = ("负" if minus else "") + (
            numbers.han_number(plain) if plain.isdigit() else spell(plain)
        )
        return [Piece(*match.span("power"), f"的{said}次方" if plain.isdigit() else said)]
    if exponent in _POWERS and not match["base"].isdigit():
        said = _POWERS[exponent]
    else:
        number = numbers.integer(plain) if plain.isdigit() else spell(plain)
        said = f"to the {'minus ' if minus else ''}{number}"
    base = match["base"]
    return [
        Piece(*match.span("base"), numbers.integer(base) if base.isdigit() else spell(base)),
        Piece(match.end("base"), match.end(), said),
    ]


def _raised(match: re.Match[str], context: Context) -> Reading:
    """10⁶, x⁴; squares and cubes are left to their own rule."""
    if match["power"] in _SUPERSCRIPTS:
        return None
    power = unicodedata.normalize("NFKC", match["power"]).replace("⁻", "-").replace("−", "-")
    plain = power.lstrip("+-")
    minus = power.startswith("-")
    base = match["base"]
    if context.chinese(match.start()):
        said = numbers.han_number(base) if base.isdigit() else spell(base)
        sign = "负" if minus else ""
        power_said = f"的{sign}{numbers.han_number(plain)}次方"
    else:
        said = numbers.integer(base) if base.isdigit() else spell(base)
        number = numbers.cardinal if minus else numbers.ordinal
        power_said = f"to the {'minus ' if minus else ''}{number(int(plain))}"
    return [Piece(*match.span("base"), said), Piece(*match.span("power"), power_said)]


def _starred(match: re.Match[str], context: Context) -> Reading:
    """A*; the star that closes what another opened is emphasis."""
    if _OPENED.search(context.text[: match.start()]):
        return None
    letter = match.start()
    return [
        Piece(letter, letter + 1, spell(match.group()[0])),
        Piece(letter + 1, letter + 2, "star"),
    ]


_OPENED = re.compile(r"(?<!\w)\*\w[^*\n]*$")


def _remainder(match: re.Match[str], context: Context) -> Reading:
    """Of "7 % 2", a number's percent sign that is none."""
    chinese = context.chinese(match.start())
    say = numbers.han_number if chinese else numbers.decimal
    signs = _HAN_BETWEEN if chinese else _BETWEEN
    return [Piece(*match.span("low"), say(match["low"])), Piece(*match.span("sign"), signs["%"])]


_SUPERSCRIPTS = {"²": "2", "³": "3"}


def _superscript(match: re.Match[str], context: Context) -> Reading:
    if context.chinese(match.start()):
        return "的平方" if match.group() == "²" else "的立方"
    return _POWERS[_SUPERSCRIPTS[match.group()]]


_COMPARISONS = frozenset([">=", "<=", "!=", "!==", "<", ">", "≤", "≥", "≠"])
_VALUE_BEFORE = re.compile(r"(?:(?<![A-Za-z])[A-Za-z]|[\d)\]])\s*$")


def _operator(match: re.Match[str], context: Context) -> Reading:
    written, start = match.group(), match.start()
    if context.chinese(start):
        if written in _NAMED and _HAN_NAMING.search(context.text[max(0, start - 4) : start]):
            return _HAN_NAMED[written]
        return (_HAN_OPERATORS | _HAN_SIGNS)[written]
    if written in _NAMED and context.before(start) in _NAMING:
        return _NAMED[written]
    said = _OPERATORS.get(written) or _SIGNS[written]
    compared = _VALUE_BEFORE.search(context.text[max(0, start - 4) : start])
    # "x > 5" is a sentence; "we need > 5 replicas" has its verb.
    # So has "with p99 < 5 ms".
    attached = _ATTACHED.search(context.text[max(0, start - 40) : start])
    return f"is {said}" if compared and not attached and written in _COMPARISONS else said


# Operators that are spoken about, not used.
_NAMED = {"==": "double equals", "===": "triple equals"}
_HAN_NAMED = {"==": "双等号", "===": "三等号"}
_NAMING_WORDS = "between use using and or vs versus the of with than why does do an"
_NAMING = frozenset(_NAMING_WORDS.split())
_HAN_NAMING = re.compile(r"(?:^|[和与用跟或、，])\s*$")
_ATTACHED = re.compile(r"\b(?:with|without|at|needs?|requires?|keeps?|wants?)\s[\w.]+\s*$")


_BETWEEN = {
    "-": "minus", "−": "minus", "*": "times", "/": "divided by", "^": "to the",
    "%": "mod", "//": "floor divided by",
}  # fmt: skip
_HAN_BETWEEN = {
    "-": "减", "−": "减", "*": "乘", "/": "除以", "^": "的次方", "%": "模", "//": "整除",
}  # fmt: skip


def _between(match: re.Match[str], context: Context) -> Reading:
    """Arithmetic with spaces around its sign: "6 / 2"."""
    return (_HAN_BETWEEN if context.chinese(match.start()) else _BETWEEN)[match.group()]


def _range_of_numbers(match: re.Match[str], context: Context) -> Reading:
    """A rising "10 - 20" is a range; a falling "5 - 3" is arithmetic."""
    low, high = (float(match[name].replace(",", "")) for name in ("low", "high"))
    if low >= high or context.text[match.end() :].lstrip()[:1] == "=":
        return None
    chinese = context.chinese(match.start())
    say = numbers.han_count if chinese else numbers.decimal
    return [
        Piece(*match.span("low"), say(match["low"])),
        Piece(*match.span("sign"), "到" if chinese else "to"),
    ]


def sign(match: re.Match[str], context: Context) -> Reading:
    """One sign or letter that no other rule knows."""
    character = match.group()
    if context.chinese(match.start()):
        said = _HAN_SIGNS.get(character)
        if said is not None:
            return said
    greek = _GREEK_NAMES.get(character.lower())
    return _SIGNS.get(character) or greek or _plain_form(character)


def _plain_form(character: str) -> str:
    """A letter or digit of another script or shape, by its plain form if it has one."""
    plain = unicodedata.normalize("NFKC", character)
    if plain != character and plain.isalnum() and plain.isascii():
        return numbers.decimal(plain) if plain.isdigit() else plain
    return character if character.isalpha() else ""


_ALL = "|".join(re.escape(name) for name in (*sorted(_OPERATORS, key=len, reverse=True), *"<>≤≥≠"))


def _up_to(match: re.Match[str], context: Context) -> Reading:
    """A range whose ends are more than numbers: "10ms-20ms", "10:30-11:45"."""
    return "到" if context.chinese(match.start()) else "to"


RULES = (
    Rule("l", re.compile(r"(?<![A-Za-z])(?:[CcGg]\+\+|[CF]#)(?![\w+])"), _language),
    Rule("s", re.compile(r"(?:(?<![\w.)])|(?=\.NET\b))\.(?P<word>NET|[a-z]{2,})(?!\w)"), _dotted),
    Rule(
        "l",
        re.compile(r"[A-Za-z]\w*(?:\.[a-z]\w+)+(?![\w.-])|[A-Za-z]\w*(?:\.[a-z]\w*)+(?=\()"),
        _member,
    ),
    Rule("l", re.compile(r"(?<!\w)(?P<name>[OΩΘ]|[fgh](?=\([a-z]\)))(?P<of>\()"), _growth),
    Rule(
        "dl",
        re.compile(
            r"(?<![A-Za-z0-9.])(?P<base>[A-Za-z]|\d{1,6})(?:\^|\*\*)"
            r"(?P<power>\{?[-−]?(?:\d{1,4}|[A-Za-z])\}?)(?!\w)"
        ),
        _power,
    ),
    Rule(
        "d",
        re.compile(rf"(?<![\w.])(?P<low>{NUMBER})(?P<sign>\s-\s)(?=(?P<high>{NUMBER}))"),
        _range_of_numbers,
    ),
    Rule(
        "s",
        re.compile(
            r"(?:(?<=\d%)|(?<=\d[a-zA-Z])|(?<=\d[a-zA-Z][a-zA-Z])|(?<=:\d\d))[-–—~](?=[$€£]?\d)"
        ),
        _up_to,
    ),
    Rule(
        "dl",
        re.compile(r"(?<![A-Za-z0-9_.])(?P<base>[A-Za-z]|\d{1,6})(?P<power>[⁺⁻]?[⁰¹²³⁴-⁹]{1,3})"),
        _raised,
    ),
    Rule("s", re.compile(r"[²³]"), _superscript),
    Rule("l", re.compile(r"(?<!\w)[A-Z]\*(?![\w*(])"), _starred),
    Rule(
        "d",
        re.compile(rf"(?<![\w.])(?P<low>{NUMBER})\s(?P<sign>%)(?=\s(?:\d|\(|[b-z]\b))"),
        _remainder,
    ),
    Rule("s", re.compile(r"(?<=[A-Za-z_)\]]\s)%(?=\s[\w(])"), _between),
    Rule("s", re.compile(r"(?<=[\w)\]]\s)//(?=\s(?:\d|\(|[b-zA-Z]\b|\w+_))"), _between),
    Rule("s", re.compile(_ALL), _operator),
    Rule("s", re.compile(r"(?<=[\w)]\s)[-−*/^](?=\s[\w(])"), _between),
    Rule("s", re.compile(r"(?<=\d)\*(?=\d)"), _between),
    Rule("s", re.compile(r"(?<=\b[A-Za-z0-9])\*(?=[A-Za-z0-9]\b)"), _between),
)
GREEK = Rule("l", re.compile("[α-ωΑ-Ωµ](?![α-ωΑ-Ω])"), sign)
"""A Greek letter by itself; words in Greek are words."""
OTHER = Rule("dls", re.compile(r".", re.DOTALL), sign)
"""The rule that everything else meets last."""
