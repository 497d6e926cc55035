"""The report as a value: every score points at the stretch of speech it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from services.interview.record import Category


class Basis(IntEnum):
    """What the scores rest on; the contract's numbers."""

    RUBRIC_EMBEDDING = 1
    RUBRIC_LEXICAL = 2
    LANGUAGE_MODEL = 3


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of a turn, in seconds on the interview's clock, and what was said there."""

    turn_id: str
    start: float
    end: float
    quote: str


@dataclass(frozen=True, slots=True)
class DimensionScore:
    """A score from 0 to 100 and why."""

    name: str
    score: float
    rationale: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyPointResult:
    """How clearly an answer makes a point, 0 to 1, and where."""

    key_point: str
    coverage: float
    covered: bool
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """A question and how it was answered."""

    question_id: str
    round: int
    question: str
    category: Category
    score: float
    key_points: tuple[KeyPointResult, ...]
    dimensions: tuple[DimensionScore, ...]
    turn_ids: tuple[str, ...]
    basis: Basis


@dataclass(frozen=True, slots=True)
class Report:
    """What an interview showed; without an answer there is no overall score."""

    interview_id: str
    overall_score: float | None
    dimensions: tuple[DimensionScore, ...]
    questions: tuple[QuestionResult, ...]
    strengths: tuple[str, ...]
    weaknesses: tuple[str, ...]
    suggestions: tuple[str, ...]
    basis: Basis
    summary: str
    duration: float
