"""Having answers scored while the conversation goes on, and the report written when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.interview.clients.seams import Embedder
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.degradation import Degradation
from services.interview.conversation.progress import Step
from services.interview.events import ReportReady
from services.interview.interviewer.summarising import Reviewer
from services.interview.questions.bank import Question
from services.interview.record import State


class Review:
    """The review of one interview."""

    def __init__(
        self,
        chronicle: Chronicle,
        plan: Sequence[Question],
        embedder: Embedder,
        degradation: Degradation,
    ) -> None:
        self._chronicle = chronicle
        self._plan = plan
        self._reviewer = Reviewer(embedder, failed=degradation.failed)
        self._begun: set[int] = set()

    def score(self, step: Step, tasks: asyncio.TaskGroup) -> None:
        """Has the answers of the step's round scored in the background."""
        if step.asks:
            self._score(step.round, tasks)

    def _score(self, number: int, tasks: asyncio.TaskGroup) -> None:
        self._begun.add(number)
        turns = [t for t in self._chronicle.interview.turns if t.round == number]
        self._reviewer.begin(tasks, number, self._plan[number - 1], turns)

    async def finish(self, step: Step, tasks: asyncio.TaskGroup) -> None:
        """Writes the report, if there is something to report on."""
        if self._chronicle.interview.state is State.REVIEWING:
            self.score(step, tasks)
            # Rounds that another process began to score.
            for number in {turn.round for turn in self._chronicle.interview.turns}:
                if number and number not in self._begun:
                    self._score(number, tasks)
            report = await self._reviewer.report(self._chronicle.interview)
            await self._chronicle.keep(report)
            await self._chronicle.move(State.COMPLETED, step)
            self._chronicle.emit(ReportReady(report))
