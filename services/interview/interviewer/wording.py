"""How an answer is worded: how much it says of its own, and how precisely."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.interview.interviewer.words import content_words, count, is_chinese, tokens
from services.interview.questions.bank import Question

_VAGUE_WORDS = """
    thing things stuff something somehow somewhat anything everything kind sort lot lots maybe
    perhaps probably guess think believe feel really very quite always never usually normally
    generally mostly often sometimes certainly definitely basically actually just important
    interesting nice good great better best bad okay fine easy difficult hard big people
    person somebody someone everybody everyone anybody nobody others depends whatever anyway
    etc various several many most much few well course
"""
_VAGUE = frozenset(_VAGUE_WORDS.split())
"""Words that commit to nothing. One is harmless; their share is what counts."""
_VAGUE_CHINESE = re.compile(
    r"一般|大概|可能|应该|好像|好的|比较|有点|什么的|之类|各种|很多|非常|特别|总是|随便|看情况|差不多|反正|就行|还可以|东西|事情"
)
_NUMBER = (
    r"(?:(?<!\d[.,])\d++(?:[.,]\d++)*+|two|three|four|five|six|seven|eight|nine|ten|eleven"
    r"|twelve|fifteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million)"
)
"""Digits are taken whole, from their first on: else "1,1,1…" is looked at from each of them."""
_FIGURES = re.compile(
    rf"\b(?:in|since|by|from|to|until|of|at|than|about|around|under|over|was|were|is) {_NUMBER}\b"
    rf"|\b{_NUMBER}(?=\s?%|[ -]?(?!(?:and|or|but|then|so|i|we|it|the)\b)[a-z])"
    r"|\b(half|third|twice"
    r"|percent|monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march"
    r"|april|june|july|august|september|october|november|december|summer|autumn|winter|minutes?"
    r"|hours?|days?|weeks?|months?)\b"
    r"|(?<![一二三四五六七八九十百千两\d])[一二三四五六七八九十百千两\d]++[个次天年月点周成条]"
    r"|星期|早上|上午|晚上|去年|前年"
)
"""A number by itself says nothing: it counts with its unit, its noun or its preposition."""
_LIST_NUMBER = re.compile(
    r"^[^\S\n]*+(?:\(?\d{1,2}[.):、]|[一二三四五六七八九十]{1,2}[、.])\s*", re.MULTILINE
)
_COUNTING = re.compile(r"(?:^|(?<=\s))\(?(\d{1,2})[.):、]\s+(?=\S)")
_PERSONAL = re.compile(r"\b(i|i'm|i've|i'd|i'll|my|me|mine|myself|we|our|us)\b|我|咱")
FIGURE_WORTH = 2.0
TRUSTED, LEAST_TRUST = 0.25, 0.4
"""From this precision on all detail counts; of the vaguest answer this share does."""
MOST_FIGURES = 5
"""More figures than these say no more."""
WINDOW = 60
"""Words a window: the share of different words falls with length, so it is averaged over windows
(the moving-average type-token ratio, Covington and McFall 2010)."""
CHINESE_PAIRS = 1.5
"""Pairs of characters that stand for one content word."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Measures of the words of an answer.

    Attributes:
        words: How many.
        substance: Different words that carry meaning, commit to something, and are neither the
            question's nor a key point's: what the answer adds of its own.
        density: Share of all words that carry meaning, commit to something and are not the
            question's, each counted once.
        vague: Share of words that commit to nothing.
        figures: Numbers, amounts, days and times.
        personal: Whether the candidate speaks of themselves.
    """

    words: int
    substance: float
    density: float
    vague: float
    figures: int
    personal: bool

    @property
    def own(self) -> float:
        """What the answer adds of its own; figures tell more than other words."""
        return self.substance + FIGURE_WORTH * min(self.figures, MOST_FIGURES)

    @property
    def detail(self) -> float:
        """The same, where among many words that commit to nothing the others count less."""
        return self.own * min(1.0, max(LEAST_TRUST, self.precision / TRUSTED))

    @property
    def precision(self) -> float:
        """Density less vagueness.

        Clear speech has a density of 0.35 to 0.5; notes that are read out have 0.7, and are hard
        to follow.
        """
        return min(self.density, 1.5 - 2 * self.density) - 1.5 * self.vague


def wording(question: Question, answer: str) -> Wording:
    """Measures an answer to a question."""
    answer = _unnumbered(answer)
    words = count(answer)
    asked = content_words(question.text)
    points = content_words(" ".join(question.key_points))
    if is_chinese(answer):
        firm, per_word = content_words(answer) - asked, CHINESE_PAIRS
        vague = float(len(_VAGUE_CHINESE.findall(answer)))
        windows = _slices(answer)
    else:
        firm, per_word = _firm(answer) - asked, 1.0
        spoken = tokens(answer)
        vague = float(sum(word in _VAGUE for word in spoken))
        windows = [" ".join(part) for part in _windows(spoken)]
    densities = [
        len((content_words(part) if per_word > 1 else _firm(part)) - asked)
        / per_word
        / max(1, count(part))
        for part in windows
    ]
    return Wording(
        words,
        len(firm - points) / per_word,
        sum(densities) / max(1, len(densities)),
        vague / max(1, words),
        len(_FIGURES.findall(answer.lower())),
        bool(_PERSONAL.search(answer.lower())),
    )


def _unnumbered(answer: str) -> str:
    """The answer without the numbers of its list, on lines of their own or in a row."""
    plain = _LIST_NUMBER.sub("", answer)
    if [match[1] for match in _COUNTING.finditer(answer)][:2] != ["1", "2"]:
        return plain
    number = 0

    def dropped(match: re.Match[str]) -> str:
        nonlocal number
        if int(match[1]) != number + 1:
            return match[0]
        number += 1
        return ""

    return _LIST_NUMBER.sub("", _COUNTING.sub(dropped, answer))


def _firm(text: str) -> frozenset[str]:
    return frozenset(word for word in content_words(text) if word not in _VAGUE)


def _windows(spoken: list[str]) -> list[list[str]]:
    last = max(0, len(spoken) - WINDOW)
    starts = [*range(0, last, WINDOW // 3), last]
    return [spoken[start : start + WINDOW] for start in starts]


def _slices(answer: str) -> list[str]:
    size = round(1.5 * WINDOW)
    last = max(0, len(answer) - size)
    return [answer[start : start + size] for start in [*range(0, last, size // 3), last]]
