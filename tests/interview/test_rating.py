"""What the measures of an answer come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.interview.interviewer.coverage import Comparison, Point
from services.interview.interviewer.rating import rate
from services.interview.interviewer.structure import structure
from services.interview.interviewer.summarising import compose
from services.interview.interviewer.wording import wording
from services.interview.record import Category
from services.interview.reports.passages import sentences
from services.interview.reports.report import Basis
from tests.interview.stage import question
from tests.interview.test_not_answered import result_of
from tests.interview.test_reports import interview, typed

STORY = (
    "When the oven failed before a wedding last June, I moved the baking to a neighbour two streets"
    " away, trained an apprentice in twenty minutes, and we served all eighty guests on time."
)


def rated(category: Category, strengths: Sequence[float], *, made: bool = False) -> float:
    """What a well told story scores whose points are so strong."""
    asked = replace(question(1), category=category)
    points = tuple(
        Point("point", strength, covered=made, denied=False, where=0, similarity=0.3)
        for strength in strengths
    )
    comparison = Comparison(points, closeness=0.31, nearest=0, basis=Basis.RUBRIC_EMBEDDING)
    told = structure(sentences([typed(STORY)])) if category is Category.BEHAVIORAL else None
    return rate(asked, comparison, wording(asked, STORY), told).overall


@pytest.mark.parametrize("category", [Category.BEHAVIORAL, Category.SOFT_SKILLS])
def test_a_well_told_story_that_comes_near_no_point_does_not_score_well(
    category: Category,
) -> None:
    beside, nearer = rated(category, [0.05] * 4), rated(category, [0.4] * 4)
    assert beside < 50
    assert nearer > 1.5 * beside


def test_a_point_that_is_made_lifts_it_whatever_else_is_missing() -> None:
    one, none = (rated(Category.BEHAVIORAL, [0.05] * 4, made=made) for made in (True, False))
    assert one > 1.5 * none


def test_an_introduction_may_be_about_anything_of_ones_own() -> None:
    assert rated(Category.SELF_INTRODUCTION, [0.0] * 3) > 60


async def test_the_summary_tells_that_no_point_was_recognised() -> None:
    told = "No point of a good answer was recognised"
    beside, right = typed("My cousin sings."), typed("We watch slow queries and add an index.")
    assert told in compose(interview(beside), [await result_of(beside)]).summary
    assert told not in compose(interview(right), [await result_of(right)]).summary
