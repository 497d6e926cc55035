"""Written text to what is said: numbers, money, signs and acronyms become words.

A text is a row of written words, each with its place in the segment; a written word may be spoken
as several ("$5" is "five dollars"). What cannot be spoken (control characters, emoji, stray signs)
is dropped. At every place the first rule that knows what stands there says how it is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from services.tts.normalization import (
    abbreviations,
    addresses,
    codes,
    dates,
    durations,
    fractions,
    money,
    quantities,
    roman,
    symbols,
    telephone,
    versions,
    words,
    years,
)
from services.tts.normalization.acronyms import is_shouted
from services.tts.normalization.rule import Context, Piece, within_chinese
from services.tts.normalization.script import HAN, is_speakable
from services.tts.normalization.tokens import Token, Utterance
from services.tts.normalization.units import UNIT

_MARKS = {
    ",": ",", "，": ",", "、": ",", ".": ".", "。": ".", "．": ".", "?": "?", "？": "?", "!": "!",
    "！": "!", ";": ";", "；": ";", ":": ":", "：": ":", "…": "…", "—": "—", "–": "—", "―": "—",
}  # fmt: skip
_STRENGTH = ",—:;….!?"
_MARK = re.compile(r"\.{2,}|[,，、.。．?？!！;；:：…—–―]+")
_SPACE = re.compile(r"\s+")
_HAN = re.compile(f"[{HAN}]")
# Full-width letters, digits and signs but for the marks, and blanks, are read as ASCII's.
_MARKS_KEPT = frozenset("，．？！；：")
_AS_ASCII = {
    code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if chr(code) not in _MARKS_KEPT
} | dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
_ALWAYS_SAID = re.compile(f"[A-Za-z0-9{HAN}]")
_GROUPED = re.compile(r"(?<![\w.,+/#-])(?<![\d)] )[1-9]\d{0,2}(?: \d{3})+(?! ?\d|-)")
_COUNTED = re.compile(rf" ?(?:people\b|[a-z]{{2,}}s\b|{UNIT}(?![A-Za-z])|[{HAN}])")
_MONEY = tuple("$€£¥￥₹")

# The more a rule asks for, the earlier it is asked.
_EDGED = (
    *symbols.RULES[:2],
    *addresses.RULES,
    *abbreviations.RULES,
    *dates.RULES,
    *durations.RULES,
    *telephone.RULES,
    *money.RULES,
    *fractions.RULES,
    *versions.RULES,
    *symbols.RULES[2:],
    *years.RULES,
    quantities.AMPERES,
    *codes.RULES,
    *roman.RULES,
    *quantities.RULES,
    symbols.GREEK,
)
# Words have letters of any language.
_RULES = (*map(within_chinese, _EDGED), *words.RULES, words.WORD, symbols.OTHER)
_BY_START = {start: tuple(rule for rule in _RULES if start in rule.starts) for start in "dls"}


def normalize(text: str, offset: int = 0) -> Utterance | None:
    """How a phrase is said; None when nothing in it can be.

    Args:
        text: The phrase.
        offset: Where it begins in its segment, in Unicode code points.
    """
    tokens: list[Token] = []
    written_end = 0
    for piece in _pieces(text):
        if piece.after and not piece.spoken:
            if tokens:
                tokens[-1] = _marked(tokens[-1], piece.after)
            continue
        last = tokens[-1] if tokens else None
        spoken = _clean(piece.spoken)
        if not spoken:
            continue
        token = Token(text[piece.start : piece.end], offset + piece.start, spoken, piece.after)
        if last is not None and _is_glued(text[written_end : piece.start], last, token):
            # One written word in several pieces: "v2", "C++", "GPT-4".
            start = last.offset - offset
            tokens[-1] = Token(
                text[start : piece.end], last.offset, f"{last.spoken} {spoken}", piece.after
            )
        else:
            tokens.append(token)
        written_end = piece.end
    return Utterance(tuple(tokens)) if tokens else None


def can_be_said(text: str) -> bool:
    """Whether a text with a letter or digit in it has something `normalize` finds to say.

    It looks no further than the first.
    """
    if not is_speakable(text):
        return False
    plain = _ALWAYS_SAID.search(text) is not None
    return plain or any(_clean(piece.spoken) for piece in _pieces(text))


def _pieces(text: str) -> Iterator[Piece]:
    """The text's pieces in order; a mark is a piece with nothing but `after`."""
    # One character for one, so that every place stays.
    text = _GROUPED.sub(_with_commas, text.translate(_AS_ASCII))
    context = Context(text, is_shouted(text))
    position = 0
    while position < len(text):
        found = list(_read(text, position, context))
        yield from found
        position = found[-1].end


def _with_commas(match: re.Match[str]) -> str:
    """A number whose thousands are parted by blanks, as the other rules know it.

    A blank may also part two numbers, or a telephone number's groups.
    """
    written, text = match.group(), match.string
    groups = written.split(" ")[1:]
    zeros = any(group.startswith("0") for group in groups)
    money = text[: match.start()].endswith(_MONEY)
    counted = money or zeros or _COUNTED.match(text, match.end())
    one = counted or (len(groups) > 1 and not telephone.is_told(text, match.start()))
    return written.replace(" ", ",") if one else written


def _read(text: str, position: int, context: Context) -> Iterator[Piece]:
    """The pieces at a place, up to where the next are to be looked for."""
    start = text[position]
    if (space := _SPACE.match(text, position)) is not None:
        yield Piece(position, space.end(), "")
        return
    if _HAN.match(start):
        yield Piece(position, position + 1, start.replace("〇", "零"))
        return
    kind = "d" if start.isascii() and start.isdigit() else "l" if start.isalpha() else "s"
    mark = _MARK.match(text, position)
    for rule in _BY_START[kind]:
        if mark is not None and rule is symbols.OTHER:
            break
        match = rule.pattern.match(text, position)
        reading = None if match is None else rule.read(match, context)
        if match is None or reading is None:
            continue
        if isinstance(reading, str):
            yield Piece(position, match.end(), reading)
            return
        yield from reading
        if not reading or reading[-1].end < match.end():
            # What the rule took without saying it.
            yield Piece(reading[-1].end if reading else position, match.end(), "")
        return
    if mark is not None:
        yield Piece(position, mark.end(), "", mark.group())


def _is_glued(between: str, last: Token, token: Token) -> bool:
    """Whether a piece goes on the written word before it; what stood between was not said."""
    if last.after or last.is_han or token.is_han:
        return False
    return not any(character.isspace() for character in between)


def _marked(token: Token, marks: str) -> Token:
    """The token with the strongest of the marks that follow it."""
    if marks.startswith(".."):
        marks = "…"
    kinds = [kind for kind in (token.after, *map(_MARKS.get, marks)) if kind]
    strongest = max(kinds, key=_STRENGTH.index, default="")
    return Token(token.written, token.offset, token.spoken, strongest)


def _clean(spoken: str) -> str:
    """Without what no engine can say, and with single spaces."""
    kept = "".join(c for c in spoken if c.isalpha() or c in " '-" or unicodedata.combining(c))
    return " ".join(kept.split()).strip("-' ") if any(c.isalpha() for c in kept) else ""
