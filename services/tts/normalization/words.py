"""Words, single letters and identifiers."""

from __future__ import annotations

import re

from services.tts.normalization import number_words as numbers
from services.tts.normalization.acronyms import (
    can_be_a_name,
    has_open_syllables,
    is_initials,
    is_unsayable,
)
from services.tts.normalization.letters import spell
from services.tts.normalization.rule import GREETINGS, Context, Piece, Reading, Rule, pieces
from services.tts.normalization.script import HAN, RAISED
from services.tts.normalization.terms import term
from services.tts.normalization.units import PER, han_per, per

# "getUserName", "PostgreSQL", "gRPC" into their parts.
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
_OPERATOR_NEXT = re.compile(r"\s*(?:[=<>!+*/^→≤≥≠²³]|->|-\s)|['’]s\b")
_OPERATOR_BEFORE = re.compile(r"(?:[=<>+*/^→≤≥≠]|->)\s*$")
_SLASHED = re.compile(r"/\w")
_SENTENCE_OVER = re.compile(r"\s*(?:[.?!,;:)]|$)")


def word_reading(word: str) -> str:
    """How a word of letters, apostrophes and hyphens is said, wherever it stands."""
    parts = word.replace("‑", "-").split("-")
    if len(parts) == 1:
        return _part(word)
    # "B-tree": a letter in a compound is its name.
    return "-".join(
        spell(part) if len(part) == 1 and part.isascii() else _part(part) for part in parts
    )


def _part(word: str) -> str:
    plain = word.replace("’", "'")
    stem, mark, ending = plain.partition("'")
    return _stem(stem, ending) if stem else plain.lower() if not mark else ending


def _stem(stem: str, ending: str) -> str:
    tail = f"'{ending}" if ending else ""
    said = term(stem)
    if said is not None:
        return said + tail
    if is_initials(stem) or is_unsayable(stem):
        return spell(stem) + tail
    if stem[:-1].isupper() and len(stem) > 2 and stem.endswith("s"):
        # "APIs": a plural, not a possessive, and said alike.
        return f"{_stem(stem[:-1], '')}'s"
    if stem.isascii() and not (stem.islower() or stem.isupper() or stem.istitle()):
        return " ".join(_hump(part) for part in _humps(stem)) + tail
    return (stem.lower() if len(stem) > 1 and stem.isupper() else stem) + tail


def _humps(stem: str) -> list[str]:
    humps = _HUMP.findall(stem)
    # "LoRA", "QLoRA": capitals that only end the name's second syllable.
    last = "".join(humps[-2:])
    if humps[-1].isupper() and has_open_syllables(last.upper()):
        humps[-2:] = [last.capitalize()]
    return humps


def _hump(part: str) -> str:
    said = term(part)
    if said is not None:
        return said
    if len(part) == 1 or is_initials(part) or is_unsayable(part):
        return spell(part) if part.isascii() else part
    return part.lower()


def _word(match: re.Match[str], context: Context) -> Reading:
    word = match.group()
    if can_be_a_name(word) and term(word) is None and _is_greeted(match, context):
        return word.capitalize()
    return word_reading(word.lower() if context.shouted else word)


def _is_greeted(match: re.Match[str], context: Context) -> bool:
    """Whether a name stands here: "Hello ANNA,"."""
    greeted = ends_in_greeting(context.text[: match.start()])
    return greeted and _NAME_OVER.match(context.text, match.end()) is not None


def ends_in_greeting(text: str) -> bool:
    """Whether a text ends in words that a name may follow: "Thank you, "."""
    return _GREETING.search(text[-_GREETING_REACH:]) is not None


_GREETING_REACH = 24
_GREETING = re.compile(
    rf"(?:\b(?:{'|'.join(GREETINGS)}|(?:thank|meet|see) you)[.,]?|(?:你好|您好|谢谢你?|欢迎)[,，]?)"
    r"[\s(\"“]*$",
    re.IGNORECASE,
)
_NAME_OVER = re.compile(r"\s*(?:[,.!?;:，。！？、]|$)|\s[A-Z]{3,}\b")


def _single(match: re.Match[str], context: Context) -> Reading:
    """A letter by itself is its name, unless it is an article or the pronoun."""
    letter = match.group()
    if letter == "I":
        return spell(letter) if _SLASHED.match(context.text, match.end()) else letter
    if letter in "aA":
        start, end = match.span()
        symbol = _OPERATOR_NEXT.match(context.text, end) or _OPERATOR_BEFORE.search(
            context.text[max(0, start - 8) : start]
        )
        article = letter == "a" or context.begins_sentence(start) or context.shouted
        if article and not symbol and not _SENTENCE_OVER.match(context.text, end):
            return letter
    return spell(letter)


def _rate(match: re.Match[str], context: Context) -> Reading:
    """Things per time: "requests/s"."""
    if context.chinese(match.start()):
        return pieces(match, per=han_per(match["per"]), what=word_reading(match["what"]))
    return pieces(match, what=word_reading(match["what"]), per=per(match["per"]))


def identifier_reading(name: str) -> str:
    """A name of code or of a file: humps, underscores and digits part its words."""
    return " ".join(
        numbers.integer(part) if part.isdecimal() else _identifier_word(part)
        for part in re.findall(r"[^\W\d_]+|\d+", name)
    )


def _identifier_word(part: str) -> str:
    if len(part) == 1 and part.isascii():
        return spell(part)
    return _stem(part, "")


def _identifier(match: re.Match[str], context: Context) -> Reading:
    return [
        Piece(match.start() + part.start(), match.start() + part.end(), said)
        for part in re.finditer(r"[^\W_]+", match.group())
        if (said := identifier_reading(part.group()))
    ]


def _scoped(match: re.Match[str], context: Context) -> Reading:
    return _identifier(match, context)


_LETTER = rf"[^\W\d_{HAN}{RAISED}]"
RULES = (
    Rule(
        "ls",
        re.compile(rf"_*{_LETTER}[^\W{HAN}]*(?:_+[^\W{HAN}]+)+_*|__+{_LETTER}+_*"),
        _identifier,
    ),
    Rule("l", re.compile(rf"{_LETTER}\w*(?:::{_LETTER}\w*)+", re.ASCII), _scoped),
    Rule("l", re.compile(rf"(?P<what>[A-Za-z]{{3,}}s)/(?P<per>{PER})(?![\w/])", re.ASCII), _rate),
    Rule("l", re.compile(rf"[A-Za-z](?!{_LETTER}|['’\-‑]{_LETTER}|\d)"), _single),
)
WORD = Rule(
    "l",
    re.compile(rf"{_LETTER}+(?:['’\-‑]{_LETTER}+)*(?:['’](?!\w))?"),
    _word,
)
"""The rule that every word meets last."""
