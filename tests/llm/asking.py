"""Asks an engine, of whichever kind."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

from services.llm.chat import ChatPrompt, Delta, Finish
from services.llm.engines.engine import ChatEngine
from services.runtime.batching import Priority


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


async def speculative_makes_way(engine: ChatEngine, prompt: ChatPrompt) -> None:
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

    async with asyncio.TaskGroup() as group:
        told = group.create_task(speculate())
        await begun.wait()
        await ask(engine, final)
        order.append("final")
    assert order == ["final", "speculative"]
    assert told.result() == alone
