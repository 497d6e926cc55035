"""Preparing what the interviewer says next, before the candidate has certainly finished."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from services.interview.conversation.clock import InterviewClock
from services.interview.conversation.floor import Line
from services.interview.conversation.following_up import FollowUps, OwnWords
from services.interview.conversation.progress import Step, following
from services.interview.conversation.stock import Stock, Voice
from services.interview.interviewer.deciding import dig_deeper
from services.interview.record import InterviewSettings, Phase

SPEECH_SECONDS = 8.0
"""After so long without audio the reply is text: a server that is gone fails at once, one that
hangs would keep the candidate waiting."""


@dataclass(slots=True)
class Reply:
    """A reply being prepared to one answer.

    Attributes:
        answer: The answer it replies to, whole.
        eager: Whether it was begun before the end of turn was certain.
        line: What to say, once decided and, if spoken, begun to sound.
        first_token: When the model's first token came, on the interview's clock.
        first_phrase: When the text was there, on the interview's clock.
        own_words: The model's question, when that is the line.
    """

    answer: str
    eager: bool
    line: Line | None = None
    first_token: float | None = None
    first_phrase: float | None = None
    own_words: OwnWords | None = None
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    def discard(self) -> None:
        """Throws it away without trace."""
        if self._task is not None:
            self._task.cancel()
        if self.own_words is not None and self.own_words.speech is not None:
            self.own_words.speech.discard()


class Replier:
    """Prepares replies and hands each to `ready` when it can be said."""

    def __init__(
        self,
        settings: InterviewSettings,
        follow_ups: FollowUps,
        clock: InterviewClock,
        tasks: asyncio.TaskGroup,
        ready: Callable[[Reply], None],
    ) -> None:
        self._settings = settings
        self._follow_ups = follow_ups
        self._clock = clock
        self._tasks = tasks
        self._ready = ready

    def prepare(self, answer: str, step: Step, stock: Stock, voice: Voice, *, eager: bool) -> Reply:
        """Begins a reply to `answer`, which was given to `step`."""
        reply = Reply(answer, eager)
        reply._task = self._tasks.create_task(self._compose(reply, step, stock, voice))
        return reply

    async def _compose(self, reply: Reply, step: Step, stock: Stock, voice: Voice) -> None:
        upcoming = following(step, self._settings, dig_deeper=dig_deeper(reply.answer))
        line: Line | None = None
        if upcoming.phase is Phase.FOLLOW_UP:
            own = await self._follow_ups.question(reply.answer, step, voice, reply.hurry)
            if own is not None:
                line = self._line(reply, own, upcoming, stock)
        if line is None:
            line = stock.line(upcoming)
        reply.first_phrase = self._clock.now()
        if line.speech is not None:
            await line.speech.begun(SPEECH_SECONDS)
        reply.line = line
        self._ready(reply)

    def _line(self, reply: Reply, own: OwnWords, step: Step, stock: Stock) -> Line:
        reply.own_words = own
        reply.first_token = own.first_token
        return Line(step, own.text, own.speech, stock.question_id(step))
