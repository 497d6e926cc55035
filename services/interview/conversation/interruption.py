"""Whether speech during the interviewer's words is an interruption or a sign of listening."""

from __future__ import annotations

import re
from enum import Enum

_BACKCHANNELS = """
    ah aha alright cool good got great hm hmm huh i it mhm mm mmm mmhm nice oh ok okay right see
    sure uh uhuh um well yeah yep yes yup
"""
BACKCHANNELS = frozenset(_BACKCHANNELS.split())
"""Words that say "I am listening" (Schegloff 1982, Discourse as an interactional achievement)."""
ORDERS = frozenset({"stop", "wait", "pause", "sorry", "no"})
"""Words that interrupt by themselves."""

PROOF_WORDS = 2
"""So many other words make an interruption; a single one may be a misheard cough."""


class Verdict(Enum):
    """What speech during playback is."""

    UNCLEAR = "unclear"
    LISTENING = "listening"
    INTERRUPTION = "interruption"


def judge(text: str) -> Verdict:
    """What the words heard so far make of it."""
    words = re.findall(r"[a-z']+|\d+|[\u4e00-\u9fff]", text.lower().replace("-", ""))
    if not words:
        return Verdict.UNCLEAR
    others = [word for word in words if word not in BACKCHANNELS]
    if len(others) >= PROOF_WORDS or ORDERS.intersection(others):
        return Verdict.INTERRUPTION
    return Verdict.UNCLEAR if others else Verdict.LISTENING
