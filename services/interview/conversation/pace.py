"""How patient a conversation is, and whom it talks through."""

from __future__ import annotations

from dataclasses import dataclass

from services.interview.clients.seams import (
    ChatModel,
    Embedder,
    Endpointing,
    Recogniser,
    Synthesiser,
)
from services.interview.endpointing.deciding import CEILING_SECONDS
from services.interview.interviewer.judging import Judge
from services.interview.record import Patience

_FACTORS = {
    Patience.BRISK: (0.8, 0.7),
    Patience.NORMAL: (1.0, 1.0),
    Patience.PATIENT: (1.6, 2.0),
}
"""Of the least and the greatest silence."""
CEILING_MARGIN = 0.5
"""The recogniser ends a turn by itself so much later than the interview would have."""
HOLD_SILENCE_SECONDS = 30.0
"""The longest silence a recogniser can be told to bear; beyond it the turn is held open here."""
DEFAULT_HOLD_SECONDS = 30.0
STORED_SECONDS = 1.0
"""So long after a commit has failed at the latest those know it that wait for it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the conversation is, in seconds.

    Attributes:
        min_silence: When a turn is probably over, and a reply is prepared.
        max_silence: When the recogniser ends a turn by itself: a ceiling, the interview decides
            before.
        follow_up_budget: What the model has for a follow-up.
        patience: How long after the end of turn the reply may still take.
        suspicion: How long playback stays paused for speech that shows no words.
        first_audio: How long a line waits for its sound before it is shown as text.
        final: How long the text of a finished turn may take; a recogniser that hangs is noticed
            long before.
        order: How long a pause or an end waits for the text of what was just said.
        loss: How long what was said to a recogniser that died is waited for, to be heard again.
        quiet: How long a silent candidate is left alone before being asked again.
        watchdog: After so long in which nothing happens the interviewer goes on.
        review: What the report may take.
        commit: What storing may take; the same commit again does no harm.
    """

    min_silence: float = 0.25
    max_silence: float = CEILING_SECONDS + CEILING_MARGIN
    follow_up_budget: float = 2.0
    patience: float = 0.6
    suspicion: float = 2.0
    first_audio: float = 2.5
    final: float = 10.0
    order: float = 4.0
    loss: float = 15.0
    quiet: float = 20.0
    watchdog: float = 10.0
    review: float = 30.0
    commit: float = 5.0

    @property
    def stored(self) -> float:
        """How long whoever speaks, or asks a server that hands on, waits for what it stores."""
        return self.commit + STORED_SECONDS

    def endpointing(self, patience: Patience, *, held: bool = False) -> Endpointing:
        """What the recogniser is told about silences."""
        least, greatest = _FACTORS[patience]
        longest = self.max_silence * greatest
        return Endpointing(
            self.min_silence * least, max(longest, HOLD_SILENCE_SECONDS) if held else longest
        )

    def quiet_seconds(self, patience: Patience) -> float:
        """How long a silent candidate is left alone at this patience."""
        return self.quiet * _FACTORS[patience][1]


@dataclass(frozen=True, slots=True)
class Partners:
    """The model servers a conversation talks through.

    Attributes:
        judge: A language model that judges answers on top of the rubric; None leaves it to that.
    """

    recogniser: Recogniser
    synthesiser: Synthesiser
    model: ChatModel
    embedder: Embedder
    judge: Judge | None = None
