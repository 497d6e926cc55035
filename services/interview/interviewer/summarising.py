"""The report: rounds are scored while the conversation goes on and put together at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from services.interview.clients.seams import DependencyFailed, Embedder
from services.interview.interviewer.analysing import analyse
from services.interview.interviewer.beginning import SCORED_LETTERS, beginning
from services.interview.interviewer.comparing import compare_reports
from services.interview.interviewer.judging import Judge
from services.interview.interviewer.reading import found
from services.interview.interviewer.rubric import Dimension
from services.interview.interviewer.statements import (
    advice,
    in_another_language,
    joined,
    languages,
    named,
    shortened,
    statement,
)
from services.interview.interviewer.words import is_chinese
from services.interview.practice import reporting
from services.interview.practice.skills import practised
from services.interview.questions.bank import Question
from services.interview.record import Category, Interview, Mode, Speaker, Turn
from services.interview.reports.report import (
    Basis,
    DimensionScore,
    KeyPointResult,
    QuestionResult,
    Report,
)
from services.interview.reports.sound import Sound
from services.runtime.postgres.failures import StoreFailed

STRONG = 70.0
WEAK = 50.0
MAX_STATEMENTS = 5
OPENING_LETTERS, OPENING_CHARACTERS = 12, 5
"""By so many letters, or in Chinese characters, a question is recognised that was not heard to its
end; a shorter one by all it has."""
SOUND_SECONDS = 5.0
"""Longest wait for the recording of an answer."""

Listen = Callable[[float, float], Awaitable[Sound | None]]
"""The candidate's recording between two moments of the interview's clock, if there is one."""


class Reviewer:
    """Scores one interview's rounds and writes its report."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        failed: Callable[[DependencyFailed], None] = lambda _: None,
        listen: Listen | None = None,
        judge: Judge | None = None,
    ) -> None:
        """Takes the parts a review rests on.

        Args:
            embedder: Compares meanings.
            failed: Is told when a server could not be used.
            listen: Gives the recording of an answer; absent, only the words' times are measured.
            judge: A language model that judges on top of the rubric; absent, the rubric does.
        """
        self._embedder = embedder
        self._failed = failed
        self._listen = listen
        self._judge = judge
        self._rounds: dict[int, asyncio.Task[QuestionResult | None]] = {}

    def begin(
        self,
        tasks: asyncio.TaskGroup,
        round_number: int,
        question: Question,
        turns: Sequence[Turn],
        trade: str | None = None,
    ) -> None:
        """Starts scoring a round's turns, both sides'; again for the same round starts over.

        Args:
            tasks: Where it is done.
            round_number: From 1.
            question: The round's.
            turns: All of the round.
            trade: The candidate's position, where it is known.
        """
        if (previous := self._rounds.get(round_number)) is not None:
            previous.cancel()
        self._rounds[round_number] = tasks.create_task(
            self._score(round_number, question, turns, trade)
        )

    def close(self) -> None:
        """Gives up what is being scored."""
        for scoring in self._rounds.values():
            scoring.cancel()

    async def _score(
        self, round_number: int, question: Question, turns: Sequence[Turn], trade: str | None
    ) -> QuestionResult | None:
        said = [turn for turn in turns if turn.speaker is Speaker.CANDIDATE]
        answers = [turn for turn in said if any(map(str.isalnum, turn.text))]
        if not answers:
            return None
        scored = beginning(answers)
        result = await self._scored(round_number, question, turns, scored, trade)
        return result if scored is answers else replace(result, scored_letters=SCORED_LETTERS)

    async def _scored(
        self,
        round_number: int,
        question: Question,
        turns: Sequence[Turn],
        answers: Sequence[Turn],
        trade: str | None,
    ) -> QuestionResult:
        heard = next((t.text for t in turns if t.speaker is Speaker.INTERVIEWER), question.text)
        asked = question_alone(heard, question.text)
        sounds = [await self._sound(turn) for turn in answers]
        if question.category is Category.CONVERSATION:
            return await found(
                sum(len(turn.text) for turn in answers),
                lambda: practised(round_number, question, asked, answers, sounds),
            )
        result, failure = await analyse(
            self._embedder,
            round_number=round_number,
            question=question,
            asked=asked,
            turns=answers,
            sounds=sounds,
            trade=trade,
            lines=_lines_before(turns)[: len(answers)],
        )
        if failure is not None:
            self._failed(failure)
        if self._judge is None or result.declined:
            return result
        try:
            return await self._judge.judge(question, answers, result)
        except DependencyFailed as failure:
            self._failed(failure)
            return result

    async def _sound(self, turn: Turn) -> Sound | None:
        if self._listen is None or not turn.words:
            return None
        try:
            async with asyncio.timeout(SOUND_SECONDS):
                return await self._listen(turn.start, turn.end)
        except (OSError, StoreFailed, TimeoutError):
            return None

    async def report(self, interview: Interview, previous: Report | None = None) -> Report:
        """Puts the rounds together, beside an earlier interview's report if there is one."""
        scored = [await self._rounds[number] for number in sorted(self._rounds)]
        results = [result for result in scored if result is not None]
        if interview.settings.mode is Mode.SPEAKING_PRACTICE:
            return reporting.compose(interview, results, previous)
        return compose(interview, results, previous)


def _lines_before(turns: Sequence[Turn]) -> list[str]:
    """What the interviewer said before each turn of the candidate's that says something."""
    found: list[str] = []
    lines: list[str] = []
    for turn in turns:
        if turn.speaker is Speaker.INTERVIEWER:
            lines.append(turn.text)
        elif any(map(str.isalnum, turn.text)):
            found.append(" ".join(lines) or (found[-1] if found else ""))
            lines = []
    return found


def question_alone(heard: str, question: str) -> str:
    """The question in what was heard of its line, without what introduced it."""
    least = OPENING_CHARACTERS if is_chinese(question) else OPENING_LETTERS
    for length in range(len(question), min(least, len(question)) - 1, -1):
        if (place := heard.find(question[:length])) >= 0:
            return heard[place : place + length]
    return heard


def compose(
    interview: Interview, questions: Sequence[QuestionResult], previous: Report | None = None
) -> Report:
    """The report of an interview with these results; pure."""
    language = interview.settings.language
    answered = [question for question in questions if not question.declined]
    dimensions = _dimensions(answered, language)
    overall = sum(q.score for q in answered) / len(answered) if answered else None
    ended = max((turn.end for turn in interview.turns), default=0.0)
    report = Report(
        interview_id=interview.id,
        overall_score=overall,
        dimensions=dimensions,
        questions=tuple(questions),
        strengths=_strengths(answered, language),
        weaknesses=_weaknesses(questions, language),
        suggestions=_suggestions(questions, language),
        basis=_basis(answered),
        summary=joined(
            language, _summary(interview, answered, overall), *_beginnings(questions, language)
        ),
        duration=ended,
    )
    if previous is None:
        return report
    return replace(report, progress=compare_reports(previous, report, language))


def _basis(questions: Sequence[QuestionResult]) -> Basis:
    """The least that any score rests on; a model's judgement only where it judged them all."""
    bases = {question.basis for question in questions}
    if Basis.RUBRIC_LEXICAL in bases:
        return Basis.RUBRIC_LEXICAL
    return Basis.LANGUAGE_MODEL if bases == {Basis.LANGUAGE_MODEL} else Basis.RUBRIC_EMBEDDING


def _dimensions(questions: Sequence[QuestionResult], language: str) -> tuple[DimensionScore, ...]:
    means = []
    for name in Dimension:
        scores = [d for question in questions for d in question.dimensions if d.name == name]
        if not scores:
            continue
        best, worst = max(scores, key=_score), min(scores, key=_score)
        mean = sum(map(_score, scores)) / len(scores)
        evidence = tuple(dict.fromkeys(best.evidence[:1] + worst.evidence[:1]))
        told = statement(language, "weakest", rationale=worst.rationale)
        means.append(DimensionScore(name, mean, told, evidence, round(mean / 25) + 1))
    return tuple(means)


def _score(dimension: DimensionScore) -> float:
    return dimension.score


def _strengths(questions: Sequence[QuestionResult], language: str) -> tuple[str, ...]:
    made = [
        (point.coverage, question.round, point.key_point, point.evidence.quote)
        for question in questions
        for point in question.key_points
        if point.covered and point.evidence
    ]
    made.sort(reverse=True)
    strengths = [
        statement(language, "made", round=number, point=point, quote=shortened(quote))
        for _, number, point, quote in made[: MAX_STATEMENTS - 2]
    ]
    strong = [
        (dimension.score, question.round, dimension)
        for question in questions
        for dimension in question.dimensions
        if dimension.score >= STRONG
        and dimension.name not in {Dimension.RELEVANCE, Dimension.CONTENT}
        and question.score >= WEAK
    ]
    strong.sort(key=lambda each: -each[0])
    strengths += [
        statement(
            language,
            "strong",
            round=number,
            name=named(language, dimension.name),
            score=score,
            rationale=dimension.rationale,
        )
        for score, number, dimension in strong
    ]
    return tuple(strengths[:MAX_STATEMENTS])


def _weaknesses(questions: Sequence[QuestionResult], language: str) -> tuple[str, ...]:
    weaknesses = [
        statement(language, "unanswered", round=question.round)
        for question in questions
        if question.declined
    ]
    for question in questions:
        if question.declined:
            continue
        if question.spoken_in:
            named_both = languages(language, question.spoken_in)
            weaknesses.append(
                statement(language, "answered_elsewhere", round=question.round, **named_both)
            )
            continue
        weaknesses += [
            statement(
                language,
                "denied",
                round=question.round,
                point=point.key_point,
                quote=shortened(point.evidence.quote),
            )
            for point in question.key_points
            if point.denied and point.evidence
        ]
        missed = _missed(question)
        for key, certain in (("not_said", True), ("not_recognised", False)):
            points = [point.key_point for point in missed if point.certain is certain]
            if points:
                told = statement(language, "; ").join(points)
                weaknesses.append(statement(language, key, round=question.round, points=told))
        weaknesses += [
            statement(
                language,
                "weak",
                round=question.round,
                name=named(language, dimension.name),
                rationale=dimension.rationale,
            )
            for dimension in question.dimensions
            if dimension.score < WEAK and dimension.name != Dimension.CONTENT
        ]
    return tuple(weaknesses[: 2 * MAX_STATEMENTS])


def _beginnings(questions: Sequence[QuestionResult], language: str) -> list[str]:
    """Of which answers only the beginning was scored."""
    return [
        statement(language, "beginning", round=each.round, letters=each.scored_letters)
        for each in questions
        if each.scored_letters
    ]


def _understood(questions: Sequence[QuestionResult]) -> list[QuestionResult]:
    """Those whose answers tell how somebody answers: given, and in the interview's language."""
    return [each for each in questions if not each.declined and not each.spoken_in]


def _missed(question: QuestionResult) -> list[KeyPointResult]:
    return [point for point in question.key_points if not point.covered and not point.denied]


def _suggestions(questions: Sequence[QuestionResult], language: str) -> tuple[str, ...]:
    dimensions = _dimensions(_understood(questions), language)
    weak = [d for d in sorted(dimensions, key=_score) if d.score < STRONG]
    suggestions = [advice(language, dimension.name) for dimension in weak[: MAX_STATEMENTS - 2]]
    elsewhere = [question.spoken_in for question in questions if question.spoken_in]
    if elsewhere:
        first = statement(language, "answer_in", **languages(language, elsewhere[0]))
        suggestions.insert(0, first)
    for question in sorted(questions, key=lambda result: result.score):
        if missed := _missed(question):
            key = "prepare" if question.declined else "include"
            suggestions.append(
                statement(language, key, question=question.question, point=missed[0].key_point)
            )
    return tuple(suggestions[:MAX_STATEMENTS])


def _summary(
    interview: Interview,
    answered: Sequence[QuestionResult],
    overall: float | None,
) -> str:
    language, rounds = interview.settings.language, interview.settings.rounds
    if overall is None:
        return statement(language, "nothing", rounds=rounds)
    parts = [statement(language, "reached", answered=len(answered), rounds=rounds, score=overall)]
    dimensions = _dimensions(_understood(answered), language)
    if not dimensions:
        parts.append(in_another_language(language, answered[0].spoken_in))
        return joined(language, *parts)
    if not any(point.covered for question in answered for point in question.key_points):
        parts.append(statement(language, "no_point"))
    best = max(dimensions, key=_score)
    worst = min(dimensions, key=_score)
    if best.name != worst.name:
        parts.append(
            statement(
                language,
                "sides",
                best=named(language, best.name),
                best_score=best.score,
                worst=named(language, worst.name),
                worst_score=worst.score,
            )
        )
    return joined(language, *parts)
