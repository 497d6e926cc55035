"""What comes after an answer: a follow-up, the next question or the close; and how hard it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from services.interview.interviewer.assessing import Assessment
from services.interview.record import Difficulty

FULL = 0.85
"""An answer at this level leaves nothing that a follow-up should bring out."""
HARDER, EASIER = 0.65, 0.30
"""Levels from which the next question is a step harder, and up to which a step easier."""


class Move(Enum):
    """What comes next."""

    FOLLOW_UP = "follow_up"
    NEXT = "next"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Course:
    """How an interview has gone so far.

    Attributes:
        rounds: Questions there are to be.
        follow_ups: Most follow-ups a round may have.
        levels: How each answered round went, 0 to 1, in the order they were asked.
        round: The running round, from 1; 0 in the opening.
        follow_up: The follow-up that was answered last, from 1; 0 for the question itself.
    """

    rounds: int
    follow_ups: int
    levels: tuple[float, ...] = ()
    round: int = 0
    follow_up: int = 0


def decide(course: Course, assessment: Assessment | None) -> Move:
    """The next move.

    Args:
        course: The interview so far.
        assessment: Of the last answer; None where there is none, as after the opening or a skip.
    """
    further = Move.NEXT if course.round < course.rounds else Move.CLOSE
    if assessment is None or course.round == 0 or course.follow_up >= course.follow_ups:
        return further
    if assessment.declined or (not assessment.missed and assessment.level >= FULL):
        return further
    return Move.FOLLOW_UP


def next_difficulty(course: Course, wanted: Difficulty | None) -> Difficulty:
    """How hard the next question should be: a step up after a good answer, down after a poor one.

    Args:
        course: The interview so far.
        wanted: The hardest that was asked for; None for any.
    """
    hardest = wanted or Difficulty.HARD
    difficulty = min(Difficulty.MEDIUM, hardest)
    for level in course.levels:
        step = (level >= HARDER) - (level <= EASIER)
        difficulty = Difficulty(min(hardest, max(Difficulty.EASY, difficulty + step)))
    return difficulty
