"""What comes after an answer: another question about it, the next question, or the end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from services.interview.record import Difficulty

if TYPE_CHECKING:
    from services.interview.interviewer.assessing import Assessment

DECLINED = re.compile(
    r"\b(i (really )?(don't|do not|dont) know|no idea|(can we|let's|could we) (skip|move on|go on)"
    r"|pass on (this|that)|next question|i('d| would) rather not|skip (this|that|it))\b"
)
SHORT_WORDS = 12
"""A declining answer with more words than this says something after all."""


def dig_deeper(answer: str) -> bool:
    """False when the candidate has nothing to say or wants to go on."""
    words = answer.lower().replace("’", "'")
    return not (DECLINED.search(words) and len(words.split()) <= SHORT_WORDS)


@dataclass(frozen=True, slots=True)
class Course:
    """How the interview goes.

    Attributes:
        rounds, follow_ups: Rounds of the whole interview, and follow-ups a round may have.
        levels: Of the answers so far, 0 to 1.
        round, follow_up: Where it stands.
        elapsed, budget: Seconds that have passed, and that it may take.
    """

    rounds: int
    follow_ups: int
    levels: tuple[float, ...] = ()
    round: int = 0
    follow_up: int = 0
    elapsed: float = 0.0
    budget: float | None = None


class Move(Enum):
    """What comes next."""

    FOLLOW_UP = "follow_up"
    NEXT = "next"
    CLOSE = "close"


def decide(course: Course, assessment: Assessment | None) -> Move:
    """What comes after an answer; without an assessment, as after a middling one."""
    over_time = course.budget is not None and course.elapsed > course.budget
    declined = assessment is not None and assessment.declined
    if course.follow_up < course.follow_ups and course.round and not declined and not over_time:
        return Move.FOLLOW_UP
    return Move.CLOSE if over_time or course.round >= course.rounds else Move.NEXT


def next_difficulty(course: Course, wanted: Difficulty | None) -> Difficulty:
    """How hard the next question should be."""
    return wanted or Difficulty.MEDIUM
