"""What words are meant as: an answer, a sign of listening, an echo, or a wish about the talk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_BACKCHANNELS = """
    ah aha alright cool good got great hm hmm huh i it mhm mm mmm mmhm nice oh ok okay right see
    sure uh uhuh um well yeah yep yes yup 嗯 好 的 对
"""
BACKCHANNELS = frozenset(_BACKCHANNELS.split())
"""Words that say "I am listening" (Schegloff 1982, Discourse as an interactional achievement)."""
HESITATIONS = frozenset(
    {"ah", "er", "hm", "hmm", "huh", "mhm", "mm", "mmm", "mmhm", "uh", "uhuh", "um", "嗯"}
)
"""What says nothing at all where nobody speaks."""
ORDERS = frozenset({"stop", "wait", "pause", "sorry", "no"})
"""Words that interrupt by themselves."""
PROOF_WORDS = 2
"""So many other words make an interruption; a single one may be a misheard cough."""
ECHO_SHARE = 0.8
"""Words that are in the interviewer's line to this share are its echo."""
SHORT_WORDS = 10
"""A wish is said in a few words."""


class Intent(Enum):
    """What is meant."""

    NOISE = "noise"
    BACK_CHANNEL = "back_channel"
    ECHO = "echo"
    SPEECH = "speech"
    REPEAT = "repeat"
    REPHRASE = "rephrase"
    HOLD = "hold"
    SKIP = "skip"
    END = "end"


@dataclass(frozen=True, slots=True)
class Situation:
    """What the words are said to.

    Attributes:
        line: The interviewer's line that plays now; None when silent.
        heard: The part of it that was heard so far.
        question_heard: Whether the question's content was heard: then short words may answer it.
    """

    language: str
    line: str | None
    heard: str = ""
    question_heard: bool = False


_WISHES = (
    (Intent.REPEAT, r"\b(repeat (that|it|the question)|say (that|it) again|come again|pardon)\b"),
    (Intent.REPEAT, r"再说一遍|重复一"),
    (Intent.REPHRASE, r"\b(in other words|rephrase|put (that|it) differently)\b"),
    (Intent.REPHRASE, r"换个说法|换句话"),
    (Intent.HOLD, r"^(just )?(one|a|give me a|give me one) (moment|second|sec|minute)\b"),
    (Intent.HOLD, r"^let me think\b|等一下|让我想"),
    (Intent.SKIP, r"\b(next question|skip (this|that|it|the question))\b|下一(个问)?题|跳过"),
    (Intent.END, r"^(can|could|may) we (stop|end|finish)\b|\b(stop|end) (the|this) interview\b"),
    (Intent.END, r"结束面试"),
)
_COMPILED = tuple((intent, re.compile(pattern)) for intent, pattern in _WISHES)


def words_of(text: str) -> list[str]:
    """The words of a text, lower case; of Chinese, the characters."""
    return re.findall(r"[a-z']+|\d+|[\u4e00-\u9fff]", text.lower().replace("-", ""))


def understand(text: str, situation: Situation, *, final: bool) -> Intent:
    """What the text is meant as; while it still grows, `final` is False."""
    words = words_of(text)
    if not words:
        return Intent.NOISE
    wish = _wish(text, words)
    if wish is not None:
        return wish
    if situation.line is None:
        return Intent.SPEECH if set(words) - HESITATIONS else Intent.BACK_CHANNEL
    return _over(words, situation.line, answers=final and situation.question_heard)


def _over(words: list[str], line: str, *, answers: bool) -> Intent:
    if _echoes(words, line):
        return Intent.ECHO
    others = [word for word in words if word not in BACKCHANNELS]
    if not others:
        return Intent.BACK_CHANNEL
    enough = len(others) >= PROOF_WORDS or bool(ORDERS.intersection(others))
    return Intent.SPEECH if enough or answers else Intent.NOISE


def _wish(text: str, words: list[str]) -> Intent | None:
    if len(words) > SHORT_WORDS:
        return None
    said = text.lower().strip()
    return next((intent for intent, pattern in _COMPILED if pattern.search(said)), None)


def _echoes(words: list[str], line: str) -> bool:
    spoken = set(words_of(line))
    shared = sum(word in spoken for word in words)
    return len(words) >= PROOF_WORDS and shared >= ECHO_SHARE * len(words)
