"""An answer cut into the passages that a key point can be found in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from services.interview.record import SpokenWord, Turn
from services.interview.reports.report import Evidence

BREAK_SECONDS = 0.8
"""A silence that separates sentences when the punctuation does not."""
MAX_WORDS = 30
MIN_WORDS = 3
"""A sentence shorter than this says nothing by itself and goes with the next one."""


def passages(turns: Sequence[Turn]) -> list[Evidence]:
    """The sentences of the turns, and each pair of neighbours, as stretches with their times."""
    found: list[Evidence] = []
    for turn in turns:
        sentences = _spoken(turn) if turn.words else _typed(turn)
        found += sentences
        found += [_joined(a, b) for a, b in pairwise(sentences)]
    return found


def _joined(one: Evidence, other: Evidence) -> Evidence:
    return Evidence(one.turn_id, one.start, other.end, f"{one.quote} {other.quote}")


def _typed(turn: Turn) -> list[Evidence]:
    sentences = [part.strip() for part in re.split(r"(?<=[.!?。！？])\s*", turn.text)]
    return [Evidence(turn.id, turn.start, turn.end, text) for text in sentences if text]


def _spoken(turn: Turn) -> list[Evidence]:
    sentences: list[Evidence] = []
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
            quote = " ".join(spoken.text.strip() for spoken in running)
            sentences.append(Evidence(turn.id, running[0].start, running[-1].end, quote))
            running = []
    return sentences


def _breaks(word: SpokenWord, following: SpokenWord) -> bool:
    ends = word.text.rstrip("\"'”)").endswith((".", "!", "?", "。", "！", "？"))
    return ends or following.start - word.end >= BREAK_SECONDS
