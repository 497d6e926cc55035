"""How much of a long answer is scored: its beginning, and the report says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.interview.record import SpokenWord, Turn

SCORED_LETTERS = 40_000
"""Of one round, follow-ups among it: an hour's typing, four hours' talk. To score them takes a
fifth of a second of a processor; ten rounds are scored in the time that a report has."""


def beginning(turns: Sequence[Turn]) -> Sequence[Turn]:
    """The turns up to `SCORED_LETTERS`; the same ones where they have no more."""
    left, kept = SCORED_LETTERS, []
    for turn in turns:
        if len(turn.text) > left:
            if left:
                kept.append(replace(turn, text=turn.text[:left], words=_within(turn.words, left)))
            return kept
        left -= len(turn.text)
        kept.append(turn)
    return turns


def _within(words: Sequence[SpokenWord], letters: int) -> tuple[SpokenWord, ...]:
    kept = []
    for word in words:
        letters -= len(word.text)
        if letters < 0:
            break
        kept.append(word)
    return tuple(kept)
