"""What a model may make the interviewer say: one short question about the answer, no more."""

from __future__ import annotations

import re
from collections.abc import Sequence

MIN_WORDS = 5
MAX_WORDS = 28
"""A spoken question longer than this is hard to follow by ear."""
REPEATED_SHARE = 0.75
"""A question with so many of its content words in an earlier one counts as asked before."""

_STOP_WORDS = """
    a about above after again all also am an and any are as at be because been before being both
    but by can could did do does doing done down during each few for from further get got had
    has have having he her here hers him his how i if in into is it its itself just kind know
    like me more most my no nor not now of off on once one only or other our out over own quite
    really said same say she should so some such tell than that the their them then there these
    they thing things this those through to too under until up us use used using very was way we
    were what when where which while who whom why will with would you your yours
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

_FORBIDDEN = re.compile(
    r"\b(as an ai|language model|assistant|candidate's answer|the candidate|interviewer|instruction"
    r"|system prompt|follow-?up question|sorry|http)\b|[<>{}\[\]#*`|\\]|\n"
)
_OPENERS = """
    how what why when where which who did do does can could would will are is was were have has
"""
_QUESTION_WORDS = frozenset(_OPENERS.split())


def content_words(text: str) -> frozenset[str]:
    """The words that carry meaning, cut to a rough stem so that inflections meet."""
    words = re.findall(r"[a-z][a-z'+#-]+", text.lower())
    return frozenset(_stem(word.removesuffix("'s")) for word in words if word not in STOP_WORDS)


def _stem(word: str) -> str:
    for suffix in (
        "ations",
        "ation",
        "ments",
        "ment",
        "ingly",
        "ings",
        "ing",
        "edly",
        "ies",
        "ers",
        "ed",
        "er",
        "es",
        "ly",
        "s",
        "e",
    ):
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word[: -len(suffix)]
    return word


def question_from(text: str) -> str | None:
    """The first question of a model's output, tidied; None when there is none."""
    end = text.find("?")
    if end < 0:
        return None
    question = " ".join(text[: end + 1].split()).strip("\"'“” ")
    return question or None


def acceptable(question: str, *, answer: str, asked: Sequence[str]) -> bool:
    """Whether the interviewer may say `question` after `answer`.

    Args:
        question: One candidate question.
        answer: What the candidate said.
        asked: What was asked before in this interview.
    """
    words = question.split()
    if not MIN_WORDS <= len(words) <= MAX_WORDS or not question.endswith("?"):
        return False
    if question.count("?") != 1 or _FORBIDDEN.search(question.lower()):
        return False
    if words[0].lower().strip(",") not in _QUESTION_WORDS or re.search(r"[.!:;]\s", question):
        return False
    meaning = content_words(question)
    if not meaning or not meaning & content_words(answer):
        return False
    if _stutters(words):
        return False
    return not any(
        len(meaning & content_words(other)) >= REPEATED_SHARE * len(meaning) for other in asked
    )


def _stutters(words: Sequence[str]) -> bool:
    trigrams = [tuple(word.lower() for word in words[i : i + 3]) for i in range(len(words) - 2)]
    return len(set(trigrams)) < len(trigrams)
