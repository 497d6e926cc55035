"""Streams end where nothing is cut."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from services.runtime.draining import unless_draining, until_finished
from services.runtime.errors import Draining
from services.runtime.request import Request, set_current_request
from tests.runtime.virtual_time import run


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
        begun = False

        async def noted(items: AsyncGenerator[str]) -> AsyncGenerator[str]:
            nonlocal begun
            async for item in items:
                begun = {"begin": True, "end": False}.get(item, begun)
                yield item

        async with aclosing(self.items()) as items, aclosing(noted(items)) as answers:
            async for item in until_finished(answers, lambda: begun):
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


class Source:
    """Knows of work that it has told nothing of yet."""

    def __init__(self) -> None:
        self.draining = asyncio.Event()
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.unfinished = False
        self.passed: list[str] = []

    async def items(self) -> AsyncGenerator[str]:
        while (item := await self.queue.get()) is not None:
            yield item

    async def run(self) -> None:
        set_current_request(Request(draining=self.draining))
        async with aclosing(self.items()) as items:
            async for item in until_finished(items, lambda: self.unfinished):
                self.passed.append(item)


def test_what_was_begun_before_the_notice_is_finished_though_nothing_was_told_of_it() -> None:
    async def main() -> list[str]:
        source = Source()
        running = asyncio.create_task(source.run())
        await asyncio.sleep(1)
        source.unfinished = True
        source.draining.set()
        await asyncio.sleep(20)
        source.queue.put_nowait("word")
        await asyncio.sleep(20)
        source.unfinished = False
        source.queue.put_nowait("end")
        with pytest.raises(Draining):
            await running
        return source.passed

    assert run(main()) == ["word", "end"]


def test_an_idle_source_ends_the_stream_and_begins_nothing_more() -> None:
    async def main() -> list[str]:
        source = Source()
        source.unfinished = True
        running = asyncio.create_task(source.run())
        source.draining.set()
        await asyncio.sleep(1)
        source.unfinished = False
        source.queue.put_nowait("end")
        await asyncio.sleep(0.5)
        source.unfinished = True
        source.queue.put_nowait("another")
        with pytest.raises(Draining):
            await running
        return source.passed

    assert run(main()) == ["end"]


def test_an_error_of_work_that_is_given_up_is_nobodys_news() -> None:
    """Not asyncio's log either, which would tell of each call that ends before its request."""
    told: list[object] = []

    async def refuses() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise ValueError("the call ended") from None

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        call = asyncio.create_task(unless_draining(refuses(), asyncio.Event()))
        await asyncio.sleep(1)
        call.cancel()
        await asyncio.wait({call})
        assert call.cancelled()
        gc.collect()

    run(main())
    assert not told
