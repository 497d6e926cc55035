"""Follow-up questions in the model's words, drafted while the candidate still speaks.

A draft picks up something from earlier in the answer. It is what the interviewer says when the
answer ends soon after it; otherwise the model is asked again with the whole answer, and the draft
stands in when that takes too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from services.interview.clients.seams import ChatModel, DependencyFailed
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.degradation import Degradation
from services.interview.conversation.progress import Step
from services.interview.conversation.speech import PreparedSpeech
from services.interview.conversation.stock import Voice
from services.interview.interviewer.asking import Context, FollowUp, follow_up, warm_up
from services.interview.interviewer.guarding import acceptable
from services.interview.questions.bank import Question
from services.interview.record import Category, Difficulty, Phase, Speaker

_ANY = Question("", "", Category.BEHAVIORAL, Difficulty.MEDIUM, (), (), ())
WARM_UP_SECONDS = 10.0
DRAFT_WORDS = 12
"""An answer so far along says enough to ask about."""
FRESH_WORDS = 25
"""A draft is about what was just said for so many more words: some ten seconds of speech."""


@dataclass(frozen=True, slots=True)
class OwnWords:
    """A question by the model and its speech; `first_token` on the interview's clock."""

    text: str
    speech: PreparedSpeech | None
    first_token: float


@dataclass(slots=True)
class _Draft:
    answer: str
    step: Step
    task: asyncio.Task[None] | None = None
    made: OwnWords | None = None

    def discard(self) -> None:
        if self.task is not None:
            self.task.cancel()
        if self.made is not None and self.made.speech is not None:
            self.made.speech.discard()


class FollowUps:
    """Asks the model for follow-ups of one conversation."""

    def __init__(
        self,
        model: ChatModel,
        chronicle: Chronicle,
        degradation: Degradation,
        tasks: asyncio.TaskGroup,
        *,
        budget: float,
    ) -> None:
        """Takes the seconds the model has for a question as `budget`."""
        self._model = model
        self._chronicle = chronicle
        self._degradation = degradation
        self._tasks = tasks
        self._budget = budget
        self._draft: _Draft | None = None

    def warm_up(self) -> None:
        """Readies the model while the interviewer greets."""
        self._tasks.create_task(self._warm_up())

    async def _warm_up(self) -> None:
        # What fails now may work when it is needed: nothing is told to the candidate.
        with suppress(DependencyFailed, TimeoutError):
            async with asyncio.timeout(WARM_UP_SECONDS):
                await warm_up(self._model)

    def overhear(self, answer: str, step: Step, voice: Voice) -> None:
        """Drafts a question to an answer that is not over, when there is enough of it.

        Args:
            answer: What has been understood so far.
            step: The answered step.
            voice: Speaks the draft ahead.
        """
        draft = self._draft
        said = len(answer.split())
        if draft is not None and draft.step == step:
            working = draft.task is not None and not draft.task.done()
            if working or said - len(draft.answer.split()) < FRESH_WORDS:
                return
        if said >= DRAFT_WORDS:
            self.forget()
            self._draft = _Draft(answer, step)
            self._draft.task = self._tasks.create_task(self._make(self._draft, voice))

    async def _make(self, draft: _Draft, voice: Voice) -> None:
        asked = await self._ask(draft.answer)
        if asked is not None:
            speech = voice.say(asked.text, Phase.FOLLOW_UP, ahead=True)
            draft.made = OwnWords(asked.text, speech, asked.first_token)

    def forget(self) -> None:
        """Throws the draft away."""
        if self._draft is not None:
            self._draft.discard()
            self._draft = None

    async def question(
        self, answer: str, step: Step, voice: Voice, hurry: asyncio.Event
    ) -> OwnWords | None:
        """A question to a whole answer, or None; once `hurry` is set, what there is."""
        drafted = self._drafted(answer, step)
        if drafted is not None and self._fresh(answer):
            return drafted
        composing = asyncio.create_task(self._ask(answer))
        hurried = asyncio.create_task(hurry.wait())
        try:
            await asyncio.wait({composing, hurried}, return_when=asyncio.FIRST_COMPLETED)
            asked = composing.result() if composing.done() else None
        finally:
            for task in (composing, hurried):
                task.cancel()
            await asyncio.gather(composing, hurried, return_exceptions=True)
        if asked is None:
            return self._drafted(answer, step)
        return OwnWords(
            asked.text, voice.say(asked.text, Phase.FOLLOW_UP, ahead=False), asked.first_token
        )

    def keep(self, chosen: OwnWords) -> None:
        """The chosen question is being said: it is no draft any more."""
        if self._draft is not None and self._draft.made is chosen:
            self._draft = None

    def _drafted(self, answer: str, step: Step) -> OwnWords | None:
        draft = self._draft
        if draft is None or draft.step != step or draft.made is None:
            return None
        made = draft.made
        if made.speech is not None and not made.speech.usable:
            return None
        # The text it was made from may have been corrected since.
        return made if acceptable(made.text, answer=answer, asked=self._asked()) else None

    def _fresh(self, answer: str) -> bool:
        draft = self._draft
        return draft is not None and (
            len(answer.split()) - len(draft.answer.split()) <= FRESH_WORDS
        )

    async def _ask(self, answer: str) -> FollowUp | None:
        try:
            asked = await follow_up(
                self._model,
                Context(_ANY, answer, (), (), (), tuple(self._asked())),
                budget=self._budget,
                now=self._chronicle.clock.now,
            )
        except DependencyFailed as failure:
            self._degradation.failed(failure)
            return None
        self._degradation.worked("llm")
        return asked

    def _asked(self) -> Sequence[str]:
        turns = self._chronicle.interview.turns
        return [turn.text for turn in turns if turn.speaker is Speaker.INTERVIEWER]
