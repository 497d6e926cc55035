"""Cuts a text, as it arrives, into phrases that can be spoken one by one.

The first phrase is short, so that sound starts early; later ones end with the sentence, or at a
clause once they are long. Where a text is cut depends on the text alone, not on the pieces it came
in, so that a repeated line meets the cache.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import ascii_letters

from services.tts.normalization import HAN, ends_in_greeting, has_han, is_speakable

MAX_CHARACTERS = 240
"""No phrase is longer, whatever the text."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A cut of a segment's text.

    Attributes:
        text: Exactly as it came; joined, the phrases are the text.
        offset: Where it begins in the segment's text, in Unicode code points.
    """

    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class _Lengths:
    """In words; a Chinese character counts half.

    Attributes:
        clause: From here on a comma ends the phrase.
        enumeration: From here on an enumeration comma does.
        connective: From here on a phrase may end before "and", "that" and the like.
        forced: Here it ends at the next space.
    """

    clause: float
    enumeration: float
    connective: float
    forced: float


_FIRST = _Lengths(clause=2, enumeration=5, connective=6, forced=10)
_LATER = _Lengths(clause=12, enumeration=14, connective=20, forced=28)

_CLOSERS = "\"'”’)\\]}»』」》】）"
_SENTENCE = ".!?…。！？．"
_TOKEN = re.compile(
    r"(?P<newline>\n)"
    r"|(?P<space>[^\S\n]+)"
    rf"|(?P<mark>[{_SENTENCE},;:—，、；：]+[{_CLOSERS}]*)"
    rf"|(?P<han>[{HAN}])"
    rf"|(?P<word>[^\s{_SENTENCE},;:—，、；：{HAN}]+)"
)
_FULL_WIDTH = frozenset("。！？．，、；：…—")
_CONNECTIVE_WORDS = """
and or but so because that which who when where while if as than then to for with about before
after until since though although
"""
_CONNECTIVES = frozenset(_CONNECTIVE_WORDS.split())
_NUMERIC = frozenset("0123456789$€£¥￥")
_LONGEST_CONNECTIVE = max(map(len, _CONNECTIVES))
_ABBREVIATED = (
    "mr mrs ms dr prof st jr sr vs etc approx dept inc ltd corp cf al gen col rev hon mt max avg"
    " ave blvd incl"
)
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
# Abbreviations only before a number, words otherwise.
_NUMBERING = frozenset(
    [
        "no",
        "nos",
        "fig",
        "figs",
        "vol",
        "pp",
        "p",
        "ch",
        "sec",
        "eq",
        "ver",
        "ex",
        "art",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
    ]
)
# Shortened words that end a sentence only when the next word does not go on in lower case.
_SHORTENED_WORDS = "yr yrs hr hrs min mins sec secs lb lbs ft exp"
_SHORTENED = frozenset(_SHORTENED_WORDS.split()) - _NUMBERING
_INITIALS = re.compile(r"(?:^|[\s(\"“])(?:[A-HJ-Z]|(?:[A-Za-z]\.)+[A-Za-z]|Ph\.D|[BM]\.Sc)$")
_LAST_WORD = re.compile(r"[^\W\d_]+$")
_CAPITALS_AT_END = re.compile(r"\s*[A-Z]*")
_CAPITALS_NEXT = re.compile(r"\s*[A-Z]{3,}(?!\w)")
_LIST_NUMBER = re.compile(r"\s*\d{1,3}")


class Phraser:
    """Cuts one segment's text."""

    def __init__(self) -> None:
        self._buffer = ""
        self._offset = 0
        self._started = False

    def feed(self, text: str) -> list[Phrase]:
        """Takes the next piece of text; returns the phrases that are complete."""
        self._buffer += text
        return self._cut(closed=False)

    def flush(self) -> list[Phrase]:
        """Ends the text here: returns all that is left, cut where it is long."""
        phrases = self._cut(closed=True)
        if self._buffer:
            phrases.append(self._take(len(self._buffer)))
        return phrases

    def _cut(self, *, closed: bool) -> list[Phrase]:
        phrases = []
        while self._buffer:
            end = _boundary(self._buffer, _LATER if self._started else _FIRST, closed=closed)
            if end is None:
                break
            phrases.append(self._take(end))
        return phrases

    def _take(self, end: int) -> Phrase:
        phrase = Phrase(self._buffer[:end], self._offset)
        self._buffer = self._buffer[end:]
        self._offset += end
        self._started = self._started or is_speakable(phrase.text)
        return phrase


def _boundary(text: str, lengths: _Lengths, *, closed: bool) -> int | None:
    """Where the first phrase ends; None when more text is needed to tell."""
    length = 0.0
    for token in _TOKEN.finditer(text):
        if token.end() >= MAX_CHARACTERS:
            return MAX_CHARACTERS
        kind = token.lastgroup
        if kind in {"word", "han"}:
            length += 1 if kind == "word" else 0.5
            verdict: bool | None = kind == "han" and length >= 2 * lengths.forced
        elif length == 0:
            continue
        elif kind == "newline":
            verdict = True
        elif token.end() == len(text) and not closed:
            verdict = None
        else:
            ends = _ends_at_mark if kind == "mark" else _ends_at_space
            verdict = ends(text, token, length, lengths, closed=closed)
        if verdict is None:
            return None
        if verdict and is_speakable(text[: token.end()]):
            return token.start() if kind == "space" else token.end()
    return None


def _ends_at_mark(
    text: str, token: re.Match[str], length: float, lengths: _Lengths, *, closed: bool
) -> bool | None:
    marks = token.group()
    following = text[token.end() : token.end() + 1]
    parted = not following or following.isspace() or has_han(following)
    if not parted and not _FULL_WIDTH.intersection(marks):
        return False
    if any(mark in _SENTENCE for mark in marks):
        return _ends_sentence(text, token, closed=closed)
    if length < (lengths.enumeration if marks.startswith("、") else lengths.clause):
        return False
    return _ends_greeting(text, token.end(), closed=closed)


def _ends_greeting(text: str, end: int, *, closed: bool) -> bool | None:
    """Whether no name in capitals follows a greeting: only beside it is it known for a name."""
    if not ends_in_greeting(text[:end]):
        return True
    if not closed and _CAPITALS_AT_END.fullmatch(text, end):
        return None
    return _CAPITALS_NEXT.match(text, end) is None


def _ends_sentence(text: str, token: re.Match[str], *, closed: bool) -> bool | None:
    if not token.group().startswith(".") or len(token.group().rstrip("\"'”’)")) > 1:
        return True
    before = text[: token.start()]
    if _LIST_NUMBER.fullmatch(before) or _INITIALS.search(before):
        return False
    last = _LAST_WORD.search(before)
    word = last.group().lower() if last else ""
    if word in _NUMBERING or word in _SHORTENED:
        following = text[token.end() :].lstrip()
        if not following and not closed:
            return None
        goes_on = str.isdigit if word in _NUMBERING else str.islower
        return not goes_on(following[:1])
    return word not in _ABBREVIATIONS


def _ends_at_space(
    text: str, token: re.Match[str], length: float, lengths: _Lengths, *, closed: bool
) -> bool | None:
    if length < lengths.connective or not _may_part(text[token.start() - 1]):
        return False
    following = text[token.end() : token.end() + _LONGEST_CONNECTIVE + 1]
    word = following[: len(following) - len(following.lstrip(ascii_letters))]
    unclear = word == following and len(following) <= _LONGEST_CONNECTIVE and not closed
    if length >= lengths.forced:
        return None if not following and not closed else following[:1] not in _NUMERIC
    return None if unclear else word.lower() in _CONNECTIVES


def _may_part(before: str) -> bool:
    """Whether what stands before a space leaves it a place to end: no number, no abbreviation."""
    return not (before.isdigit() or before == "." or has_han(before))
