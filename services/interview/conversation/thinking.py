"""The interviewer's thoughts, on model servers: what an answer covers, what to ask about it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress

from services.interview.clients.seams import (
    ChatMessage,
    ChatModel,
    DependencyFailed,
    Embedder,
    ServiceName,
    Vectors,
    VoiceConfig,
)
from services.interview.conversation import actions as a
from services.interview.conversation import events as e
from services.interview.conversation.pace import Partners
from services.interview.conversation.script import Script
from services.interview.events import AudioFormat
from services.interview.interviewer.asking import follow_up, warm_up
from services.interview.interviewer.assessing import assess

WARM_UP_SECONDS = 10.0
ASSESS_SECONDS = 2.5
PROBE_SECONDS = 2.0
"""What a server has to show that it works."""
FIRST_PROBE_PAUSE, LAST_PROBE_PAUSE = 0.5, 5.0
"""Seconds between two attempts, doubling from the first to the last."""
SLOW_SECONDS = 0.8
"""Work that waits in the background for longer makes one ask whether its server is there."""
_PROBE_TEXT = "Yes."


class Thinking:
    """Runs thoughts in tasks of its own, each with a deadline, and posts what comes of them."""

    def __init__(
        self,
        script: Callable[[], Script],
        partners: Partners,
        tasks: asyncio.TaskGroup,
        post: Callable[[e.Happening], None],
        now: Callable[[], float],
        failing: Callable[[], Sequence[str]],
    ) -> None:
        self._script = script
        self._partners = partners
        self._tasks = tasks
        self._post = post
        self._now = now
        self._failing = failing
        self._running: dict[int | str, asyncio.Task[None]] = {}
        self.embedder: Embedder = _Guarded(self)

    def begin(self, name: int | str, work: Coroutine[None, None, None]) -> None:
        """Runs work that `discard` can give up by its name; work of the same name goes on."""
        if (running := self._running.get(name)) is not None and not running.done():
            work.close()
            return
        task = self._tasks.create_task(work)
        self._running[name] = task
        task.add_done_callback(lambda done: self._over(name, done))

    def _over(self, name: int | str, task: asyncio.Task[None]) -> None:
        if self._running.get(name) is task:
            del self._running[name]

    def discard(self, name: int | str) -> None:
        """Gives work up."""
        if (task := self._running.pop(name, None)) is not None:
            task.cancel()

    def close(self) -> None:
        """Gives everything up."""
        for name in list(self._running):
            self.discard(name)

    # Thoughts.

    def assess(self, wanted: a.Assess) -> None:
        """Finds what an answer covers."""
        self.begin(wanted.number, self._assess(wanted))

    async def _assess(self, wanted: a.Assess) -> None:
        script = self._script()
        question = script.questions[wanted.round - 1]
        assessment = None
        if question is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(ASSESS_SECONDS):
                    assessment = await assess(
                        self.embedder,
                        question,
                        wanted.answer,
                        asked=wanted.asked,
                        trade=script.settings.trade,
                    )
        # The reply may go on under the same number.
        self._running.pop(wanted.number, None)
        self._post(e.Assessed(wanted.number, assessment))

    def compose(self, wanted: a.Compose) -> None:
        """Has a follow-up written."""
        self.begin(wanted.number, self._compose(wanted))

    async def _compose(self, wanted: a.Compose) -> None:
        model = _Listened(self._partners.model)
        budget = self._script().pace.follow_up_budget
        try:
            asked = await follow_up(
                model, wanted.context, budget=budget, now=self._now, embedder=self.embedder
            )
        except DependencyFailed as failure:
            self._post(e.Failed("llm", failure.reason))
            self._post(e.Composed(wanted.number, None))
            return
        if model.spoke:
            self._post(e.Worked("llm"))
        elif asked is None:
            self._post(e.Failed("llm", "no answer in time"))
        text, first_token = (None, None) if asked is None else (asked.text, asked.first_token)
        self._post(e.Composed(wanted.number, text, first_token))

    def warm_up(self) -> None:
        """Readies the model while the interviewer greets."""
        self.begin("warm up", self._warm_up())

    async def _warm_up(self) -> None:
        # What fails now may work when it is needed: nothing is told to the candidate.
        with suppress(DependencyFailed, TimeoutError):
            async with asyncio.timeout(WARM_UP_SECONDS):
                await warm_up(self._partners.model)

    # Whether a server works.

    def probe(self, service: ServiceName) -> None:
        """Asks a server for a little until it gives it."""
        self.begin(service, self._probe(service))

    async def _probe(self, service: ServiceName) -> None:
        pause = FIRST_PROBE_PAUSE
        while True:
            try:
                await self.try_out(service)
            except DependencyFailed as failure:
                self._post(e.Failed(service, failure.reason))
            else:
                self._running.pop(service, None)
                self._post(e.Worked(service))
                return
            await asyncio.sleep(pause)
            pause = min(LAST_PROBE_PAUSE, 2 * pause)

    async def try_out(self, service: ServiceName, patience: float = PROBE_SECONDS) -> None:
        """Has a server do a little of its work, in so many seconds.

        Raises:
            DependencyFailed: It does not, or not in time.
        """
        try:
            async with asyncio.timeout(patience):
                match service:
                    case "llm":
                        await self._generate()
                    case "tts":
                        await self._synthesise()
                    case "embed":
                        await self._partners.embedder.embed(
                            [_PROBE_TEXT], query=True, background=False
                        )
                    case "asr":
                        raise AssertionError("recognition is tried by the microphone itself")
        except TimeoutError:
            raise DependencyFailed(service, "no answer in time") from None

    async def _generate(self) -> None:
        messages = [ChatMessage("user", _PROBE_TEXT)]
        chat = self._partners.model.chat(messages, max_tokens=1, stop=())
        async with aclosing(chat) as pieces:
            async for _ in pieces:
                break

    async def _synthesise(self) -> None:
        config = VoiceConfig(self._script().settings.language, None, AudioFormat())
        # Never the same: what was said once comes from a cache, from an engine that hangs too.
        text = f"{secrets.randbelow(1_000_000)}."
        async with aclosing(self._partners.synthesiser.speak(text, config)) as pieces:
            async for _ in pieces:
                break

    # Comparing meanings.

    async def embed(self, texts: Sequence[str], *, query: bool, background: bool) -> Vectors:
        """Vectors, unless their server is known to fail, or shows no life while one waits."""
        if "embed" in self._failing():
            raise DependencyFailed("embed", "known to fail")
        embedder = self._partners.embedder
        work = asyncio.ensure_future(embedder.embed(texts, query=query, background=background))
        try:
            done, _ = await asyncio.wait({work}, timeout=SLOW_SECONDS)
            if not done:
                await self.try_out("embed")
            return await work
        except DependencyFailed as failure:
            self._post(e.Failed("embed", failure.reason))
            raise
        finally:
            work.cancel()


class _Guarded:
    """The embedder as the interviewer uses it."""

    def __init__(self, thinking: Thinking) -> None:
        self._thinking = thinking

    async def embed(self, texts: Sequence[str], *, query: bool, background: bool) -> Vectors:
        return await self._thinking.embed(texts, query=query, background=background)


class _Listened:
    """A model of which it is known whether it has said anything."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.spoke = False

    async def chat(
        self, messages: Sequence[ChatMessage], *, max_tokens: int, stop: Sequence[str]
    ) -> AsyncGenerator[str, None]:
        async with aclosing(self._model.chat(messages, max_tokens=max_tokens, stop=stop)) as pieces:
            async for piece in pieces:
                self.spoke = True
                yield piece
