"""Whether a follow-up to an answer would help."""

from __future__ import annotations

import re

DECLINED = re.compile(
    r"\b(i (really )?(don't|do not|dont) know|no idea|(can we|let's|could we) (skip|move on|go on)"
    r"|pass on (this|that)|next question|i('d| would) rather not|skip (this|that|it))\b"
)
SHORT_WORDS = 12
"""A declining answer with more words than this says something after all."""


def dig_deeper(answer: str) -> bool:
    """False when the candidate has nothing to say or wants to go on."""
    words = answer.lower().replace("’", "'")
    return not (DECLINED.search(words) and len(words.split()) <= SHORT_WORDS)
