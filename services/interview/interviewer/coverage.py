"""Which key points an answer makes, and where: by meaning, or else by words.

A passage makes a point when it is near it, says it with the same sign ("never blame others" is not
made by "I blame others"), and is not merely the question said back: the nearer a passage is to the
question, the nearer it must come to the point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from services.interview.clients.seams import Embedder
from services.interview.interviewer.personas import primary
from services.interview.interviewer.polarity import Marked, agreement, marked
from services.interview.interviewer.reading import found
from services.interview.interviewer.words import content_words
from services.interview.questions.bank import Question
from services.interview.record import Category
from services.interview.reports.report import Basis

Scores = npt.NDArray[np.float32]

MULTILINGUAL = ("bge-m3", "multilingual", "e5", "labse", "qwen", "gte-", "zh", "chinese")
"""Names of models that read more than English contain one of these."""
ECHO = 0.45
"""From this cosine on a passage is near the question itself."""
SURE = 2.0
"""So much weight of shared words settles that a passage denies a point."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Turns a similarity into strength: `floor` is unrelated, `full` says it all.

    From `covered` on the point counts as made.
    """

    floor: float
    covered: float
    full: float

    def strength(self, similarity: float) -> float:
        """0 to 1."""
        return min(1.0, max(0.0, (similarity - self.floor) / (self.full - self.floor)))


KNOWLEDGE = Scale(floor=0.15, covered=0.36, full=0.60)
STORIES = Scale(floor=0.12, covered=0.34, full=0.50)
"""Cosines of all-MiniLM-L6-v2: facts are said in much the same words, what a story shows is not.
Fitted on `services/cli/bench/answers/fitted.yaml` and tests/interview/answers.py."""
WORDS = Scale(floor=0.05, covered=0.34, full=0.6)
"""Share of a key point's content words that the passage has."""
WORDS_CHINESE = Scale(floor=0.02, covered=0.25, full=0.5)
"""The same for pairs of Chinese characters, of which fewer meet."""


@dataclass(frozen=True, slots=True)
class Point:
    """A key point in an answer.

    Attributes:
        text: The key point.
        strength: How clearly it is made, 0 to 1.
        covered: Whether that counts as made.
        denied: Whether the answer says the opposite.
        where: The passage that makes or denies it, else the nearest.
        similarity: Of that passage, as compared.
    """

    text: str
    strength: float
    covered: bool
    denied: bool
    where: int
    similarity: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """An answer beside its question.

    Attributes:
        points: The question's key points in order.
        closeness: How near the answer comes to the question and its points, as compared.
        nearest: The passage that is nearest to any of them.
        basis: What was compared.
        trade: How near the nearest passage comes to the candidate's trade; None where that was not
            compared.
    """

    points: tuple[Point, ...]
    closeness: float
    nearest: int
    basis: Basis
    trade: float | None = None


async def compare(
    embedder: Embedder,
    question: Question,
    said: Sequence[str],
    *,
    background: bool,
    trade: str | None = None,
) -> Comparison:
    """Compares passages with a question and its key points by meaning.

    A model that does not read the question's language is not asked: words are compared.

    Args:
        embedder: Compares.
        question: The question.
        said: The passages of the answer, at least one.
        background: Whether nobody waits.
        trade: The candidate's position: a question about one's own trade does not name it.

    Raises:
        DependencyFailed: Meanings cannot be compared now.
    """
    targets = [question.text, *question.key_points]
    named = [trade] if trade and question.own_trade else []
    vectors = await embedder.embed([*targets, *named, *said], query=False, background=background)
    length = sum(map(len, said))
    if not reads(vectors.model, question.language):
        return await found(length, lambda: compare_words(question, said))
    first = len(targets) + len(named)
    similarity: Scores = vectors.values[:first] @ vectors.values[first:].T
    scale = KNOWLEDGE if question.category is Category.TECHNICAL else STORIES
    compared = await found(
        length,
        lambda: _compared(
            question, said, similarity[: len(targets)], scale, Basis.RUBRIC_EMBEDDING
        ),
    )
    return replace(compared, trade=float(similarity[-1].max())) if named else compared


def compare_words(question: Question, said: Sequence[str]) -> Comparison:
    """The same by the words that passages and points share."""
    targets = [question.text, *question.key_points]
    wanted = [content_words(target) for target in targets]
    present = [content_words(passage) for passage in said]
    rows = [[len(want & have) / max(1, len(want)) for have in present] for want in wanted]
    scale = WORDS_CHINESE if primary(question.language) == "zh" else WORDS
    return _compared(
        question, said, np.asarray(rows, dtype=np.float32), scale, Basis.RUBRIC_LEXICAL
    )


def reads(model: str, language: str) -> bool:
    """Whether an embedding model reads a language, as far as its name tells."""
    if primary(language) == "en":
        return True
    return any(part in model.lower() for part in MULTILINGUAL)


def _compared(
    question: Question, said: Sequence[str], similarity: Scores, scale: Scale, basis: Basis
) -> Comparison:
    marks = [marked(passage) for passage in said]
    echo = np.maximum(0.0, similarity[0] - ECHO)
    points = tuple(
        _point(text, row, echo, marks, scale)
        for text, row in zip(question.key_points, similarity[1:], strict=True)
    )
    best = similarity.max(axis=1)
    return Comparison(
        points,
        closeness=float(best.max() + best.mean()) / 2,
        nearest=int(np.argmax(similarity.max(axis=0))),
        basis=basis,
    )


def _point(text: str, row: Scores, echo: Scores, marks: Sequence[Marked], scale: Scale) -> Point:
    meant = marked(text)
    kept = (row - echo).astype(np.float64)
    denying = np.zeros(len(row), dtype=bool)
    for place, said in enumerate(marks):
        same, opposite = agreement(said, meant)
        if opposite > same:
            denying[place] = opposite >= SURE and row[place] >= scale.covered
            kept[place] = 0.0 if opposite >= SURE else kept[place] / 2
        elif opposite == same and opposite >= SURE:
            kept[place] = 0.0  # it says so and denies it in one breath
    best = int(np.argmax(kept))
    if denying.any():
        # Where the answer comes nearest to the point it denies it; what else is near says little.
        denier = int(np.argmax(np.where(denying, row, -1.0)))
        if row[denier] >= kept[best]:
            return Point(
                text, 0.0, covered=False, denied=True, where=denier, similarity=float(row[denier])
            )
    covered = bool(kept[best] >= scale.covered)
    strength = scale.strength(float(kept[best]))
    return Point(text, strength, covered, denied=False, where=best, similarity=float(row[best]))
