"""What a style means, in what the engines can do."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Style(enum.Enum):
    """How a line is meant."""

    NEUTRAL = "neutral"
    WELCOMING = "welcoming"
    ENCOURAGING = "encouraging"
    THANKFUL = "thankful"
    CHEERFUL = "cheerful"
    CALM = "calm"


@dataclass(frozen=True, slots=True)
class Manner:
    """A style's traits, as factors on the voice's own.

    Attributes:
        speed: How quick.
        timbre_variation: How lively the melody; engines with noise only.
        timing_variation: How uneven the rhythm; engines with noise only.
        pause: How long the pauses between phrases.
        pitch_semitones: How much higher; voices with pitch control only.
    """

    speed: float = 1.0
    timbre_variation: float = 1.0
    timing_variation: float = 1.0
    pause: float = 1.0
    pitch_semitones: float = 0.0


# Warmth and cheer are spoken higher and livelier, calm slower and lower (Banse & Scherer 1996).
MANNERS = {
    Style.NEUTRAL: Manner(),
    Style.WELCOMING: Manner(0.95, 1.1, 1.0, 1.1, 0.4),
    Style.ENCOURAGING: Manner(1.0, 1.2, 1.05, 1.0, 0.5),
    Style.THANKFUL: Manner(0.94, 1.0, 0.9, 1.2, 0.0),
    Style.CHEERFUL: Manner(1.07, 1.3, 1.1, 0.85, 0.9),
    Style.CALM: Manner(0.9, 0.8, 0.8, 1.35, -0.4),
}
