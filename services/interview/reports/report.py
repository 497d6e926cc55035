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
    SPEECH = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of a turn, in seconds on the interview's clock, and what was said there."""

    turn_id: str
    start: float
    end: float
    quote: str


@dataclass(frozen=True, slots=True)
class DimensionScore:
    """A score from 0 to 100 and why.

    Attributes:
        level: The anchored level it is nearest to, 1 to 5; 0 where the scale has none.
    """

    name: str
    score: float
    rationale: str
    evidence: tuple[Evidence, ...] = ()
    level: int = 0


@dataclass(frozen=True, slots=True)
class KeyPointResult:
    """How clearly an answer makes a point, 0 to 1, and where.

    Attributes:
        denied: Whether the answer says the opposite; `evidence` then tells where.
        certain: Whether a point that is not covered was certainly not made: the words were
            understood well and nothing comes near it.
    """

    key_point: str
    coverage: float
    covered: bool
    evidence: Evidence | None = None
    denied: bool = False
    certain: bool = False


@dataclass(frozen=True, slots=True)
class StoryShares:
    """The shares of a story's words by part, together 1."""

    situation: float
    task: float
    action: float
    result: float


@dataclass(frozen=True, slots=True)
class DeliveryFigures:
    """How an answer was spoken.

    Attributes:
        words_per_minute: Over the speaking time, pauses inside an answer included.
        fillers: "um", "you know" and their like, in the text or heard between its words.
        pauses: Silences of 1.5 s and more.
        longest_pause: Seconds.
        from_sound: Whether the recording was measured too; else only the words' times.
    """

    words: int
    words_per_minute: float
    fillers: int
    pauses: int
    longest_pause: float
    from_sound: bool = False


@dataclass(frozen=True, slots=True)
class Correction:
    """Something that was said, how it is said, and why."""

    said: str
    better: str
    reason: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """A question and how it was answered.

    Attributes:
        score: 0 to 100; 0 where the question was declined, which is no score.
        spoken_in: The language of an answer that is not in the interview's; empty otherwise.
        corrections: Of practice in speaking, in the order in which they were said.
        declined: Whether the candidate had no answer; such a question counts as not answered.
        scored_letters: Of a very long answer, of how many letters from its beginning the scores
            are; 0 where they are of all of it.
    """

    question_id: str
    round: int
    question: str
    category: Category
    score: float
    key_points: tuple[KeyPointResult, ...]
    dimensions: tuple[DimensionScore, ...]
    turn_ids: tuple[str, ...]
    basis: Basis
    story: StoryShares | None = None
    delivery: DeliveryFigures | None = None
    spoken_in: str = ""
    corrections: tuple[Correction, ...] = ()
    declined: bool = False
    scored_letters: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A score last time and this time; `name` is a dimension, or empty for the whole."""

    name: str
    before: float
    now: float


@dataclass(frozen=True, slots=True)
class Progress:
    """This interview beside an earlier one."""

    interview_id: str
    changes: tuple[Change, ...]
    statements: tuple[str, ...]


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
    progress: Progress | None = None
