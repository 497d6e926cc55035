"""Comparing an answer with the points a good answer makes, by meaning or else by words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.interview.clients.seams import DependencyFailed, Embedder
from services.interview.interviewer.guarding import content_words
from services.interview.questions.bank import Question
from services.interview.record import Turn
from services.interview.reports.delivery import Delivery, measure
from services.interview.reports.passages import passages
from services.interview.reports.report import (
    Basis,
    DimensionScore,
    Evidence,
    KeyPointResult,
    QuestionResult,
)

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scale:
    """Turns a similarity into coverage: `floor` is unrelated, `full` says it all.

    From `covered` on the point counts as made.
    """

    floor: float
    covered: float
    full: float

    def coverage(self, similarity: float) -> float:
        """0 to 1."""
        return min(1.0, max(0.0, (similarity - self.floor) / (self.full - self.floor)))


MEANING = Scale(floor=0.12, covered=0.36, full=0.60)
"""Cosine of all-MiniLM-L6-v2; calibrated on the examples in tests/interview/test_calibration.py."""
WORDS = Scale(floor=0.05, covered=0.34, full=0.6)
"""Share of a key point's content words that the passage has."""

WEIGHTS = {"relevance": 0.35, "depth": 0.45, "clarity": 0.20}
FULL_LENGTH_WORDS = 60
"""About half a minute of speech; a shorter answer cannot go deep."""


async def analyse(
    embedder: Embedder,
    *,
    round_number: int,
    question: Question,
    asked: str,
    turns: Sequence[Turn],
) -> tuple[QuestionResult, DependencyFailed | None]:
    """Scores the answers of one round.

    Args:
        embedder: Compares by meaning; if it fails, words are compared.
        round_number: From 1.
        question: The bank's question.
        asked: How it was asked.
        turns: What the candidate said, follow-ups included; at least one turn.

    Returns:
        The result, and why meanings were not compared, if they were not.
    """
    said = passages(turns)
    targets = [question.text, *question.key_points]
    failure: DependencyFailed | None = None
    try:
        texts = [*targets, *(passage.quote for passage in said)]
        vectors = (await embedder.embed(texts, query=False, background=True)).values
        similarity: Scores = vectors[: len(targets)] @ vectors[len(targets) :].T
        scale, basis = MEANING, Basis.RUBRIC_EMBEDDING
    except DependencyFailed as error:
        failure = error
        similarity = _by_words(targets, said)
        scale, basis = WORDS, Basis.RUBRIC_LEXICAL
    points = [
        _key_point(point, row, said, scale)
        for point, row in zip(question.key_points, similarity[1:], strict=True)
    ]
    delivery = measure([turn.words for turn in turns])
    dimensions = [
        _relevance(similarity, said, scale),
        _depth(points, turns),
        *([_clarity(delivery, turns)] if delivery else []),
    ]
    result = QuestionResult(
        question_id=question.id,
        round=round_number,
        question=asked,
        category=question.category,
        score=weighted(dimensions),
        key_points=tuple(points),
        dimensions=tuple(dimensions),
        turn_ids=tuple(turn.id for turn in turns),
        basis=basis,
    )
    return result, failure


def weighted(dimensions: Sequence[DimensionScore]) -> float:
    """The weighted mean of the dimensions there are."""
    total = sum(WEIGHTS[dimension.name] for dimension in dimensions)
    return sum(WEIGHTS[d.name] * d.score for d in dimensions) / total


def _by_words(targets: Sequence[str], said: Sequence[Evidence]) -> Scores:
    wanted = [content_words(target) for target in targets]
    present = [content_words(passage.quote) for passage in said]
    rows = [[len(want & have) / max(1, len(want)) for have in present] for want in wanted]
    return np.asarray(rows, dtype=np.float32)


def _key_point(
    point: str, similarities: Scores, said: Sequence[Evidence], scale: Scale
) -> KeyPointResult:
    best = int(np.argmax(similarities))
    coverage = scale.coverage(float(similarities[best]))
    covered = float(similarities[best]) >= scale.covered
    return KeyPointResult(point, coverage, covered, said[best] if covered else None)


def _relevance(similarity: Scores, said: Sequence[Evidence], scale: Scale) -> DimensionScore:
    best = similarity.max(axis=1)
    closest = scale.coverage(float(best.max()))
    to_question = scale.coverage(float(best[0]))
    score = 100 * (0.6 * closest + 0.4 * to_question)
    where = said[int(np.argmax(similarity.max(axis=0)))]
    if score >= 60:
        rationale = "The answer stays on what was asked."
    elif score >= 30:
        rationale = "Parts of the answer meet the question; others lead away from it."
    else:
        rationale = "Little of the answer speaks to the question."
    return DimensionScore("relevance", score, rationale, (where,))


def _depth(points: Sequence[KeyPointResult], turns: Sequence[Turn]) -> DimensionScore:
    covered = [point for point in points if point.covered]
    words = sum(len(turn.text.split()) for turn in turns)
    coverage = sum(point.coverage for point in points) / len(points)
    score = 100 * (0.8 * coverage + 0.2 * min(1.0, words / FULL_LENGTH_WORDS))
    rationale = (
        f"{len(covered)} of {len(points)} points of a good answer come up, in {words} words."
    )
    # What was not said shows in the whole answer.
    whole = tuple(Evidence(turn.id, turn.start, turn.end, turn.text) for turn in turns)
    evidence = tuple(point.evidence for point in covered if point.evidence)
    return DimensionScore("depth", score, rationale, evidence or whole)


def _clarity(delivery: Delivery, turns: Sequence[Turn]) -> DimensionScore:
    rationale = (
        f"{delivery.words_per_minute:.0f} words per minute, {len(delivery.fillers)} fillers,"
        f" {len(delivery.pauses)} long pauses."
    )
    spoken = [turn for turn in turns if turn.words]
    evidence = [
        Evidence(_turn_at(spoken, filler.start), filler.start, filler.end, filler.text)
        for filler in delivery.fillers[:3]
    ]
    evidence += [
        Evidence(_turn_at(spoken, start), start, end, "(pause)")
        for start, end in delivery.pauses[:3]
    ]
    if not evidence:
        turn = spoken[0]
        evidence = [Evidence(turn.id, turn.start, turn.end, turn.text)]
    return DimensionScore("clarity", delivery.clarity, rationale, tuple(evidence))


def _turn_at(turns: Sequence[Turn], moment: float) -> str:
    return next((turn.id for turn in turns if turn.start <= moment <= turn.end), turns[-1].id)
