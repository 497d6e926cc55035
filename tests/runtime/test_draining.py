"""Streams end where nothing is cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from services.runtime.draining import until_draining
from services.runtime.errors import Draining
from services.runtime.request import Request, set_current_request


@dataclass
class Stream:
    """Gives what the test puts in, and notes that it was closed."""

    queue: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    passed: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    async def items(self) -> AsyncGenerator[str]:
        try:
            while (item := await self.queue.get()) is not None:
                yield item
        finally:
            self.closed = True

    async def run(self) -> None:
        set_current_request(Request(draining=self.draining))
        async with aclosing(self.items()) as items:
            async for item in until_draining(items, {"begin": True, "end": False}.get):
                await self.passed.put(item)

    async def say(self, *items: str) -> None:
        """Puts answers in, which must come out."""
        for item in items:
            await self.queue.put(item)
            assert await self.passed.get() == item


async def test_an_idle_stream_ends() -> None:
    stream = Stream()
    running = asyncio.create_task(stream.run())
    await stream.say("begin", "go on", "end")
    stream.draining.set()
    with pytest.raises(Draining):
        await running
    assert stream.closed


async def test_what_was_begun_is_finished_and_nothing_new_is_begun() -> None:
    stream = Stream()
    running = asyncio.create_task(stream.run())
    await stream.say("begin")
    stream.draining.set()
    await stream.say("go on", "end", "word of it")
    await stream.queue.put("begin")
    with pytest.raises(Draining):
        await running
    assert stream.passed.empty()


async def test_a_stream_that_its_caller_ends_ends_well_even_while_the_server_drains() -> None:
    stream = Stream()
    running = asyncio.create_task(stream.run())
    await stream.say("begin")
    stream.draining.set()
    await stream.say("end")
    await stream.queue.put(None)
    await running


async def test_cancellation_reaches_the_source() -> None:
    stream = Stream()
    running = asyncio.create_task(stream.run())
    await stream.say("end")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stream.closed
