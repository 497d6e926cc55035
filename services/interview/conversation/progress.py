"""The interview's steps as a state machine.

    OPENING → QUESTION 1 → FOLLOW_UP* → QUESTION 2 → … → CLOSING → over

An answer moves it; a follow-up is skipped when it would not help. Nothing else does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from services.interview.interviewer.deciding import Move
from services.interview.record import Phase


@dataclass(frozen=True, slots=True)
class Step:
    """What the interviewer says next, or said last.

    Attributes:
        round: From 1; 0 in the opening.
        follow_up: Which follow-up of the round, from 1; 0 for the question itself.
    """

    phase: Phase
    round: int = 0
    follow_up: int = 0

    @property
    def asks(self) -> bool:
        """Whether an answer is expected."""
        return self.phase in {Phase.QUESTION, Phase.FOLLOW_UP}

    @property
    def asked_round(self) -> int:
        """The round, where there is a question; 0 in the opening and the close."""
        return self.round if self.asks else 0


OPENING = Step(Phase.OPENING)


def after(step: Step, move: Move, rounds: Collection[int]) -> Step:
    """The step after `step`.

    Args:
        step: The last one.
        move: What comes after the answer to it.
        rounds: The rounds there is a question for.

    Raises:
        ValueError: The closing has no step after it.
    """
    if step.phase is Phase.CLOSING:
        raise ValueError("nothing follows the closing")
    if move is Move.FOLLOW_UP and step.asks:
        return Step(Phase.FOLLOW_UP, step.round, step.follow_up + 1)
    left = [number for number in rounds if number > step.round]
    if left and move is not Move.CLOSE:
        return Step(Phase.QUESTION, min(left))
    return Step(Phase.CLOSING, step.round)
