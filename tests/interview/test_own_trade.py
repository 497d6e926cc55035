"""Answers about one's own trade, which the question does not name, are not beside the point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
import pytest_asyncio

from services.cli.bench.report import ANSWERS, Written, rank_correlation, scored, written
from services.interview.clients.embed import EmbedClient
from services.interview.interviewer.rubric import Dimension
from services.interview.questions.bank import load_bank
from services.interview.reports.report import QuestionResult

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

ALL = written(load_bank(), ANSWERS / "own_trade.yaml")
# Those that the scale was not fitted on.
JUDGING = [each for each in ALL if not each.fitted]
BY_KIND = ("beside", "poor", "medium", "good")

Results = Mapping[Written, QuestionResult]


def _mean(results: Results, kind: str, language: str) -> float:
    of_it = [result.score for answer, result in _of(results, language) if answer.kind == kind]
    return sum(of_it) / len(of_it)


def _of(results: Results, language: str) -> list[tuple[Written, QuestionResult]]:
    return [pair for pair in results.items() if pair[0].question.language == language]


async def _results(embedder: EmbedClient, answers: Sequence[Written]) -> Results:
    return dict(zip(answers, await scored(embedder, answers), strict=True))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def named(embedder: EmbedClient) -> Results:
    """With the trade known, as in an interview for a position."""
    return await _results(embedder, JUDGING)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def unnamed(embedder: EmbedClient) -> Results:
    """Without a position: the questions were asked for."""
    return await _results(embedder, [replace(answer, trade=None) for answer in JUDGING])


async def test_there_are_trades_enough_in_both_languages() -> None:
    for language, least in (("en", 20), ("zh", 8)):
        trades = {each.trade for each in ALL if each.question.language == language}
        assert len(trades) >= least
    assert all(each.question.own_trade for each in ALL)


async def test_good_answers_are_not_told_that_they_are_about_something_else(
    named: Results, unnamed: Results
) -> None:
    good = {answer.trade: r.score for answer, r in _of(named, "en") if answer.kind == "good"}
    assert min(good.values()) >= 70, good
    assert _mean(unnamed, "good", "en") >= 70
    assert _mean(named, "good", "zh") >= 60


async def test_answers_beside_the_point_gain_little(named: Results, unnamed: Results) -> None:
    assert _mean(named, "beside", "en") < 15
    assert _mean(unnamed, "beside", "en") < 15
    assert _mean(named, "beside", "zh") < 25


async def test_the_better_answer_has_more(named: Results) -> None:
    for language, least in (("en", 0.8), ("zh", 0.75)):
        pairs = _of(named, language)
        levels = [float(BY_KIND.index(answer.kind)) for answer, _ in pairs]
        assert rank_correlation([result.score for _, result in pairs], levels) >= least


async def test_words_alone_do_not_tell_what_a_trade_is_about(named: Results) -> None:
    names = {each.name for _, result in _of(named, "zh") for each in result.dimensions}
    assert names
    assert Dimension.RELEVANCE not in names


async def test_nothing_is_known_not_to_have_been_said(named: Results) -> None:
    missed = [p for result in named.values() for p in result.key_points if not p.denied]
    assert not any(point.certain for point in missed)
