"""The interview's steps as a state machine.

    OPENING → QUESTION 1 → FOLLOW_UP* → QUESTION 2 → … → CLOSING → over

An answer moves it; a follow-up is skipped when it would not help. Nothing else does.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.interview.record import InterviewSettings, Phase


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


def after(step: Step, *, rounds: int, follow_ups: int, dig_deeper: bool) -> Step:
    """The step after `step`.

    Args:
        step: The last one.
        rounds: Rounds of the whole interview.
        follow_ups: Follow-ups a round may have.
        dig_deeper: Whether a follow-up to the last answer would help.

    Raises:
        ValueError: The closing has no step after it.
    """
    match step.phase:
        case Phase.OPENING:
            return Step(Phase.QUESTION, 1)
        case Phase.QUESTION | Phase.FOLLOW_UP:
            if dig_deeper and step.follow_up < follow_ups:
                return Step(Phase.FOLLOW_UP, step.round, step.follow_up + 1)
            if step.round < rounds:
                return Step(Phase.QUESTION, step.round + 1)
            return Step(Phase.CLOSING, step.round)
        case _:
            raise ValueError("nothing follows the closing")


def following(step: Step, settings: InterviewSettings, *, dig_deeper: bool) -> Step:
    """The step after `step` in an interview held like this."""
    return after(
        step, rounds=settings.rounds, follow_ups=settings.follow_ups, dig_deeper=dig_deeper
    )
