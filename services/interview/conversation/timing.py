"""How long the parts of a turn took."""

from __future__ import annotations

from dataclasses import dataclass

from services.interview.conversation.replying import Reply
from services.interview.events import TurnTimings
from services.interview.record import Turn


@dataclass(frozen=True, slots=True)
class TurnClock:
    """When the parts of the candidate's turn came, on the interview's clock."""

    turn_id: str
    speech_end: float
    eager: float | None
    decided: float
    final: float


def turn_clock(turn: Turn, now: float, eager: float | None, finalization: float) -> TurnClock:
    """The clock of a turn whose text is final now, `finalization` seconds after its end."""
    return TurnClock(turn.id, turn.end, eager, now - finalization, now)


def turn_timings(reply: Reply, clock: TurnClock) -> TurnTimings:
    """The parts of a turn from the end of speech on; what was ready before counts as 0."""

    def since(moment: float | None) -> float | None:
        return None if moment is None else max(0.0, moment - clock.speech_end)

    return TurnTimings(
        turn_id=clock.turn_id,
        speech_end=clock.speech_end,
        eager_end_of_turn=since(clock.eager),
        end_of_turn=since(clock.decided),
        asr_final=since(clock.final),
        llm_first_token=since(reply.first_token),
        first_phrase=since(reply.first_phrase),
        prepared_eagerly=reply.eager,
    )
