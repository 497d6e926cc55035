"""Which questions an interview asks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import cycle

from services.interview.interviewer.personas import primary
from services.interview.questions.bank import Question
from services.interview.questions.crafts import Craft, Crafts
from services.interview.questions.index import Found, QuestionIndex
from services.interview.record import Category, Difficulty, InterviewSettings, Mode

ORDER = (
    Category.SELF_INTRODUCTION,
    Category.TECHNICAL,
    Category.BEHAVIORAL,
    Category.TECHNICAL,
    Category.SOFT_SKILLS,
    Category.CONVERSATION,
)
"""An interview begins with the candidate, and is about the craft more than about anything else.
Practice in speaking has categories of its own."""

Place = tuple[Category, bool]
"""A category, and whether it is asked about the candidate's own trade."""
_OWN_TRADE: Place = (Category.BEHAVIORAL, True)
_ORDER_UNSURE: Sequence[Place] = (
    (Category.SELF_INTRODUCTION, False),
    _OWN_TRADE,
    (Category.TECHNICAL, False),
    (Category.BEHAVIORAL, False),
    (Category.SOFT_SKILLS, False),
)
"""Both soon: three rounds have both."""
CHOICE = 4
"""One of so many best questions is taken, so that two interviews on a topic differ."""
RELATED = 0.3
"""Least cosine of two questions on one topic, where they share no tag."""


async def plan(
    settings: InterviewSettings, index: QuestionIndex, chosen: Sequence[Question], seed: str
) -> list[Question]:
    """As many questions as there are rounds, none twice; fewer if the bank has no more that fit.

    Args:
        settings: What is wanted.
        index: Where to look.
        chosen: Questions to ask before any others.
        seed: Makes the choice repeatable.
    """
    picked = list(chosen[: settings.rounds])
    dice = random.Random(seed)  # noqa: S311 - no secret
    query = " ".join((*settings.topics, settings.job_title or "")).strip() or None
    if settings.own_trade:
        query = None  # No question of the bank is near the title of another craft.
    found = await _fitting(settings, index, query)
    fitting = [each.question for each in found]
    scores = {each.question.id: each.score for each in found}
    for place in cycle(_order(settings)):
        if len(picked) >= settings.rounds:
            break
        left = [question for question in fitting if question not in picked]
        candidates = [question for question in left if _place(question) == place] or left
        if not candidates:
            break
        # A query that nothing is near is none: its best questions are the first in the bank.
        nearest = candidates[:CHOICE] if scores[candidates[0].id] else candidates
        picked.append(dice.choice(nearest))
    return picked


def craft_asked(settings: InterviewSettings, crafts: Crafts) -> Craft:
    """Whose craft is asked about: another than the bank's where its technical questions don't fit.

    Who asks for categories, topics or questions gets what they ask for, whatever the position is.
    """
    asked_for = settings.categories or settings.topics or settings.question_ids
    if asked_for or settings.job_title is None or settings.mode is not Mode.INTERVIEW:
        return Craft.OURS
    return crafts.of(settings.job_title)


def _order(settings: InterviewSettings) -> Sequence[Place]:
    if settings.trade_unsure:
        return _ORDER_UNSURE
    wanted = wanted_categories(settings)
    places: list[Place] = [(category, False) for category in ORDER if category in wanted]
    if not settings.own_trade:
        return places
    return [_OWN_TRADE if place[0] is Category.TECHNICAL else place for place in places]


def _place(question: Question) -> Place:
    return question.category, question.own_trade


def wanted_categories(settings: InterviewSettings) -> frozenset[Category]:
    """What may be asked about: the categories asked for, else all of the mode."""
    return frozenset(settings.categories) or settings.mode.categories


async def _fitting(
    settings: InterviewSettings, index: QuestionIndex, query: str | None
) -> Sequence[Found]:
    wanted = wanted_categories(settings)

    def accepts(question: Question) -> bool:
        easy_enough = settings.difficulty is None or question.difficulty <= settings.difficulty
        spoken = question.language == primary(settings.language)
        technical = question.category is Category.TECHNICAL
        refused = technical if settings.own_trade else question.own_trade
        refused = refused and not settings.trade_unsure
        return spoken and question.category in wanted and easy_enough and not refused

    return await index.search(query, accepts, limit=len(index))


def harder_or_easier(
    plan: Sequence[Question], round_number: int, difficulty: Difficulty, index: QuestionIndex
) -> Question:
    """The question of a round that is still to come, at another difficulty.

    It stays with the planned category and topic, so that what was planned is covered; where the
    bank has no such question that is not asked anyway, the planned one stays. Asks no model.

    Args:
        plan: The questions as planned, one a round.
        round_number: From 1.
        difficulty: The difficulty wanted.
        index: The bank.
    """
    planned = plan[round_number - 1]
    if planned.difficulty is difficulty:
        return planned
    others = {question.id for question in plan}

    def fits(question: Question) -> bool:
        same = question.category is planned.category and question.language == planned.language
        same = same and question.own_trade == planned.own_trade
        return same and question.difficulty is difficulty and question.id not in others

    tags = set(planned.tags)
    related = [
        (len(tags & set(found.question.tags)), found.score or 0.0, found.question)
        for found in index.like(planned, fits)
    ]
    related = [each for each in related if each[0] or each[1] >= RELATED]
    if not related:
        return planned
    return max(related, key=lambda each: each[0] + each[1])[2]
