"""Listening through a recognition stream that breaks, hangs or falls behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.interview.clients.seams import (
    DependencyFailed,
    Endpointing,
    HearingConfig,
    SpeechBegan,
    SpeechEvent,
    TurnEnded,
)
from services.interview.conversation import hearing as module
from services.interview.conversation.clock import AudioTimeline, InterviewClock
from services.interview.conversation.hearing import BYTES_PER_SECOND, Hearing
from tests.interview.stage import PATIENCE, FakeRecogniser, FakeStream

SECOND = BYTES_PER_SECOND


class Listener:
    """A `Hearing` at work, and what it told."""

    def __init__(self, recogniser: FakeRecogniser) -> None:
        self.recogniser = recogniser
        self.heard: asyncio.Queue[SpeechEvent] = asyncio.Queue()
        self.failures: asyncio.Queue[DependencyFailed] = asyncio.Queue()
        self.recovered = asyncio.Event()

        async def recovered() -> None:
            self.recovered.set()

        clock = InterviewClock()
        clock.start()
        self.hearing = Hearing(
            recogniser,
            HearingConfig("en"),
            AudioTimeline(clock),
            heard=self.heard.put,
            failed=self.failures.put,
            recovered=recovered,
        )

    async def stream(self) -> FakeStream:
        async with asyncio.timeout(PATIENCE):
            return await self.recogniser.opened.get()


async def received(stream: FakeStream, count: int) -> bytes:
    """The next bytes sent to the stream."""
    got = b""
    async with asyncio.timeout(PATIENCE):
        while len(got) < count:
            got += await stream.sent.get()
    return got


@asynccontextmanager
async def listening(recogniser: FakeRecogniser | None = None) -> AsyncIterator[Listener]:
    listener = Listener(recogniser or FakeRecogniser())
    running = asyncio.create_task(listener.hearing.run())
    try:
        yield listener
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_was_said_while_no_stream_worked_is_heard_by_the_next() -> None:
    async with listening() as listener:
        listener.hearing.hear(bytes(SECOND))
        first = await listener.stream()
        await received(first, SECOND)
        listener.recogniser.broken = True
        first.heard.put_nowait(DependencyFailed("asr", "UNAVAILABLE"))
        async with asyncio.timeout(PATIENCE):
            await listener.failures.get()
        answer = b"\1\0" * (SECOND // 4)
        for _ in range(6):
            listener.hearing.hear(answer)
        listener.recogniser.broken = False
        second = await listener.stream()
        # What was kept outside a turn, and all that came since.
        assert (await received(second, SECOND + 3 * SECOND)).endswith(answer * 6)
        async with asyncio.timeout(PATIENCE):
            await listener.recovered.wait()


async def test_a_turn_that_was_understood_is_not_heard_again() -> None:
    async with listening() as listener:
        listener.hearing.hear(bytes(SECOND))
        first = await listener.stream()
        first.heard.put_nowait(DependencyFailed("asr", "UNAVAILABLE"))
        second = await listener.stream()
        understood, following = b"\1\0" * SECOND, b"\2\0" * (SECOND // 2)
        listener.hearing.hear(understood)
        listener.hearing.hear(following)
        await received(second, 2 * SECOND)
        second.heard.put_nowait(SpeechBegan(1.0))
        second.heard.put_nowait(TurnEnded("Yes.", (), 1.0, 3.0))
        async with asyncio.timeout(PATIENCE):
            while not isinstance(await listener.heard.get(), TurnEnded):
                pass
        second.heard.put_nowait(DependencyFailed("asr", "UNAVAILABLE"))
        third = await listener.stream()
        assert await received(third, SECOND) == following


class Stuck(FakeStream):
    """Takes no audio until told to."""

    def __init__(self, config: HearingConfig) -> None:
        super().__init__(config)
        self.gate = asyncio.Event()

    async def send(self, audio: bytes) -> None:
        await self.gate.wait()
        await super().send(audio)


class StuckRecogniser(FakeRecogniser):
    @asynccontextmanager
    async def open(self, config: HearingConfig) -> AsyncIterator[FakeStream]:
        stream = Stuck(config)
        self.opened.put_nowait(stream)
        yield stream


async def test_a_stream_that_takes_no_audio_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALLED_SECONDS", 0.05)
    async with listening(StuckRecogniser()) as listener:
        listener.hearing.hear(bytes(SECOND))
        await listener.stream()
        await listener.stream()
        async with asyncio.timeout(PATIENCE):
            assert (await listener.failures.get()).reason == "takes no audio"


async def test_a_stream_that_falls_far_behind_is_given_up() -> None:
    async with listening(StuckRecogniser()) as listener:
        listener.hearing.hear(bytes(SECOND))
        first = await listener.stream()
        for _ in range(32):
            listener.hearing.hear(bytes(SECOND))
        assert isinstance(first, Stuck)
        first.gate.set()
        second = await listener.stream()
        assert second is not first


class SlowRecogniser(FakeRecogniser):
    """Opens its streams when `gate` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.gate = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def open(self, config: HearingConfig) -> AsyncIterator[FakeStream]:
        self.asked.set()
        await self.gate.wait()
        async with super().open(config) as stream:
            yield stream


async def test_what_is_said_while_a_stream_is_opened_is_heard_by_it() -> None:
    recogniser = SlowRecogniser()
    async with listening(recogniser) as listener:
        said = [bytes([number, 0]) * SECOND for number in range(1, 4)]
        listener.hearing.hear(said[0])
        async with asyncio.timeout(PATIENCE):
            await recogniser.asked.wait()
        listener.hearing.hear(said[1])
        listener.hearing.listen(Endpointing(0.5, 3.0))
        listener.hearing.hear(said[2])
        recogniser.gate.set()
        stream = await listener.stream()
        assert await received(stream, 6 * SECOND) == b"".join(said)
        assert stream.endpointing.get_nowait() == Endpointing(0.5, 3.0)


async def test_a_stream_opened_later_knows_the_newest_silences() -> None:
    async with listening() as listener:
        listener.hearing.listen(Endpointing(0.5, 3.0))
        listener.hearing.hear(bytes(SECOND))
        config = (await listener.stream()).config
        assert (config.min_silence, config.max_silence) == (0.5, 3.0)
