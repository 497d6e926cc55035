"""How well scores follow what people mean by good, medium and poor answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.cli.bench.frame import BenchResult, Figure
from services.interview.authored import read_authored
from services.interview.clients.embed import EmbedClient
from services.interview.clients.llm import LlmClient
from services.interview.clients.seams import DependencyFailed, Embedder
from services.interview.interviewer.analysing import analyse
from services.interview.interviewer.judging import Judge
from services.interview.interviewer.words import count
from services.interview.questions.bank import Bank, Question, load_bank
from services.interview.record import Category, Speaker, Turn
from services.interview.reports.report import Basis, QuestionResult
from services.runtime.channel import open_channel

ANSWERS = Path(__file__).parent / "answers"
LEVELS = ("poor", "medium", "good")
BESIDE = "beside"
"""An answer that is about something else."""
TARGET = 0.75
APART = 15.0
"""Points between the means of two levels."""


@dataclass(frozen=True, slots=True)
class Written:
    """An answer written to be of a level: 0 poor, 1 medium, 2 good; None for an adversarial one.

    Attributes:
        trade: Whose answer it is, where it is about one's own trade.
    """

    question: Question
    text: str
    level: int | None
    kind: str
    fitted: bool = False
    trade: str | None = None


def written(bank: Bank, path: Path) -> list[Written]:
    """The answers of a file: for each question three, and perhaps one that is beside it.

    Raises:
        LookupError: The bank lacks a question.
    """
    found = []
    for entry in _entries(path):
        question = _question(bank, entry)
        fitted, trade = bool(entry.get("fitted")), entry.get("trade")
        found += [
            Written(question, entry[kind].strip(), level, kind, fitted, trade)
            for level, kind in (*enumerate(LEVELS), (None, BESIDE))
            if kind in entry
        ]
    return found


def adversarial(bank: Bank, path: Path = ANSWERS / "adversarial.yaml") -> list[Written]:
    """Answers that try to earn points without answering.

    Raises:
        LookupError: The bank lacks a question.
    """
    return [
        Written(
            _question(bank, entry),
            entry["answer"].strip(),
            None,
            entry["kind"],
            bool(entry.get("fitted")),
        )
        for entry in _entries(path)
    ]


def _entries(path: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = read_authored(path)
    return entries


def _question(bank: Bank, entry: Mapping[str, Any]) -> Question:
    question = bank.find(entry["question"])
    if question is None:
        raise LookupError(f"the bank has no question {entry['question']!r}")
    return question


async def scored(
    embedder: Embedder, answers: Iterable[Written], judge: Judge | None = None
) -> list[QuestionResult]:
    """Scores typed answers as an interview would.

    Raises:
        DependencyFailed: Meanings or judgements cannot be had.
    """
    results = []
    for answer in answers:
        turn = Turn("answer", Speaker.CANDIDATE, answer.text, 0.0, 60.0, typed=True)
        question = answer.question
        result, failure = await analyse(
            embedder,
            round_number=1,
            question=question,
            asked=question.text,
            turns=[turn],
            trade=answer.trade,
        )
        if failure is not None:
            raise failure
        if judge is not None:
            result = await judge.judge(question, [turn], result)
        results.append(result)
    return results


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rank correlation; equal values share their mean rank."""
    if len(one) < 2:
        return float("nan")
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Sequence[float]) -> Any:
    known = np.asarray(values, dtype=float)
    _, place, counts = np.unique(known, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


async def run(address: str, *, judge: bool = False) -> BenchResult:
    """Scores the answers that nothing was fitted on.

    Args:
        address: The mesh listener, or the embedding server itself.
        judge: Whether the language model judges on top of the rubric.

    Raises:
        LookupError: The servers do not answer.
    """
    bank = load_bank()
    held_out = written(bank, ANSWERS / "held_out.yaml")
    fitted = written(bank, ANSWERS / "fitted.yaml")
    tricks = adversarial(bank)
    async with open_channel(address) as channel:
        embedder = EmbedClient(channel)
        model = Judge(LlmClient(channel)) if judge else None
        try:
            name = (await embedder.embed(["model"], query=False, background=True)).model
            results = await scored(embedder, held_out, model)
            tricked = await scored(embedder, tricks, model)
            known = await scored(embedder, fitted, model)
        except DependencyFailed as failed:
            raise LookupError(f"{failed.service} at {address}: {failed.reason}") from None
    figures = [
        *_figures(held_out, results),
        *_tricks(held_out, results, tricks, tricked),
        Figure("rank correlation on the fitted answers", _correlation(fitted, known, "en"), ""),
    ]
    judged = sum(result.basis is Basis.LANGUAGE_MODEL for result in results)
    notes = [
        (
            f"{len(held_out)} answers, a third each good, medium and poor, to questions that"
            " nothing was fitted on; English but for the last three questions"
        ),
        "those who wrote the answers also set their levels: no panel of raters has",
        f"{judged} of {len(results)} judged by a language model" if judge else "judge: the rubric",
    ]
    return BenchResult("report", figures, models={"embed": name}, notes=notes)


def _figures(answers: Sequence[Written], results: Sequence[QuestionResult]) -> list[Figure]:
    means = {level: _mean(answers, results, level) for level in range(len(LEVELS))}
    lengths = [float(count(a.text)) for a in answers if a.question.language == "en"]
    levels = [float(a.level or 0) for a in answers if a.question.language == "en"]
    return [
        Figure("rank correlation, English", _correlation(answers, results, "en"), "", least=TARGET),
        *(
            Figure(
                f"  {category.name.lower().replace('_', ' ')}",
                _correlation(answers, results, "en", category),
                "",
            )
            for category in Category
        ),
        Figure("rank correlation, Chinese", _correlation(answers, results, "zh"), ""),
        Figure("rank correlation of the length alone", rank_correlation(lengths, levels), ""),
        *(Figure(f"mean of {name}", means[level], "of 100") for level, name in enumerate(LEVELS)),
        Figure("good above medium", means[2] - means[1], "points", least=APART),
        Figure("medium above poor", means[1] - means[0], "points", least=APART),
    ]


def _tricks(
    answers: Sequence[Written],
    results: Sequence[QuestionResult],
    tricks: Sequence[Written],
    tricked: Sequence[QuestionResult],
) -> list[Figure]:
    medium = _mean(answers, results, 1)
    found = []
    for kind in dict.fromkeys(trick.kind for trick in tricks):
        scores = [
            result.score
            for trick, result in zip(tricks, tricked, strict=True)
            if trick.kind == kind and not trick.fitted
        ]
        found.append(Figure(f"highest of {len(scores)} {kind}", max(scores), "of 100", most=medium))
    return found


def _mean(answers: Sequence[Written], results: Sequence[QuestionResult], level: int) -> float:
    return float(
        np.mean(
            [
                result.score
                for answer, result in zip(answers, results, strict=True)
                if answer.level == level and answer.question.language == "en"
            ]
        )
    )


def _correlation(
    answers: Sequence[Written],
    results: Sequence[QuestionResult],
    language: str,
    category: Category | None = None,
) -> float:
    pairs = [
        (result.score, float(answer.level))
        for answer, result in zip(answers, results, strict=True)
        if answer.level is not None
        and answer.question.language == language
        and category in {None, answer.question.category}
    ]
    return rank_correlation([score for score, _ in pairs], [level for _, level in pairs])
