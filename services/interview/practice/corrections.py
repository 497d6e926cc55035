"""Finds in what was said what is better said otherwise, with its place in the recording."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
    for start, end, better, reason in mistakes(text):
        said = text[start:end]
        yield Correction(
            said, _as_written(better), reason, _evidence(turn, words, start, end, said)
        )


def mistakes(text: str) -> list[tuple[int, int, str, str]]:
    """The mistakes in a text, in order: where each begins and ends, how it is said, and why."""
    small = text.lower().replace("’", "'")
    taken: list[tuple[int, int, str, str]] = []
    for rule in RULES:
        for found in rule.pattern.finditer(small):
            better = rule.mend(found)
            start, end = _said(found)
            if better is None or any(start < until and at < end for at, until, *_ in taken):
                continue
            taken.append((start, end, better, rule.reason))
    return sorted(taken)


def _said(found: re.Match[str]) -> tuple[int, int]:
    """Where a mistake stands, without the word before it that a rule looked at."""
    before = found.groupdict().get("before") or ""
    return found.start() + len(before), found.end()


def _as_written(text: str) -> str:
    return re.sub(r"\bi\b(?=$|[ ,'])", "I", text)


def _evidence(turn: Turn, words: Sequence[SpokenWord], start: int, end: int, said: str) -> Evidence:
    """The stretch of the words from one place in their joined text to another."""
    place, covered = 0, []
    for word in words:
        length = len(word.text.strip())
        if place < end and start < place + length:
            covered.append(word)
        place += length + 1
    if not covered:
        return Evidence(turn.id, turn.start, turn.end, said)
    return Evidence(turn.id, covered[0].start, covered[-1].end, quote(covered))
