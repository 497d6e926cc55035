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
ROUND_SECONDS = 75.0
"""What a question and its answer take, until this interview has shown how long they are."""
FOLLOW_UP_SECONDS = 40.0
SHORTEST_ROUND_SECONDS = 30.0
"""With less time than this left no question is begun."""


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
        elapsed: Seconds since the interview began, pauses left out.
        budget: Seconds it may take; None for no limit.
    """

    rounds: int
    follow_ups: int
    levels: tuple[float, ...] = ()
    round: int = 0
    follow_up: int = 0
    elapsed: float = 0.0
    budget: float | None = None


def decide(course: Course, assessment: Assessment | None) -> Move:
    """The next move.

    Args:
        course: The interview so far.
        assessment: Of the last answer; None where there is none, as after the opening or a skip.
    """
    further = Move.NEXT if _another_round(course) else Move.CLOSE
    if assessment is None or course.round == 0 or course.follow_up >= course.follow_ups:
        return further
    if assessment.declined or (not assessment.missed and assessment.level >= FULL):
        return further
    return Move.FOLLOW_UP if _time_for_follow_up(course) else further


def _another_round(course: Course) -> bool:
    if course.round >= course.rounds:
        return False
    return course.budget is None or course.budget - course.elapsed >= SHORTEST_ROUND_SECONDS


def _time_for_follow_up(course: Course) -> bool:
    if course.budget is None:
        return True
    a_round = course.elapsed / course.round if course.round > 1 else ROUND_SECONDS
    needed = (course.rounds - course.round) * min(a_round, ROUND_SECONDS)
    return course.budget - course.elapsed - needed >= FOLLOW_UP_SECONDS


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
