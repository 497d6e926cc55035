"""A quick look at an answer before the next line: which points it makes, which it misses."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from services.interview.clients.seams import DependencyFailed, Embedder
from services.interview.interviewer.coverage import compare, compare_words
from services.interview.interviewer.declining import declined, subject
from services.interview.interviewer.rating import rate
from services.interview.interviewer.reading import found
from services.interview.interviewer.wording import wording
from services.interview.interviewer.words import count
from services.interview.questions.bank import Question
from services.interview.reports.passages import texts
from services.interview.simplified import simplified


@dataclass(frozen=True, slots=True)
class Assessment:
    """What an answer covers.

    Attributes:
        covered: Key points it makes.
        missed: Those it does not make or denies, in the question's order.
        level: How much of a good answer it is, 0 to 1.
        declined: Whether the candidate had nothing to say or wants to go on.
        words: How long it is.
    """

    covered: tuple[str, ...]
    missed: tuple[str, ...]
    level: float
    declined: bool
    words: int

    def to_json(self) -> bytes:
        """For the store."""
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Assessment:
        """From the store.

        Raises:
            ValueError: It is something else.
        """
        try:
            kept = json.loads(data)
            return cls(
                tuple(map(str, kept["covered"])),
                tuple(map(str, kept["missed"])),
                float(kept["level"]),
                bool(kept["declined"]),
                int(kept["words"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no assessment: {error!r}") from error


async def assess(
    embedder: Embedder,
    question: Question,
    answer: str,
    *,
    asked: str | None = None,
    trade: str | None = None,
) -> Assessment:
    """Assesses an answer; falls back to comparing words, never raises for a server that is away.

    Args:
        embedder: Compares by meaning.
        question: The bank's question.
        answer: What was said.
        asked: What it answers, where that is not the question itself.
        trade: The candidate's position, where it is known.
    """
    length = len(answer)
    read = await found(length, lambda: simplified(answer))
    words = await found(length, lambda: count(read))
    if declined(read, subject(question), asked or question.text) or not words:
        return Assessment((), question.key_points, 0.0, declined=bool(words), words=words)
    said = await found(length, lambda: texts(read))
    try:
        comparison = await compare(embedder, question, said, background=False, trade=trade)
    except DependencyFailed:
        comparison = await found(length, lambda: compare_words(question, said))
    worded = await found(length, lambda: wording(question, read))
    points = comparison.points
    covered = tuple(point.text for point in points if point.covered)
    missed = tuple(point.text for point in points if not point.covered)
    level = rate(question, comparison, worded).overall / 100
    return Assessment(covered, missed, level, declined=False, words=words)
