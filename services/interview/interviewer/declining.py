"""Answers that decline to answer."""

from __future__ import annotations

import re

from services.interview.interviewer.words import count

_ENGLISH = re.compile(
    r"\b(i (really |honestly |just )?(don't|do not|dont) (know|remember|have (an answer|one))"
    r"|no (idea|clue|comment)|nothing comes to (my )?mind|(can we|let's|could we|i'd like to)"
    r" (skip|move on|go on)|pass on (this|that)|^pass\b|next (question|one)|i('d| would) rather not"
    r"|skip (this|that|it)|i (can't|cannot|can not) (think of (one|any|anything)"
    r"|answer (this|that))"
    r"|i('m| am) not sure what to say)\b"
)
_CHINESE = re.compile(
    r"不知道|不清楚|没想过|想不起来|想不到|跳过|下一(个问题|题)|换一个问题|过吧|不太会|答不上来"
)
SHORT_WORDS = 12
"""A declining answer with more words than this says something after all."""


_FILLERS = frozenset(
    [
        *("i", "have", "got", "that", "it", "really", "honestly", "sorry", "well", "so", "okay"),
        *("yeah", "oh", "um", "uh", "er", "hmm", "我", "这个", "抱歉"),
    ]
)
_WORD = re.compile(r"[\w']+")


def only_declines(answer: str) -> bool:
    """Whether an answer declines and says nothing else, so that nothing is to follow."""
    words = answer.lower().replace("’", "'").strip()
    rest = _CHINESE.sub(" ", _ENGLISH.sub(" ", words))
    return rest != words and _FILLERS.issuperset(_WORD.findall(rest))


def declined(answer: str) -> bool:
    """Whether the candidate has nothing to say or wants to go on."""
    words = answer.lower().replace("’", "'").strip()
    if count(words) > SHORT_WORDS:
        return False
    return bool(_ENGLISH.search(words) or _CHINESE.search(words))
