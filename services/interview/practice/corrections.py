"""Finds in what was said what is better said otherwise, with its place in the recording."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from services.interview.practice.rules import RULES
from services.interview.record import SpokenWord, Turn
from services.interview.reports.passages import quote
from services.interview.reports.report import Correction, Evidence

_FILLERS = re.compile(r"\b(?:um+|uh+|uhm|erm?|hmm+)\b[,.]? ?", re.IGNORECASE)


def corrections(turns: Sequence[Turn]) -> tuple[Correction, ...]:
    """What is better said otherwise in some turns, in the order it was said.

    Where two mistakes overlap the first one found stands.
    """
    return tuple(found for turn in turns for found in _in_turn(turn))


def _in_turn(turn: Turn) -> Iterator[Correction]:
    words = [word for word in turn.words if not _FILLERS.fullmatch(word.text.strip(" ,.") + " ")]
    text = " ".join(word.text.strip() for word in words)
    if not text:
        text = " ".join(_FILLERS.sub("", turn.text).split())
    # Where each word begins in the joined text.
    places = list(accumulate((len(word.text.strip()) + 1 for word in words), initial=0))
    for start, end, better, reason in mistakes(text):
        said = text[start:end]
        first, last = bisect_right(places, start) - 1, bisect_left(places, end)
        yield Correction(said, better, reason, _evidence(turn, words[first:last], said))


def mistakes(text: str) -> list[tuple[int, int, str, str]]:
    """The mistakes in a text, in order: where each begins and ends, how it is said, and why."""
    plain = text.replace("’", "'")
    taken = bytearray(len(plain))
    found: list[tuple[int, int, str, str]] = []
    for rule in RULES:
        for start, end, better in rule.find(plain):
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append((start, end, _as_written(plain[start:end], better), rule.reason))
    return sorted(found)


def _as_written(said: str, better: str) -> str:
    """With a capital where there was one, and I in a capital."""
    better = re.sub(r"\bi\b(?=$|[ ,'])", "I", better)
    return better[0].upper() + better[1:] if said[0].isupper() else better


def _evidence(turn: Turn, covered: Sequence[SpokenWord], said: str) -> Evidence:
    if not covered:
        return Evidence(turn.id, turn.start, turn.end, said)
    return Evidence(turn.id, covered[0].start, covered[-1].end, quote(covered))
