"""An answer cut into the passages that a key point can be found in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

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


def passages(turns: Sequence[Turn]) -> list[Evidence]:
    """The passages of the turns as stretches with their times.

    They are the sentences, and each pair of neighbours.
    """
    found: list[Evidence] = []
    for turn in turns:
        alone = sentences([turn])
        found += alone
        found += [_joined(a, b) for a, b in pairwise(alone)]
    return found


def sentences(turns: Sequence[Turn]) -> list[Evidence]:
    """The sentences of the turns in order."""
    return [each for turn in turns for each in (_spoken(turn) if turn.words else _typed(turn))]


def texts(answer: str) -> list[str]:
    """The passages of an answer of which only the text is known."""
    typed = Turn("", Speaker.CANDIDATE, answer, 0.0, 0.0, typed=True)
    return [passage.quote for passage in passages([typed])]


def _joined(one: Evidence, other: Evidence) -> Evidence:
    return Evidence(one.turn_id, one.start, other.end, closed_up(f"{one.quote} {other.quote}"))


def _typed(turn: Turn) -> list[Evidence]:
    parts = [part.strip() for part in _END.split(turn.text)]
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
