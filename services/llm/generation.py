"""One request while it is being computed, shared by the event loop and a model's thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from services.llm.answer import AnswerText
from services.llm.chat import ChatEvent, Delta, Finish, FinishReason, Sampling, Usage
from services.llm.constraints import Matcher
from services.llm.metrics import TOKENS
from services.llm.sampling import Sampler
from services.runtime.batching import Priority, Scheduled
from services.runtime.errors import DeadlineExpired, Overloaded


@dataclass(slots=True, eq=False)
class Generation:
    """What to generate, and what was.

    Attributes:
        prompt: Token ids of the conversation.
        reused: Length of the prompt's prefix to compute once and reuse, in tokens.
        sampling: How tokens are chosen; no field is None but `top_k` and `seed`.
        max_tokens: Longest answer, in tokens.
        text: The answer's text so far.
        emit: Takes text to be said; callable from any thread.
        caller: Who shares the model fairly with others.
        priority: Its class of urgency.
        deadline: On the event loop's clock, in seconds; None without one.
        matcher: Where the answer stands in its constraint.
        sampler: What chooses tokens outside of the engine; kept from turn to turn.
        answer: Token ids generated so far.
        cached: Of the prompt's tokens, those not computed for this request.
        reason: Why it ended; None while it has not.
        cancelled: Set by the event loop; the model stops at the next token.
        progressed: Told at every token: a long answer is no model that hangs.
    """

    prompt: tuple[int, ...]
    reused: int
    sampling: Sampling
    max_tokens: int
    text: AnswerText
    emit: Callable[[str], None]
    caller: str = ""
    priority: Priority = Priority.INTERACTIVE
    deadline: float | None = None
    matcher: Matcher | None = None
    sampler: Sampler | None = None
    answer: list[int] = field(default_factory=list)
    cached: int | None = None
    reason: FinishReason | None = None
    cancelled: bool = False
    progressed: Callable[[], None] = lambda: None

    @property
    def guided(self) -> bool:
        """Whether its tokens are chosen outside of CTranslate2."""
        seeded = self.sampling.seed is not None and bool(self.sampling.temperature)
        return self.matcher is not None or seeded

    @property
    def stopped(self) -> bool:
        """Whether nothing more is to be computed."""
        return self.cancelled or self.reason is not None

    @property
    def remaining(self) -> int:
        """Tokens the answer may still have."""
        return self.max_tokens - len(self.answer)

    def append(self, token: int, piece: bytes | str) -> None:
        """Adds a token to the answer and says what of it may be said."""
        self.answer.append(token)
        self.progressed()
        TOKENS.inc()
        text = self.text
        self.say(text.push(piece) if isinstance(piece, bytes) else text.push_text(piece))
        if self.text.stopped:
            self.finish(FinishReason.STOP)
        elif self.remaining <= 0 and self.matcher is None:
            self.finish(FinishReason.LENGTH)

    def say(self, text: str) -> None:
        """Says text, unless it is empty."""
        if text:
            self.emit(text)

    def finish(self, reason: FinishReason) -> None:
        """Ends the answer; only the first reason counts."""
        if self.reason is None:
            self.say(self.text.finish())
            self.reason = reason

    def usage(self) -> Usage:
        """Tokens used so far."""
        return Usage(len(self.prompt), self.cached or 0, len(self.answer))


class EventQueue:
    """Text on its way from a model's thread to the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()

    def emit(self, text: str) -> None:
        """Puts text in, from any thread."""
        self._loop.call_soon_threadsafe(self._queue.put_nowait, text)

    def close(self, _: object = None) -> None:
        """Ends the stream; on the event loop."""
        self._queue.put_nowait(None)

    async def texts(self) -> AsyncGenerator[str, None]:
        """Everything put in, until the end."""
        while (text := await self._queue.get()) is not None:
            yield text


Compute: TypeAlias = Callable[[Generation, float | None], Awaitable[Scheduled[None]]]
"""Computes a turn of a generation by a deadline on the event loop's clock, None without one."""

_RETURNS = 3
"""Times that an answer which has begun comes back where there was no room for its next turn."""


async def stream(
    generation: Generation,
    events: EventQueue,
    compute: Compute,
) -> AsyncGenerator[ChatEvent, None]:
    """Yields the deltas of a generation while `compute` runs, then its finish.

    `compute` computes a turn, by the deadline that it is given, and is called again while the
    generation is not over. Closing the generator cancels it.
    """
    task = asyncio.ensure_future(_compute(generation, compute))
    task.add_done_callback(events.close)
    try:
        async for text in events.texts():
            yield Delta(text)
        yield await task
    finally:
        generation.cancelled = True
        task.cancel()
        # Whoever has left wants no error either.
        await asyncio.gather(task, return_exceptions=True)


async def _compute(generation: Generation, compute: Compute) -> Finish:
    queue_time = compute_time = 0.0
    # The first turn is admitted by the deadline. What has begun is not refused any more: later
    # turns are only held to it.
    done = await compute(generation, generation.deadline)
    try:
        async with asyncio.timeout_at(generation.deadline) as scope:
            while True:
                queue_time += done.queue_time
                compute_time += done.compute_time
                if generation.reason is not None:
                    return Finish(
                        generation.reason,
                        generation.usage(),
                        queue_time,
                        compute_time,
                        done.batch_size,
                    )
                done = await _go_on(generation, compute)
    except TimeoutError:
        if not scope.expired():
            raise  # the model's own
        raise DeadlineExpired from None


async def _go_on(generation: Generation, compute: Compute) -> Scheduled[None]:
    """Computes a later turn; one that finds no room comes back after a while."""
    for _ in range(_RETURNS):
        try:
            return await compute(generation, None)
        except Overloaded as refused:
            await asyncio.sleep(refused.retry_after)
    return await compute(generation, None)
