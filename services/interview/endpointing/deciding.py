"""Whether a pause ends the answer: by its length, its sound, its words and the speaker's pace."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from services.interview.record import Category, Patience, Phase, SpokenWord

CEILING_SECONDS = 4.0
"""The longest silence that is waited for at normal patience."""

_FACTORS = {Patience.BRISK: 0.7, Patience.NORMAL: 1.0, Patience.PATIENT: 2.0}
_DANGLING = re.compile(
    r"\b(and|or|but|so|because|that|which|the|a|an|to|of|for|with|like|um|uh|er|then)\W*$",
    re.IGNORECASE,
)
_CLOSED = re.compile(r"[.!?。！？]['\")\]]*\s*$")
CLEAR_SECONDS = 0.8
SENTENCE_SECONDS = 1.4
OPEN_SECONDS = 2.4
COMPLETE_SOUND = 0.5
PACE_FACTOR = 1.3
"""A pause this much longer than the speaker's usual inner ones is another kind of pause."""
OBSERVED = 0.3
"""Weight of the newest pause in the running mean."""


class Decision(Enum):
    """What to do about a pause."""

    WAIT = "wait"
    BACK_CHANNEL = "back_channel"
    OPENER = "opener"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence in an answer.

    Attributes:
        silence: Seconds since the last speech.
        sound: The probability by sound alone that the turn is complete, 0 to 1, if known.
        text: The whole answer so far.
        speech: Seconds of the whole answer so far, pauses included.
        words: Of the last stretch; may be empty.
    """

    silence: float
    sound: float | None
    text: str
    speech: float
    words: tuple[SpokenWord, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """The question that is being answered."""

    text: str
    phase: Phase
    category: Category | None
    language: str


@dataclass(frozen=True, slots=True)
class SpeakerPace:
    """How long this speaker's pauses inside answers have been."""

    count: int = 0
    mean: float = 0.0

    def observe(self, inner_pause: float) -> SpeakerPace:
        """Another pause, in seconds, after which the speaker went on."""
        mean = inner_pause if not self.count else self.mean + OBSERVED * (inner_pause - self.mean)
        return SpeakerPace(self.count + 1, mean)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, and at which silence, in seconds, to look again if nothing came before."""

    decision: Decision
    look_again: float | None
    probability: float


def decide(pause: Pause, asked: Asked, pace: SpeakerPace, patience: Patience) -> Verdict:
    """What to do about a pause as it is now."""
    needed = _needed(pause, pace) * _FACTORS[patience]
    needed = min(needed, CEILING_SECONDS * _FACTORS[patience])
    if pause.silence >= needed:
        return Verdict(Decision.ANSWER, None, 1.0)
    return Verdict(Decision.WAIT, needed, pause.silence / needed)


def _needed(pause: Pause, pace: SpeakerPace) -> float:
    if not pause.text.strip():
        return CEILING_SECONDS
    if _DANGLING.search(pause.text):
        return CEILING_SECONDS
    if not _CLOSED.search(pause.text):
        usual = OPEN_SECONDS
    elif pause.sound is not None and pause.sound < COMPLETE_SOUND:
        usual = SENTENCE_SECONDS
    else:
        usual = CLEAR_SECONDS
    return max(usual, PACE_FACTOR * pace.mean)
