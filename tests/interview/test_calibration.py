"""The threshold of "the answer makes this point", on answers a person has judged."""

from __future__ import annotations

import pytest

from services.interview.clients.embed import EmbedClient
from services.interview.interviewer.analysing import analyse
from services.interview.questions.bank import load_bank
from services.interview.record import Speaker, Turn
from services.interview.reports.report import Basis, QuestionResult
from tests.interview.answers import JUDGED, Judged
from tests.interview.stage import FakeEmbedder

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


async def judge(judged: Judged, embedder: EmbedClient | FakeEmbedder) -> QuestionResult:
    question = load_bank().find(judged.question_id)
    assert question is not None
    turn = Turn("turn", Speaker.CANDIDATE, judged.answer, 10.0, 40.0, typed=True)
    result, _ = await analyse(
        embedder, round_number=1, question=question, asked=question.text, turns=[turn]
    )
    return result


async def test_points_counted_as_made_were_made(embedder: EmbedClient) -> None:
    found = made = right = 0
    for judged in JUDGED:
        result = await judge(judged, embedder)
        covered = {i for i, point in enumerate(result.key_points) if point.covered}
        found += len(covered)
        made += len(judged.makes)
        right += len(covered & judged.makes)
    assert right / found >= 0.9
    assert right / made >= 0.6


async def test_an_answer_about_something_else_makes_no_point(embedder: EmbedClient) -> None:
    for judged in JUDGED:
        if not judged.makes:
            result = await judge(judged, embedder)
            assert not any(point.covered for point in result.key_points)
            assert result.score < 25


async def test_a_good_answer_scores_above_a_poor_one(embedder: EmbedClient) -> None:
    good, *_ = (j for j in JUDGED if j.question_id == "tech-data-index" and j.makes)
    poor, *_ = (j for j in JUDGED if j.question_id == "tech-data-index" and not j.makes)
    assert (await judge(good, embedder)).score > 2 * (await judge(poor, embedder)).score


async def test_without_embeddings_words_are_compared_and_the_report_says_so() -> None:
    broken = FakeEmbedder()
    broken.broken = "embed"
    result = await judge(JUDGED[0], broken)
    assert result.basis is Basis.RUBRIC_LEXICAL
    assert any(point.covered for point in result.key_points)
