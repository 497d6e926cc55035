"""The threshold of "the answer makes this point", on answers a person has judged."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import pytest_asyncio

from services.cli.bench.report import (
    ANSWERS,
    adversarial,
    rank_correlation,
    scored,
    written,
)
from services.interview.clients.embed import EmbedClient
from services.interview.interviewer.analysing import analyse
from services.interview.questions.bank import load_bank
from services.interview.record import Category, Speaker, Turn
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


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def results(embedder: EmbedClient) -> Mapping[Judged, QuestionResult]:
    """What is found in each answer that was judged."""
    return {judged: await judge(judged, embedder) for judged in JUDGED}


async def test_points_counted_as_made_were_made(results: Mapping[Judged, QuestionResult]) -> None:
    found = made = right = 0
    for judged, result in results.items():
        covered = {i for i, point in enumerate(result.key_points) if point.covered}
        found += len(covered)
        made += len(judged.makes)
        right += len(covered & judged.makes)
    assert right / found >= 0.9
    assert right / made >= 0.6


async def test_an_answer_about_something_else_makes_no_point(
    results: Mapping[Judged, QuestionResult],
) -> None:
    for judged, result in results.items():
        if not judged.makes:
            assert not any(point.covered for point in result.key_points)
            assert result.score < 25


async def test_a_good_answer_scores_above_a_poor_one(
    results: Mapping[Judged, QuestionResult],
) -> None:
    good, *_ = (j for j in JUDGED if j.question_id == "tech-data-index" and j.makes)
    poor, *_ = (j for j in JUDGED if j.question_id == "tech-data-index" and not j.makes)
    assert results[good].score > 2 * results[poor].score


async def test_without_embeddings_words_are_compared_and_the_report_says_so() -> None:
    broken = FakeEmbedder()
    broken.broken = "embed"
    result = await judge(JUDGED[0], broken)
    assert result.basis is Basis.RUBRIC_LEXICAL
    assert any(point.covered for point in result.key_points)


@pytest.mark.slow
async def test_scores_follow_the_levels_of_answers_nothing_was_fitted_on(
    embedder: EmbedClient,
) -> None:
    bank = load_bank()
    answers = written(bank, ANSWERS / "held_out.yaml")
    scores = [result.score for result in await scored(embedder, answers)]
    english = [n for n, answer in enumerate(answers) if answer.question.language == "en"]
    levels = [float(answer.level or 0) for answer in answers]
    assert len(english) >= 60
    assert rank_correlation([scores[n] for n in english], [levels[n] for n in english]) >= 0.74
    poor, medium, good = (
        sum(scores[n] for n in english if levels[n] == level) * 3 / len(english)
        for level in range(3)
    )
    assert medium - poor >= 10
    assert good - medium >= 20
    tricks = [trick for trick in adversarial(bank) if not trick.fitted]
    for trick, result in zip(tricks, await scored(embedder, tricks), strict=True):
        assert result.score < medium, (trick.kind, trick.question.id)


async def test_the_answers_that_judge_are_to_other_questions() -> None:
    bank = load_bank()
    fitted = {answer.question.id for answer in written(bank, ANSWERS / "fitted.yaml")}
    judging = {answer.question.id for answer in written(bank, ANSWERS / "held_out.yaml")}
    assert not fitted & judging
    judged = [each for each in bank if each.id in judging]
    # Practising a language is judged by what was said how, not by points of an answer.
    categories = set(Category) - {Category.CONVERSATION}
    assert {question.category for question in judged} == categories


@pytest.mark.parametrize("kind", ["negated", "parroted"])
async def test_denying_or_repeating_the_points_earns_little(
    embedder: EmbedClient, kind: str
) -> None:
    tricks = [trick for trick in adversarial(load_bank()) if trick.kind == kind and trick.fitted]
    scores = [result.score for result in await scored(embedder, tricks)]
    assert max(scores) < 30


async def test_a_short_answer_is_not_punished_where_one_was_asked_for(
    embedder: EmbedClient,
) -> None:
    good, *_ = (
        answer
        for answer in written(load_bank(), ANSWERS / "fitted.yaml")
        if answer.question.id == "intro-closing-pitch" and answer.kind == "good"
    )
    assert len(good.text.split()) < 40
    (result,) = await scored(embedder, [good])
    assert result.score >= 70


async def test_a_model_that_reads_no_chinese_is_not_trusted_with_it(embedder: EmbedClient) -> None:
    answer, *_ = (
        answer
        for answer in written(load_bank(), ANSWERS / "held_out.yaml")
        if answer.question.language == "zh" and answer.kind == "good"
    )
    (result,) = await scored(embedder, [answer])
    assert result.basis is Basis.RUBRIC_LEXICAL
    assert any(point.covered for point in result.key_points)
