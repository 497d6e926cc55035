"""Having answers scored while the conversation goes on, and the report written when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.script import Script
from services.interview.interviewer.summarising import Reviewer
from services.interview.questions.bank import Question
from services.interview.record import Speaker, Turn
from services.interview.reports.report import Report


class Review:
    """The review of one interview."""

    def __init__(
        self,
        chronicle: Chronicle,
        script: Callable[[], Script],
        reviewer: Reviewer,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._chronicle = chronicle
        self._script = script
        self._tasks = tasks
        self._reviewer = reviewer
        self._begun: set[int] = set()

    def score(self, number: int) -> None:
        """Has the answers of a round scored in the background."""
        script = self._script()
        question = script.questions[number - 1]
        if question is None:
            return
        self._begun.add(number)
        turns = [t for t in self._chronicle.interview.turns if t.round == number]
        whole = _whole(turns, question)
        self._reviewer.begin(self._tasks, number, question, whole, script.settings.trade)

    def close(self) -> None:
        """Scores nothing more."""
        self._reviewer.close()

    async def report(self) -> Report:
        """Writes the report, and keeps it."""
        # Rounds that another process began to score.
        for number in {turn.round for turn in self._chronicle.interview.turns}:
            if number and number not in self._begun:
                self.score(number)
        previous = self._chronicle.previous
        report = await self._reviewer.report(
            self._chronicle.interview, None if previous is None else previous.report
        )
        self._chronicle.keep(report)
        return report


def _whole(turns: list[Turn], question: Question) -> list[Turn]:
    """The turns; where the question itself was cut short it is quoted whole."""
    first = next((n for n, turn in enumerate(turns) if turn.speaker is Speaker.INTERVIEWER), None)
    if first is None or question.text in turns[first].text:
        return turns
    return [*turns[:first], replace(turns[first], text=question.text), *turns[first + 1 :]]
