"""Written text to what is said, one idea a file; `reader` puts them in order."""

from services.tts.normalization.reader import can_be_said, normalize
from services.tts.normalization.script import (
    HAN,
    foreign_script,
    has_han,
    is_mostly_han,
    is_speakable,
)
from services.tts.normalization.tokens import Token, Utterance
from services.tts.normalization.words import ends_in_greeting

__all__ = [
    "HAN",
    "Token",
    "Utterance",
    "can_be_said",
    "ends_in_greeting",
    "foreign_script",
    "has_han",
    "is_mostly_han",
    "is_speakable",
    "normalize",
]
