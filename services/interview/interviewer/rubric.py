"""The scales behind the scores: what levels 1 to 5 mean, in measures and in words.

A measure between two anchors lies between their levels; level 1 is 0 of 100, level 5 is 100. The
anchors' measures and the weights were fitted on `services/cli/bench/answers/fitted.yaml`; answers
that were held apart judge them (`viva bench report`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from services.interview.interviewer.personas import primary
from services.interview.questions.bank import Question
from services.interview.record import Category
from services.interview.reports.report import Basis


class Dimension(StrEnum):
    """What is scored."""

    RELEVANCE = "relevance"
    CONTENT = "content"
    DEPTH = "depth"
    CLARITY = "clarity"
    STRUCTURE = "structure"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class Scale:
    """The measures at levels 1 to 5, rising."""

    at: tuple[float, float, float, float, float]

    def level(self, measure: float) -> float:
        """1 to 5."""
        if measure <= self.at[0]:
            return 1.0
        for number, (low, high) in enumerate(pairwise(self.at), 1):
            if measure < high:
                return number + (measure - low) / (high - low)
        return 5.0


def score(level: float) -> float:
    """A level as 0 to 100."""
    return 25.0 * (level - 1.0)


def nearest(score_: float) -> int:
    """The level, 1 to 5, that a score of 0 to 100 is nearest to."""
    return round(score_ / 25.0) + 1


_CLOSENESS_KNOWLEDGE = Scale((0.16, 0.22, 0.28, 0.36, 0.46))
_CLOSENESS_STORIES = Scale((0.18, 0.22, 0.26, 0.31, 0.38))
_CLOSENESS_SELF = Scale((0.02, 0.06, 0.10, 0.17, 0.25))
_CLOSENESS_WORDS = Scale((0.0, 0.05, 0.12, 0.20, 0.35))
_CLOSENESS_OWN_TRADE = Scale((0.14, 0.18, 0.22, 0.27, 0.34))
_CLOSENESS_TRADE_NAMED = Scale((0.24, 0.32, 0.40, 0.52, 0.68))
"""Fitted on `services/cli/bench/answers/own_trade.yaml`."""
CONTENT = Scale((0.05, 0.18, 0.32, 0.47, 0.65))
DEPTH = Scale((0.05, 0.14, 0.25, 0.36, 0.50))
FULL_LENGTH = 40
"""Words; a shorter answer is measured as if it were as long: it cannot go deep."""
CLARITY = Scale((0.02, 0.12, 0.22, 0.32, 0.42))
STRUCTURE = Scale((0.10, 0.30, 0.50, 0.70, 0.90))
BRIEF_SHARE = 0.3
"""A question that asks for a sentence wants so much of the length and detail of others."""


def closeness_scale(question: Question, basis: Basis, *, trade_named: bool = False) -> Scale:
    """Facts are said in much the same words, what a story shows is not.

    An introduction may be about anything of one's own. A question about one's own trade does not
    name it: what is told of the trade is farther from it than what is told of anybody's. Where the
    trade is named, nearness to it is added.
    """
    if basis is Basis.RUBRIC_LEXICAL:
        return _CLOSENESS_WORDS
    if question.own_trade:
        return _CLOSENESS_TRADE_NAMED if trade_named else _CLOSENESS_OWN_TRADE
    match question.category:
        case Category.TECHNICAL:
            return _CLOSENESS_KNOWLEDGE
        case Category.SELF_INTRODUCTION:
            return _CLOSENESS_SELF
        case _:
            return _CLOSENESS_STORIES


_WEIGHTS: Mapping[Category, Mapping[Dimension, float]] = {
    Category.TECHNICAL: {
        Dimension.RELEVANCE: 0.05,
        Dimension.CONTENT: 0.50,
        Dimension.DEPTH: 0.22,
        Dimension.CLARITY: 0.23,
        Dimension.DELIVERY: 0.10,
    },
    Category.BEHAVIORAL: {
        Dimension.RELEVANCE: 0.05,
        Dimension.CONTENT: 0.10,
        Dimension.DEPTH: 0.27,
        Dimension.CLARITY: 0.40,
        Dimension.STRUCTURE: 0.18,
        Dimension.DELIVERY: 0.10,
    },
    Category.SOFT_SKILLS: {
        Dimension.RELEVANCE: 0.05,
        Dimension.CONTENT: 0.30,
        Dimension.DEPTH: 0.28,
        Dimension.CLARITY: 0.37,
        Dimension.DELIVERY: 0.10,
    },
    Category.SELF_INTRODUCTION: {
        Dimension.RELEVANCE: 0.05,
        Dimension.CONTENT: 0.12,
        Dimension.DEPTH: 0.33,
        Dimension.CLARITY: 0.50,
        Dimension.DELIVERY: 0.10,
    },
    # Only for what comes next in the conversation; its report judges the language.
    Category.CONVERSATION: {
        Dimension.RELEVANCE: 0.30,
        Dimension.CONTENT: 0.30,
        Dimension.DEPTH: 0.40,
    },
}


def weights(category: Category) -> Mapping[Dimension, float]:
    """How much each dimension counts; those that are not there leave theirs to the others.

    Where the points are facts, recognising them tells most; where they are attitudes ("takes
    responsibility"), no sentence says them, and how concretely a story is told tells more.
    """
    return _WEIGHTS[category]


_BRIEF = re.compile(
    r"\b(one|a single|a) (sentence|word|phrase)\b|\b(briefly|in a few words|in short)\b"
    r"|一句话|一个词|简短"
)


def brief(question: Question) -> bool:
    """Whether a question asks for a short answer."""
    return bool(_BRIEF.search(question.text.lower()))


ANCHORS: Mapping[str, Mapping[Dimension, Sequence[str]]] = {
    "en": {
        Dimension.RELEVANCE: (
            "The answer is about something else.",
            "Little of the answer speaks to the question.",
            "Parts of the answer meet the question; others lead away from it.",
            "The answer stays on what was asked.",
            "Every part of the answer meets the question.",
        ),
        Dimension.CONTENT: (
            "Nothing comes near the points of a good answer, or they are denied.",
            "Touches on the points of a good answer.",
            "Comes near some of the points of a good answer.",
            "Comes near most of the points of a good answer.",
            "Makes the points of a good answer clearly.",
        ),
        Dimension.DEPTH: (
            "Nothing of one's own is said.",
            "A remark without detail.",
            "Some detail.",
            "Told with details or figures.",
            "Told in full detail.",
        ),
        Dimension.CLARITY: (
            "Mostly general words or repetition.",
            "Much that commits to nothing.",
            "Clear in parts, general in others.",
            "Mostly precise words.",
            "Precise throughout.",
        ),
        Dimension.STRUCTURE: (
            "No story: neither what was done nor what came of it.",
            "One part of a story.",
            "Two parts of a story.",
            "Setting, action and result are there, one of them briefly.",
            "Setting, action and result are all told.",
        ),
        Dimension.DELIVERY: (
            "Very hard to follow by ear: pace, fillers or pauses.",
            "Hard to follow in places.",
            "Understandable, with hesitations or an uncomfortable pace.",
            "Fluent, with few hesitations.",
            "Fluent, at a comfortable pace.",
        ),
    },
    "zh": {
        Dimension.RELEVANCE: (
            "回答与问题无关。",
            "回答很少谈到问题本身。",
            "一部分切题，一部分跑题。",
            "回答基本切题。",
            "回答始终紧扣问题。",
        ),
        Dimension.CONTENT: (
            "没有接近好答案的要点，或者说法相反。",
            "略微触及要点。",
            "接近一部分要点。",
            "接近大部分要点。",
            "清楚地说出了各个要点。",
        ),
        Dimension.DEPTH: (
            "没有自己的内容。",
            "只是一句话，没有细节。",
            "有一些细节。",
            "有细节或数字。",
            "讲得完整而具体。",
        ),
        Dimension.CLARITY: (
            "大多是空话或重复。",
            "空泛的话较多。",
            "有的清楚，有的笼统。",
            "用词大多准确。",
            "自始至终用词准确。",
        ),
        Dimension.STRUCTURE: (
            "没有讲出事情：既没有行动也没有结果。",
            "只有故事的一个部分。",
            "有故事的两个部分。",
            "背景、行动和结果都有，其中一个较简略。",
            "背景、行动和结果都讲到了。",
        ),
        Dimension.DELIVERY: (
            "语速、口头语或停顿使人很难听懂。",
            "有些地方难以听懂。",
            "能听懂，但有犹豫或语速不适。",
            "流畅，很少犹豫。",
            "流畅，语速舒适。",
        ),
    },
}
"""What each level means, from 1 to 5."""


def anchor(dimension: Dimension, score_: float, language: str) -> str:
    """What the level nearest to a score means."""
    texts = ANCHORS.get(primary(language), ANCHORS["en"])[dimension]
    return texts[nearest(score_) - 1]
