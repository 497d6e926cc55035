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


async def ask(
    engine: ChatEngine, prompt: ChatPrompt, begun: asyncio.Event | None = None
) -> tuple[str, Finish]:
    """The whole answer and how it ended; `begun` is set by its first event."""
    texts: list[str] = []
    async with aclosing(engine.chat(prompt)) as events:
        async for happened in events:
            if begun is not None:
                begun.set()
            match happened:
                case Delta(text=text):
                    assert text
                    texts.append(text)
                case Finish():
                    return "".join(texts), happened
    raise AssertionError("no finish")


@contextmanager
def _speculative_waits_for_company(turns: Turns) -> Iterator[None]:
    """Holds the model in mid-answer until somebody wants its place.

    By itself a small model may be done before a busy machine has brought the other's question.
    """
    over = turns.over

    def held(generation: Generation, tokens: int) -> bool:
        until = time.monotonic() + GUARD_SECONDS
        speculative = generation.priority is Priority.SPECULATIVE
        while speculative and len(generation.answer) == _HELD_TOKENS and time.monotonic() < until:
            if over(generation, tokens):
                return True
            time.sleep(0.005)  # in the model's thread
        return over(generation, tokens)

    with patch.object(turns, "over", held):
        yield


async def speculative_makes_way(engine: ChatEngine, turns: Turns, prompt: ChatPrompt) -> None:
    """Checks that a final goes before the rest of a speculative answer and does not change it."""
    eager = replace(prompt, priority=Priority.SPECULATIVE, caller="eager")
    final = replace(prompt, max_tokens=2, caller="final")
    order: list[str] = []
    alone, _ = await ask(engine, eager)
    begun = asyncio.Event()

    async def speculate() -> str:
        text, _ = await ask(engine, eager, begun)
        order.append("speculative")
        return text

    with _speculative_waits_for_company(turns):
        async with asyncio.TaskGroup() as group:
            told = group.create_task(speculate())
            await begun.wait()
            await ask(engine, final)
            order.append("final")
    assert order == ["final", "speculative"]
    assert told.result() == alone
