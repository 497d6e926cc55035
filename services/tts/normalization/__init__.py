"""Written text to what is said, one idea a file; `reader` puts them in order."""

from services.tts.normalization.reader import can_be_said, normalize
from services.tts.normalization.script import HAN, foreign_script, has_han, is_speakable
from services.tts.normalization.tokens import Token, Utterance

__all__ = [
    "HAN",
    "Token",
    "Utterance",
    "can_be_said",
    "foreign_script",
    "has_han",
    "is_speakable",
    "normalize",
]
