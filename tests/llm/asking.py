"""Asks an engine, of whichever kind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from unittest.mock import patch

from services.llm.chat import ChatPrompt, Delta, Finish
from services.llm.engines.engine import ChatEngine
from services.llm.generation import Generation
from services.llm.turns import Turns
from services.runtime.batching import Priority
from tests.server_process import GUARD_SECONDS

_HELD_TOKENS = 4


async def ask(engine: ChatEngine, prompt: ChatPrompt) -> tuple[str, Finish]:
    """The whole answer and how it ended."""
    texts: list[str] = []
    async with aclosing(engine.chat(prompt)) as events:
        async for happened in events:
            match happened:
                case Delta(text=text):
                    assert text
                    texts.append(text)
                case Finish():
                    return "".join(texts), happened
    raise AssertionError("no finish")


@contextmanager
def _speculative_held(turns: Turns) -> Iterator[asyncio.Event]:
    """Holds the model in mid-answer, which the event tells of, until somebody wants its place.

    By itself a small model may be done before a busy machine has brought the other's question.
    """
    over = turns.over
    loop, reached = asyncio.get_running_loop(), asyncio.Event()

    def held(generation: Generation, tokens: int) -> bool:
        until = time.monotonic() + GUARD_SECONDS
        speculative = generation.priority is Priority.SPECULATIVE
        if speculative and len(generation.answer) == _HELD_TOKENS:
            loop.call_soon_threadsafe(reached.set)
            while time.monotonic() < until and not over(generation, tokens):
                time.sleep(0.005)  # in the model's thread
        return over(generation, tokens)

    with patch.object(turns, "over", held):
        yield reached


async def speculative_makes_way(engine: ChatEngine, turns: Turns, prompt: ChatPrompt) -> None:
    """Checks that a final goes before the rest of a speculative answer and does not change it."""
    eager = replace(prompt, priority=Priority.SPECULATIVE, caller="eager")
    final = replace(prompt, max_tokens=2, caller="final")
    order: list[str] = []
    alone, _ = await ask(engine, eager)

    async def speculate() -> str:
        text, _ = await ask(engine, eager)
        order.append("speculative")
        return text

    with _speculative_held(turns) as reached:
        async with asyncio.TaskGroup() as group:
            told = group.create_task(speculate())
            await reached.wait()
            await ask(engine, final)
            order.append("final")
    assert order == ["final", "speculative"]
    assert told.result() == alone
