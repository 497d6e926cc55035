"""The report: rounds are scored while the conversation goes on and put together at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from services.interview.clients.seams import DependencyFailed, Embedder
from services.interview.interviewer.analysing import WEIGHTS, analyse
from services.interview.questions.bank import Question
from services.interview.record import Interview, Speaker, Turn
from services.interview.reports.report import Basis, DimensionScore, QuestionResult, Report

STRONG = 70.0
WEAK = 50.0
MAX_STATEMENTS = 5
QUOTE_WORDS = 16

_ADVICE = {
    "relevance": "Begin with one sentence that answers the question, then explain.",
    "depth": "Prepare one example you can tell in detail: the situation, what you did, the result.",
    "clarity": "Practise aloud at a calm, even pace; a short silence is better than a filler.",
}


class Reviewer:
    """Scores one interview's rounds and writes its report."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        failed: Callable[[DependencyFailed], None] = lambda _: None,
    ) -> None:
        """Takes who compares meanings, and who is told when that fails."""
        self._embedder = embedder
        self._failed = failed
        self._rounds: dict[int, asyncio.Task[QuestionResult | None]] = {}

    def begin(
        self, tasks: asyncio.TaskGroup, round_number: int, question: Question, turns: Sequence[Turn]
    ) -> None:
        """Starts scoring a round's turns, both sides'; again for the same round starts over."""
        if (previous := self._rounds.get(round_number)) is not None:
            previous.cancel()
        self._rounds[round_number] = tasks.create_task(self._score(round_number, question, turns))

    async def _score(
        self, round_number: int, question: Question, turns: Sequence[Turn]
    ) -> QuestionResult | None:
        said = [turn for turn in turns if turn.speaker is Speaker.CANDIDATE]
        answers = [turn for turn in said if any(map(str.isalnum, turn.text))]
        if not answers:
            return None
        asked = next((t.text for t in turns if t.speaker is Speaker.INTERVIEWER), question.text)
        result, failure = await analyse(
            self._embedder,
            round_number=round_number,
            question=question,
            asked=asked,
            turns=answers,
        )
        if failure is not None:
            self._failed(failure)
        return result

    async def report(self, interview: Interview) -> Report:
        """Puts the rounds together."""
        scored = [await self._rounds[number] for number in sorted(self._rounds)]
        return compose(interview, [result for result in scored if result is not None])


def compose(interview: Interview, questions: Sequence[QuestionResult]) -> Report:
    """The report of an interview with these results; pure."""
    dimensions = _dimensions(questions)
    lexical = any(question.basis is Basis.RUBRIC_LEXICAL for question in questions)
    overall = sum(q.score for q in questions) / len(questions) if questions else None
    ended = max((turn.end for turn in interview.turns), default=0.0)
    return Report(
        interview_id=interview.id,
        overall_score=overall,
        dimensions=dimensions,
        questions=tuple(questions),
        strengths=_strengths(questions),
        weaknesses=_weaknesses(questions),
        suggestions=_suggestions(questions, dimensions),
        basis=Basis.RUBRIC_LEXICAL if lexical else Basis.RUBRIC_EMBEDDING,
        summary=_summary(interview, questions, dimensions, overall),
        duration=ended,
    )


def _dimensions(questions: Sequence[QuestionResult]) -> tuple[DimensionScore, ...]:
    means = []
    for name in WEIGHTS:
        scores = [d for question in questions for d in question.dimensions if d.name == name]
        if not scores:
            continue
        best, worst = max(scores, key=_score), min(scores, key=_score)
        mean = sum(map(_score, scores)) / len(scores)
        evidence = tuple(dict.fromkeys(best.evidence[:1] + worst.evidence[:1]))
        means.append(DimensionScore(name, mean, f"Weakest answer: {worst.rationale}", evidence))
    return tuple(means)


def _score(dimension: DimensionScore) -> float:
    return dimension.score


def _quote(text: str) -> str:
    words = text.split()
    return " ".join(words[:QUOTE_WORDS]) + ("…" if len(words) > QUOTE_WORDS else "")


def _strengths(questions: Sequence[QuestionResult]) -> tuple[str, ...]:
    made = [
        (point.coverage, question.round, point.key_point, point.evidence.quote)
        for question in questions
        for point in question.key_points
        if point.covered and point.evidence
    ]
    made.sort(reverse=True)
    strengths = [
        f"Question {number}: you made the point “{point}” when you said “{_quote(quote)}”"
        for _, number, point, quote in made[: MAX_STATEMENTS - 1]
    ]
    strengths += [
        f"Question {question.round}: clear delivery; {dimension.rationale}"
        for question in questions
        for dimension in question.dimensions
        if dimension.name == "clarity" and dimension.score >= STRONG
    ]
    return tuple(strengths[:MAX_STATEMENTS])


def _weaknesses(questions: Sequence[QuestionResult]) -> tuple[str, ...]:
    weaknesses = []
    for question in questions:
        missing = [point.key_point for point in question.key_points if not point.covered]
        if missing:
            weaknesses.append(f"Question {question.round}: not mentioned: {'; '.join(missing)}")
        weaknesses += [
            f"Question {question.round}: {dimension.name}: {dimension.rationale}"
            for dimension in question.dimensions
            if dimension.score < WEAK and dimension.name != "depth"
        ]
    return tuple(weaknesses[: 2 * MAX_STATEMENTS])


def _suggestions(
    questions: Sequence[QuestionResult], dimensions: Sequence[DimensionScore]
) -> tuple[str, ...]:
    suggestions = [_ADVICE[d.name] for d in sorted(dimensions, key=_score) if d.score < STRONG]
    for question in sorted(questions, key=lambda result: result.score):
        missing = [point.key_point for point in question.key_points if not point.covered]
        if missing:
            suggestions.append(f"Answer “{question.question}” again and include: {missing[0]}")
    return tuple(suggestions[:MAX_STATEMENTS])


def _summary(
    interview: Interview,
    questions: Sequence[QuestionResult],
    dimensions: Sequence[DimensionScore],
    overall: float | None,
) -> str:
    rounds = interview.settings.rounds
    if overall is None:
        return f"None of the {rounds} questions was answered, so there is nothing to score."
    strongest = max(dimensions, key=_score)
    weakest = min(dimensions, key=_score)
    parts = [
        f"You answered {len(questions)} of {rounds} questions and reached {overall:.0f} of 100."
    ]
    if strongest.name != weakest.name:
        parts.append(
            f"Your best side was {strongest.name} ({strongest.score:.0f}); there is most to gain in"
            f" {weakest.name} ({weakest.score:.0f})."
        )
    return " ".join(parts)
