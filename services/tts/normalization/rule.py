"""What a rule is: a pattern, and how what it finds is said where it stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from services.tts.normalization.script import HAN, has_han


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text and what is said for it.

    Attributes:
        start, end: In the text.
        spoken: What is said; empty if nothing is.
        after: A mark it carries itself.
    """

    start: int
    end: int
    spoken: str
    after: str = ""


Reading: TypeAlias = "str | Sequence[Piece] | None"
"""Said for the whole match; or piece by piece; None leaves it to a later rule."""

_SENTENCE_END = re.compile(r"[。！？!?\n；;]|\.(?=\s|$)")
_LATIN_WORD = re.compile(rf"[A-Za-z][^\s{HAN}]*")
_WORD_BEFORE = re.compile(r"([A-Za-z][A-Za-z'+#]*)[.,]?[\s(\"“]*$")
_WORD_AFTER = re.compile(r"[\s\-]*([A-Za-z]+)")
_GREETING_WORDS = "hello hi hey dear welcome thanks morning afternoon evening goodbye bye"
GREETINGS = frozenset(_GREETING_WORDS.split())
"""Words that a name follows."""
# No context word is longer.
_REACH = 24


@dataclass(frozen=True)
class Context:
    """What around a piece decides how it is read.

    Attributes:
        text: The whole text.
        shouted: Whether all of it is in capitals, which then mean nothing.
    """

    text: str
    shouted: bool

    def chinese(self, position: int) -> bool:
        """Whether the sentence at a position is Chinese, so that its numbers are."""
        starts, verdicts = self._sentences
        return verdicts[bisect_right(starts, position) - 1]

    @cached_property
    def _sentences(self) -> tuple[list[int], list[bool]]:
        if not has_han(self.text):
            return [0], [False]
        starts = [0, *(match.end() for match in _SENTENCE_END.finditer(self.text))]
        verdicts: list[bool | None] = []
        for start, end in zip(starts, [*starts[1:], len(self.text)], strict=True):
            sentence = self.text[start:end]
            han = sum(1 for character in sentence if has_han(character))
            latin = len(_LATIN_WORD.findall(sentence))
            verdicts.append(0 < han >= latin if han or latin else None)
        # A list's number goes with the sentence after it, the last ones with those before.
        return starts, [
            verdict if verdict is not None else next(filter(None, verdicts[index:]), any(verdicts))
            for index, verdict in enumerate(verdicts)
        ]

    def before(self, position: int) -> str:
        """The English word before a position, in lower case; empty if something else is there."""
        found = _WORD_BEFORE.search(self.text[max(0, position - _REACH) : position])
        return found.group(1).lower() if found else ""

    def after(self, position: int) -> str:
        """The English word after a position, as written; empty if something else is there."""
        found = _WORD_AFTER.match(self.text, position)
        return found.group(1) if found else ""

    def begins_sentence(self, position: int) -> bool:
        """Whether nothing of its sentence stands before a position."""
        before = self.text[max(0, position - _REACH) : position].rstrip(" \t\"'“‘(*")
        return not before or before[-1] in ".?!:\n。！？；;"


@dataclass(frozen=True, slots=True)
class Rule:
    """One way of reading.

    Attributes:
        starts: What it can begin with, of "d" (a digit), "l" (a letter), "s" (a sign).
        pattern: Tried where the rules before it did not match.
        read: What is said.
    """

    starts: str
    pattern: re.Pattern[str]
    read: Callable[[re.Match[str], Context], Reading]


def within_chinese(rule: Rule) -> Rule:
    """The rule with the edges of its words where Chinese begins, which no blank parts from them."""
    flags = rule.pattern.flags & ~re.UNICODE | re.ASCII
    return replace(rule, pattern=re.compile(rule.pattern.pattern, flags))


def pieces(match: re.Match[str], **spoken: str) -> list[Piece]:
    """Pieces of a match by the names of its groups, which keep their places in the text."""
    found = [Piece(*match.span(name), said) for name, said in spoken.items()]
    return sorted(found, key=lambda piece: piece.start)
