"""What an answer covers of its question, soon enough to choose what to ask next."""

from __future__ import annotations

from dataclasses import dataclass

from services.interview.clients.seams import Embedder
from services.interview.interviewer.deciding import dig_deeper
from services.interview.interviewer.guarding import content_words
from services.interview.questions.bank import Question

COVERED_SHARE = 0.5
"""A point counts as covered when so much of its words is in the answer."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What an answer says of its question's key points; `level` is 0 to 1."""

    covered: tuple[str, ...]
    missed: tuple[str, ...]
    level: float
    declined: bool
    words: int


async def assess(embedder: Embedder, question: Question, answer: str) -> Assessment:
    """Compares an answer with the question's key points; never fails."""
    return by_words(question, answer)


def by_words(question: Question, answer: str) -> Assessment:
    """The same by shared words alone."""
    said = content_words(answer)

    def covers(point: str) -> bool:
        meaning = content_words(point)
        return bool(meaning) and len(meaning & said) >= COVERED_SHARE * len(meaning)

    covered = tuple(point for point in question.key_points if covers(point))
    missed = tuple(point for point in question.key_points if point not in covered)
    level = len(covered) / len(question.key_points) if question.key_points else 0.0
    return Assessment(covered, missed, level, not dig_deeper(answer), len(answer.split()))
