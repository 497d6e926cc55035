"""How patient a conversation is, and whom it talks through."""

from __future__ import annotations

from dataclasses import dataclass

from services.interview.clients.seams import ChatModel, Embedder, Recogniser, Synthesiser


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the conversation is, in seconds.

    Attributes:
        min_silence, max_silence: When a turn is probably over, and when it is.
        follow_up_budget: What the model has for a follow-up.
        patience: How long after the end of turn the reply may still take.
        suspicion: How long playback stays paused for speech that shows no words.
    """

    min_silence: float = 0.25
    max_silence: float = 0.8
    follow_up_budget: float = 2.0
    patience: float = 0.6
    suspicion: float = 2.0


@dataclass(frozen=True, slots=True)
class Partners:
    """The model servers a conversation talks through."""

    recogniser: Recogniser
    synthesiser: Synthesiser
    model: ChatModel
    embedder: Embedder
