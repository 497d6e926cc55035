"""Scores of one answer from its measures; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.interview.interviewer import rubric
from services.interview.interviewer.coverage import Comparison
from services.interview.interviewer.rubric import Dimension, score
from services.interview.interviewer.structure import Structure
from services.interview.interviewer.wording import Wording
from services.interview.questions.bank import Question
from services.interview.record import Category
from services.interview.reports.delivery import Delivery
from services.interview.reports.report import Basis

_POINTED = frozenset({Category.TECHNICAL, Category.BEHAVIORAL, Category.SOFT_SKILLS})
_PERSONAL = frozenset({Category.BEHAVIORAL, Category.SELF_INTRODUCTION})

OFF_TOPIC = 50.0
"""Below this relevance the other scores count in proportion: nothing is clear beside the point."""
UNSEEN_TOPIC, UNNAMED_TOPIC = 0.5, 0.7
"""Where words alone are compared, who shares none need not be off the topic: an answer in quite
other words shares none either, and least of all with a question that does not name its topic, the
candidate's own trade."""
NEAR, LEAST_NEAR = 25.0, 0.5
"""An answer that makes no point counts in proportion to a content below this, the level of touching
on points, but at least so much: however well something is told, it may be something else. Most good
stories come nearer, even where no sentence of theirs makes a point; an introduction need not, nor
what is told of one's own trade, which the points do not name."""
EXPLAINED_PER_POINT = 4.0
"""Details of its own that an answer needs for each point it makes; points only named count less."""
NAMED = 0.3
"""What a point that is only named counts."""
IMPERSONAL = 25.0
"""Most relevance of an answer to a question about the candidate that speaks of somebody else."""
SAID, LEAST_SAID = 6.0, 0.3
"""With less of one's own than this, clear words are clear about little; so much counts at least."""
DENIED_SHARE = 0.6
"""What is left off the whole when every point is denied."""


@dataclass(frozen=True, slots=True)
class Rating:
    """0 to 100, in the order in which they are told.

    Attributes:
        overall: The whole.
        told: The same, whatever the answer is about.
        dimensions: What the whole is made of.
    """

    overall: float
    told: float
    dimensions: Mapping[Dimension, float]


def rate(
    question: Question,
    comparison: Comparison,
    wording: Wording,
    story: Structure | None = None,
    delivery: Delivery | None = None,
) -> Rating:
    """Rates an answer.

    Args:
        question: The question.
        comparison: The answer beside its question.
        wording: How it is worded.
        story: How it is told, where the question asks for a story.
        delivery: How it was spoken, where it was.
    """
    named = comparison.trade is not None
    scale = rubric.closeness_scale(question, comparison.basis, trade_named=named)
    expected = rubric.BRIEF_SHARE if rubric.brief(question) else 1.0
    least = rubric.FULL_LENGTH * expected
    relevance = score(scale.level(comparison.closeness + (comparison.trade or 0.0)))
    if question.category in _PERSONAL and not wording.personal:
        relevance = min(relevance, IMPERSONAL)
    said = min(1.0, max(LEAST_SAID, wording.own / (SAID * expected)))
    scores = {
        Dimension.RELEVANCE: relevance,
        Dimension.CONTENT: score(rubric.CONTENT.level(_content(comparison, wording, expected))),
        Dimension.DEPTH: score(rubric.DEPTH.level(wording.detail / max(least, wording.words))),
        Dimension.CLARITY: score(rubric.CLARITY.level(wording.precision * said)),
    }
    if story is not None:
        scores[Dimension.STRUCTURE] = score(rubric.STRUCTURE.level(story.completeness))
    if delivery is not None:
        scores[Dimension.DELIVERY] = delivery.fluency
    counting = _counting(question, scores, comparison)
    if question.own_trade and comparison.basis is Basis.RUBRIC_LEXICAL:
        del scores[Dimension.RELEVANCE]  # It is not known: no word of the trade was asked about.
    told = _told(question, scores)
    return Rating(told * counting, told, scores)


def _content(comparison: Comparison, wording: Wording, expected: float) -> float:
    """The mean strength of the points; named without explanation they count less."""
    points = comparison.points
    made = sum(point.strength for point in points)
    needed = EXPLAINED_PER_POINT * expected * made
    explained = 1.0 if not needed else min(1.0, wording.detail / needed)
    return made / len(points) * (NAMED + (1 - NAMED) * explained)


def _told(question: Question, scores: Mapping[Dimension, float]) -> float:
    """The mean of the scores."""
    weights = rubric.weights(question.category)
    there = {dimension: weights[dimension] for dimension in scores if dimension in weights}
    mean = sum(weight * scores[dimension] for dimension, weight in there.items())
    return mean / sum(there.values())


def _counting(
    question: Question, scores: Mapping[Dimension, float], comparison: Comparison
) -> float:
    """The share of it that counts, 0 to 1: of what is beside the point or denied less does."""
    counting = min(1.0, scores[Dimension.RELEVANCE] / OFF_TOPIC)
    pointed = question.category in _POINTED and not question.own_trade
    if comparison.basis is Basis.RUBRIC_LEXICAL:
        counting = max(UNNAMED_TOPIC if question.own_trade else UNSEEN_TOPIC, counting)
    elif pointed and not any(point.covered for point in comparison.points):
        near = min(1.0, scores[Dimension.CONTENT] / NEAR)
        counting *= LEAST_NEAR + (1 - LEAST_NEAR) * near
    denied = sum(point.denied for point in comparison.points) / len(comparison.points)
    return counting * (1 - DENIED_SHARE * denied)
