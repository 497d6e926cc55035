"""Which questions an interview asks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import cycle

from services.interview.questions.bank import Question
from services.interview.questions.index import QuestionIndex
from services.interview.record import Category, InterviewSettings

ORDER = (
    Category.SELF_INTRODUCTION,
    Category.TECHNICAL,
    Category.BEHAVIORAL,
    Category.TECHNICAL,
    Category.SOFT_SKILLS,
)
"""An interview begins with the candidate, and is about the craft more than about anything else."""
CHOICE = 4
"""One of so many best questions is taken, so that two interviews on a topic differ."""


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
    categories = [c for c in ORDER if not settings.categories or c in settings.categories]
    dice = random.Random(seed)  # noqa: S311 - no secret
    query = " ".join((*settings.topics, settings.job_title or "")).strip() or None
    fitting = await _fitting(settings, index, query)
    for category in cycle(categories):
        if len(picked) >= settings.rounds:
            break
        left = [question for question in fitting if question not in picked]
        candidates = [question for question in left if question.category is category] or left
        if not candidates:
            break
        nearest = candidates if query is None else candidates[:CHOICE]
        picked.append(dice.choice(nearest))
    return picked


async def _fitting(
    settings: InterviewSettings, index: QuestionIndex, query: str | None
) -> list[Question]:
    wanted = set(settings.categories or Category)

    def accepts(question: Question) -> bool:
        easy_enough = settings.difficulty is None or question.difficulty <= settings.difficulty
        return question.category in wanted and easy_enough

    found = await index.search(query, accepts, limit=len(index))
    return [result.question for result in found]
