"""What is known of a pause, and of the question whose answer it may end."""

from __future__ import annotations

from dataclasses import dataclass

from services.interview.record import Category, Phase, SpokenWord


@dataclass(frozen=True, slots=True)
class Asked:
    """What the candidate is answering.

    Attributes:
        text: The question as it was put.
        phase: The part of the conversation.
        category: What the question is about; None outside the bank's questions.
        language: BCP 47 tag of the interview's language.
    """

    text: str
    phase: Phase
    category: Category | None
    language: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause in an answer.

    Attributes:
        silence: Seconds since the last speech.
        sound: Smart Turn's probability that the turn is complete; None if nobody judged it.
        text: The whole answer so far, all its stretches, as understood now.
        speech: Seconds of the whole answer so far, its pauses included.
        words: The words of the last stretch, with their times; may be empty.
    """

    silence: float
    sound: float | None
    text: str
    speech: float
    words: tuple[SpokenWord, ...] = ()
