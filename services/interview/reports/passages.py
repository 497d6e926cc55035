"""An answer cut into the passages that a key point can be found in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate, pairwise

from services.interview.record import Speaker, SpokenWord, Turn
from services.interview.reports.report import Evidence

BREAK_SECONDS = 0.8
"""A silence that separates sentences when the punctuation does not."""
MAX_WORDS = 30
WINDOW_WORDS = 15
"""About a sentence's length: what is typed without punctuation is cut into such parts."""
MIN_WORDS = 3
"""A sentence shorter than this says nothing by itself and goes with the next one."""

_TYPED_WORD = re.compile(r"[\u4e00-\u9fff]{1,2}|[^\s\u4e00-\u9fff]+")
"""A Chinese word has about two characters."""
_CHINESE = "\u4e00-\u9fff，。！？；："
_INNER_SPACE = re.compile(rf"(?<=[{_CHINESE}]) (?=[{_CHINESE}\d])|(?<=\d) (?=[{_CHINESE}])")
_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*")
_ITEM = re.compile(r"\s*(?:[-–—*•·▪◦]\s+|\(?\d{1,2}(?:[.):]\s+|[)、]\s*))(?=\S)")
"""What an item of a list begins with; it is no word of the answer."""


def passages(turns: Sequence[Turn]) -> list[Evidence]:
    """The passages of the turns as stretches with their times.

    They are the sentences, and each pair of neighbours.
    """
    found: list[Evidence] = []
    for turn in turns:
        lines = _lines(turn)
        starts = set(accumulate(map(len, lines)))
        alone = [sentence for line in lines for sentence in line]
        found += alone
        found += [
            _joined(one, other, "\n" if place in starts else " ")
            for place, (one, other) in enumerate(pairwise(alone), 1)
        ]
    return found


def sentences(turns: Sequence[Turn]) -> list[Evidence]:
    """The sentences of the turns in order."""
    return [each for turn in turns for line in _lines(turn) for each in line]


def texts(answer: str) -> list[str]:
    """The passages of an answer of which only the text is known."""
    typed = Turn("", Speaker.CANDIDATE, answer, 0.0, 0.0, typed=True)
    return [passage.quote for passage in passages([typed])]


def _joined(one: Evidence, other: Evidence, joint: str) -> Evidence:
    text = closed_up(f"{one.quote}{joint}{other.quote}")
    return Evidence(one.turn_id, one.start, other.end, text)


def _lines(turn: Turn) -> list[list[Evidence]]:
    """The sentences of each line: where one ends a sentence does, lists have no full stops."""
    return [_spoken(turn)] if turn.words else [_typed(turn, s) for s in turn.text.splitlines()]


def _typed(turn: Turn, line: str) -> list[Evidence]:
    item = _ITEM.match(line)
    parts = [part.strip() for part in _END.split(line[item.end() if item else 0 :])]
    return [
        Evidence(turn.id, turn.start, turn.end, text)
        for part in parts
        if part
        for text in _windows(part)
    ]


def _windows(text: str) -> list[str]:
    """The text, in parts of about a sentence's length if it is longer than a passage may be."""
    words = [word.span() for word in _TYPED_WORD.finditer(text)]
    if len(words) <= MAX_WORDS:
        return [text]
    starts = [0, *(words[at][0] for at in range(WINDOW_WORDS, len(words), WINDOW_WORDS))]
    if len(words) % WINDOW_WORDS and len(words) % WINDOW_WORDS < MIN_WORDS:
        starts.pop()
    return [text[start:end].strip() for start, end in pairwise([*starts, len(text)])]


def _spoken(turn: Turn) -> list[Evidence]:
    found: list[Evidence] = []
    running: list[SpokenWord] = []
    for index, word in enumerate(turn.words):
        running.append(word)
        following = turn.words[index + 1] if index + 1 < len(turn.words) else None
        over = (
            following is None
            or len(running) >= MAX_WORDS
            or (len(running) >= MIN_WORDS and _breaks(word, following))
        )
        if over:
            found.append(Evidence(turn.id, running[0].start, running[-1].end, quote(running)))
            running = []
    return found


def quote(words: Sequence[SpokenWord]) -> str:
    """Words as text; Chinese has no spaces between them."""
    return closed_up(" ".join(word.text.strip() for word in words))


def closed_up(text: str) -> str:
    """Text without spaces between Chinese characters, and between these and digits."""
    return _INNER_SPACE.sub("", text)


def _breaks(word: SpokenWord, following: SpokenWord) -> bool:
    ends = word.text.rstrip("\"'”)").endswith((".", "!", "?", "。", "！", "？"))
    return ends or following.start - word.end >= BREAK_SECONDS
