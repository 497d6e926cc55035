"""What a model may make the interviewer say: one short question about the answer, no more."""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.interview.interviewer.grammar import well_formed
from services.interview.interviewer.words import content_words, count, is_chinese

__all__ = ["acceptable", "content_words", "grounded", "question_from"]

MIN_WORDS = 5
MAX_WORDS = 25
"""A spoken question longer than this is hard to follow by ear."""
REPEATED_SHARE = 0.75
"""A question with so many of its content words in an earlier one counts as asked before."""
TAKEN_SHARE, MIN_KNOWN = 0.65, 3
"""So does one that takes up so much of an earlier question of at least three such words."""
INVENTED_WORDS = 3
"""So many words that nobody said are the question's own; more are a story of its own."""

_FORBIDDEN = re.compile(
    r"\b(as an ai|language model|assistant|candidate's answer|the candidate|interviewer|instruction"
    r"s?|system prompt|prompt|follow-?up question|key points?|sorry|https?)\b"
    r"|[<>{}\[\]#*`|\\_=~^@/]|\n"
)
_CHINESE_FORBIDDEN = re.compile(
    r"作为|语言模型|助手|候选人|面试官|指令|提示词|系统|追问|关键点|抱歉|评分|[<>{}\[\]#*`|\\_=~^@/]|\n"
)
_NAME = re.compile(r"(?<![.?!]\s)(?<!^)\b([A-Z][\w+#.-]*)")
_NUMBER = re.compile(r"\d+")
_NUMBER_WORDS_WORDS = """
    two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty
    hundred thousand million
"""
_NUMBER_WORDS = frozenset(_NUMBER_WORDS_WORDS.split())
_OWN = re.compile(
    r"\byour (?:(?:own|first|last|new|old|current|previous|next|main|whole) )*([a-z][a-z-]+)"
)
_ANYBODYS_WORDS = """
    approach answer choice colleague colleagues decision experience example experiences goal
    goals idea ideas job learning mind opinion part plan point reason reasons role side
    solution story team thinking time view way work
"""
_ANYBODYS = frozenset(_ANYBODYS_WORDS.split())
"""What every candidate has: to ask about "your team" invents nothing."""


def question_from(text: str) -> str | None:
    """The first question of a model's output, tidied; None when there is none."""
    end = min((at for mark in "?？" if (at := text.find(mark)) >= 0), default=-1)
    if end < 0:
        return None
    question = " ".join(text[: end + 1].split()).strip("\"'“”「」 ")
    return question or None


def acceptable(question: str, *, answer: str, asked: Sequence[str]) -> bool:
    """Whether the interviewer may say `question` after `answer`.

    It is one well-formed question of at most `MAX_WORDS` words, takes up a word of the answer and
    was not asked before.

    Args:
        question: One candidate question.
        answer: What the candidate said.
        asked: What was asked before in this interview.
    """
    if not MIN_WORDS <= count(question) <= MAX_WORDS or question[-1:] not in {"?", "？"}:
        return False
    if is_chinese(question) != is_chinese(answer) or len(re.findall(r"[?？]", question)) != 1:
        return False
    if _FORBIDDEN.search(question.lower()) or _CHINESE_FORBIDDEN.search(question):
        return False
    if not well_formed(question):
        return False
    meaning = content_words(question)
    if not meaning or not meaning & content_words(answer):
        return False
    return not repeats(question, asked)


def repeats(question: str, asked: Sequence[str]) -> bool:
    """Whether most of a question was asked before, or all of an earlier one is in it."""
    meaning = content_words(question)
    for earlier in asked:
        other = content_words(earlier)
        shared = len(meaning & other)
        if meaning and shared >= REPEATED_SHARE * len(meaning):
            return True
        if len(other) >= MIN_KNOWN and shared >= TAKEN_SHARE * len(other):
            return True
        if question.strip(" ?？.").lower() in earlier.lower():
            return True
    return False


def grounded(question: str, *, said: str, about: str) -> bool:
    """Whether a question speaks only of what is known.

    Names, numbers and what it calls the candidate's must have been said, and most of its words
    must come from the answer or from what the bank's question is about.

    Args:
        question: The candidate question.
        said: What the candidate said.
        about: The bank's question and its key points.
    """
    known = f"{said} {about}".lower()
    if any(name.lower().rstrip(".?") not in known for name in _NAME.findall(question)):
        return False
    if any(number not in known for number in _NUMBER.findall(question)):
        return False
    words = set(re.findall(r"[a-z]+", question.lower()))
    if (words & _NUMBER_WORDS) - set(re.findall(r"[a-z]+", known)):
        return False
    known_words = content_words(known)
    for thing in _OWN.findall(question.lower()):
        if thing not in _ANYBODYS and not content_words(thing) <= known_words:
            return False
    meaning = content_words(question)
    invented = meaning - known_words
    return len(invented) <= INVENTED_WORDS and 2 * len(invented) <= len(meaning) + 1
