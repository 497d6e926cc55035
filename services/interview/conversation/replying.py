"""Preparing what the interviewer says next, before the candidate has certainly finished."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from services.interview.clients.seams import ChatModel, DependencyFailed
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.degradation import Degradation
from services.interview.conversation.floor import Line
from services.interview.conversation.progress import Step, after
from services.interview.conversation.speech import PreparedSpeech
from services.interview.conversation.stock import Stock, Voice
from services.interview.interviewer.asking import FollowUp, follow_up, warm_up
from services.interview.interviewer.deciding import dig_deeper
from services.interview.record import InterviewSettings, Phase, Speaker

WARM_UP_SECONDS = 10.0


@dataclass(slots=True)
class Reply:
    """A reply being prepared to one answer.

    Attributes:
        answer: The answer it replies to, whole.
        eager: Whether it was begun before the end of turn was certain.
        line: What to say, once decided and, if spoken, begun to sound.
        first_token, first_phrase: When they came, on the interview's clock.
    """

    answer: str
    eager: bool
    line: Line | None = None
    first_token: float | None = None
    first_phrase: float | None = None
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None
    _speech: PreparedSpeech | None = None

    def discard(self) -> None:
        """Throws it away without trace."""
        if self._task is not None:
            self._task.cancel()
        if self._speech is not None:
            self._speech.discard()


class Replier:
    """Prepares replies and hands each to `ready` when it can be said."""

    def __init__(
        self,
        settings: InterviewSettings,
        model: ChatModel,
        chronicle: Chronicle,
        degradation: Degradation,
        tasks: asyncio.TaskGroup,
        *,
        budget: float,
        ready: Callable[[Reply], None],
    ) -> None:
        """Takes the seconds the model has for a follow-up as `budget`."""
        self._settings = settings
        self._model = model
        self._chronicle = chronicle
        self._degradation = degradation
        self._tasks = tasks
        self._budget = budget
        self._ready = ready

    def warm_up(self) -> None:
        """Readies the model while the interviewer greets."""
        if self._settings.follow_ups:
            self._tasks.create_task(self._warm_up())

    async def _warm_up(self) -> None:
        # What fails now may work when it is needed: nothing is told to the candidate.
        with suppress(DependencyFailed, TimeoutError):
            async with asyncio.timeout(WARM_UP_SECONDS):
                await warm_up(self._model)

    def prepare(self, answer: str, step: Step, stock: Stock, voice: Voice, *, eager: bool) -> Reply:
        """Begins a reply to `answer`, which was given to `step`."""
        reply = Reply(answer, eager)
        reply._task = self._tasks.create_task(self._compose(reply, step, stock, voice))
        return reply

    async def _compose(self, reply: Reply, step: Step, stock: Stock, voice: Voice) -> None:
        following = after(
            step,
            rounds=self._settings.rounds,
            follow_ups=self._settings.follow_ups,
            dig_deeper=dig_deeper(reply.answer),
        )
        line: Line | None = None
        if following.phase is Phase.FOLLOW_UP:
            line = await self._own_words(reply, following, stock, voice)
        if line is None:
            line = stock.line(following)
            if line.speech is not None:
                await line.speech.started.wait()
            reply.first_phrase = self._chronicle.clock.now()
        reply.line = line
        self._ready(reply)

    async def _own_words(self, reply: Reply, step: Step, stock: Stock, voice: Voice) -> Line | None:
        """A follow-up by the model, sounding already; None to ask the bank's."""
        composing = asyncio.create_task(self._ask(reply.answer))
        hurried = asyncio.create_task(reply.hurry.wait())
        try:
            await asyncio.wait({composing, hurried}, return_when=asyncio.FIRST_COMPLETED)
            asked = composing.result() if composing.done() else None
        finally:
            for task in (composing, hurried):
                task.cancel()
            await asyncio.gather(composing, hurried, return_exceptions=True)
        if asked is None:
            return None
        reply.first_token = asked.first_token
        reply.first_phrase = self._chronicle.clock.now()
        question = stock.question(step)
        speech = voice.say(asked.text, step.phase, ahead=False)
        line = Line(step, asked.text, speech, question.id if question else "")
        if speech is not None:
            reply._speech = speech
            await speech.started.wait()
        return line

    async def _ask(self, answer: str) -> FollowUp | None:
        try:
            asked = await follow_up(
                self._model,
                answer=answer,
                asked=self._asked(),
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
