"""What kind of answer a question asks for, and how long such answers are.

The lengths are the medians of the answers that the model was fitted on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from services.interview.endpointing.moment import Asked
from services.interview.record import Category, Phase


class Kind(Enum):
    """What is asked for; the value is how many words an answer usually has."""

    CLOSED = 5
    """Yes or no, with a word of reason."""
    FACT = 8
    """A number, a date, a name."""
    EXPLANATION = 45
    """How something works, what somebody thinks or does."""
    STORY = 65
    """What happened once."""
    INTRODUCTION = 70
    """Who somebody is."""


_FOLLOW_UP_SHARE = 0.5
"""Answers to follow-ups are that much shorter."""


@dataclass(frozen=True, slots=True)
class _Patterns:
    """How one language asks; `telling` is "could you tell …", which is no closed question."""

    introduction: re.Pattern[str]
    story: re.Pattern[str]
    telling: re.Pattern[str]
    fact: re.Pattern[str]
    closed: re.Pattern[str]
    reasons: re.Pattern[str]


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


_ENGLISH = _Patterns(
    introduction=_words(
        "introduce yourself|about yourself|your (?:background|resume|cv|career so far)"
    ),
    story=_words(
        "tell (?:me|us) about (?:a|an|the|some)|describe (?:a|an|the|how|your)|"
        "a time (?:when|you)|walk (?:me|us) through|have you ever been|"
        "when did (?:you|somebody|someone)|an example of when|project you are proud"
    ),
    telling=_words(
        "(?:can|could|would|will) you (?:please )?(?:tell|describe|explain|give|walk|talk|"
        "introduce|share|show|say more|elaborate|think of)"
    ),
    fact=_words(
        "how (?:many|much|long|old|often|soon|big|far|did you hear)|"
        "when (?:could|can|would|will)|"
        "what(?:'s| is| are) your (?:\\w+ )?(?:salary|notice|name|availability)|which \\w+ do you"
    ),
    closed=re.compile(
        r"(?:^|[.!?,;] )(?:and |so |but )?(?:do|does|did|are|is|were|was|have|has|had|can|could|"
        r"would|will|shall|should|may) (?:you|we|i|it|there|that|this|they)\b[^.?!]*\?\s*$",
        re.IGNORECASE,
    ),
    reasons=_words("why|how|or"),
)
_CHINESE = _Patterns(
    introduction=re.compile(r"介绍(?:一下)?(?:你)?自己|自我介绍|你的(?:背景|简历)"),
    story=re.compile(
        r"一次|经历|(?:讲|说)(?:一)?个|讲讲|说说|谈谈|描述|有没有.*过|最好的团队|引以为豪"
    ),
    telling=re.compile(r"介绍|举.{0,3}例|讲|说说|谈谈|描述|解释"),
    fact=re.compile(r"多少|几年|几个|多久|多长|什么时候|哪一?[种个年]|薪"),
    closed=re.compile(r"(?:吗|没有|是不是|能不能|可不可以|好不好|对不对)[?？]?\s*$"),
    reasons=re.compile("为什么|还是|怎么"),
)


def kind(asked: Asked) -> Kind:
    """What kind of answer a question asks for."""
    chinese = asked.language.lower().startswith("zh")
    patterns, text = _CHINESE if chinese else _ENGLISH, asked.text.strip()
    is_closed = patterns.closed.search(text) and not patterns.reasons.search(text)
    rules = (
        (patterns.introduction.search(text), Kind.INTRODUCTION),
        (patterns.story.search(text), Kind.STORY),
        (patterns.telling.search(text), Kind.EXPLANATION),
        (patterns.fact.search(text), Kind.FACT),
        (is_closed or asked.phase is Phase.CLOSING, Kind.CLOSED),
        (asked.category is Category.BEHAVIORAL, Kind.STORY),
    )
    return next((found for applies, found in rules if applies), Kind.EXPLANATION)


def usual_words(asked: Asked) -> float:
    """How many words an answer to this question usually has."""
    expected = kind(asked)
    if asked.phase is Phase.FOLLOW_UP and expected.value > Kind.FACT.value:
        return expected.value * _FOLLOW_UP_SHARE
    return float(expected.value)
