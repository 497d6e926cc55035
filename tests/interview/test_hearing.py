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
    SpeechLost,
    TurnEnded,
)
from services.interview.conversation import hearing as module
from services.interview.conversation.clock import AudioTimeline, InterviewClock
from services.interview.conversation.hearing import Hearing
from services.interview.conversation.recogniser_watch import BYTES_PER_SECOND
from tests.interview.stage import PATIENCE, FakeRecogniser, FakeStream
from tests.runtime.virtual_time import run

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


async def test_a_turn_under_way_when_the_one_before_is_told_is_heard_by_the_next_stream() -> None:
    async with listening() as listener:
        listener.hearing.hear(bytes(SECOND))
        first = await listener.stream()
        second_answer = b"\2\0" * (SECOND // 4)
        for audio in (b"\1\0" * SECOND, *[second_answer] * 6):
            listener.hearing.hear(audio)
        await received(first, 6 * SECOND)
        # The first answer's text was long in the making, and the server ends right behind it.
        first.heard.put_nowait(SpeechBegan(1.0))
        first.heard.put_nowait(TurnEnded("Yes.", (), 1.0, 3.0))
        async with asyncio.timeout(PATIENCE):
            while not isinstance(await listener.heard.get(), TurnEnded):
                pass
        listener.hearing.hear(second_answer)
        first.heard.put_nowait(DependencyFailed("asr", "DRAINING"))
        again = await listener.stream()
        assert await received(again, 7 * SECOND // 2) == second_answer * 7


def test_between_turns_only_the_last_moment_is_kept() -> None:
    async def main() -> bytes:
        async with listening() as listener:
            listener.hearing.hear(bytes(SECOND))
            first = await listener.stream()
            first.heard.put_nowait(SpeechBegan(0.0))
            first.heard.put_nowait(TurnEnded("Yes.", (), 0.0, 1.0))
            for number in range(2, 12):
                listener.hearing.hear(bytes([number, 0]) * (SECOND // 2))
                await asyncio.sleep(1.0)
            first.heard.put_nowait(DependencyFailed("asr", "UNAVAILABLE"))
            second = await listener.stream()
            await asyncio.sleep(1.0)
            return b"".join(second.sent.get_nowait() for _ in range(second.sent.qsize()))

    assert run(main()) == b"\x0b\0" * (SECOND // 2)


@pytest.mark.parametrize("sent", [True, False], ids=["before the break", "without a stream"])
async def test_a_turn_that_was_finished_is_finished_by_the_next_stream(sent: bool) -> None:
    async with listening() as listener:
        listener.hearing.hear(b"\1\0" * (SECOND // 2))
        first = await listener.stream()
        await received(first, SECOND)
        first.heard.put_nowait(SpeechBegan(0.0))
        await listener.heard.get()
        if sent:
            listener.hearing.finish_turn()
            await asyncio.wait_for(first.finalized.wait(), PATIENCE)
        first.heard.put_nowait(DependencyFailed("asr", "UNAVAILABLE"))
        assert isinstance(await listener.heard.get(), SpeechLost)
        if not sent:
            listener.hearing.finish_turn()
        second = await listener.stream()
        assert await received(second, SECOND) == b"\1\0" * (SECOND // 2)
        await asyncio.wait_for(second.finalized.wait(), PATIENCE)
        # Once answered it is not repeated.
        second.heard.put_nowait(SpeechBegan(0.0))
        second.heard.put_nowait(TurnEnded("Yes.", (), 0.0, 1.0))
        async with asyncio.timeout(PATIENCE):
            while not isinstance(await listener.heard.get(), TurnEnded):
                pass
        listener.hearing.hear(b"\2\0" * (SECOND // 2))
        second.heard.put_nowait(DependencyFailed("asr", "UNAVAILABLE"))
        third = await listener.stream()
        assert await received(third, SECOND) == b"\2\0" * (SECOND // 2)
        assert not third.finalized.is_set()


def test_a_fault_in_finding_out_whether_it_works_again_is_not_swallowed() -> None:
    async def main() -> None:
        recogniser = FakeRecogniser()
        listener = Listener(recogniser)

        async def faulty() -> None:
            raise RuntimeError("a fault of our own")

        listener.hearing._recovered = faulty
        recogniser.broken = True
        running = asyncio.create_task(listener.hearing.run())
        listener.hearing.hear(bytes(SECOND))
        await listener.failures.get()
        recogniser.broken = False
        with pytest.raises(RuntimeError, match="a fault of our own"):
            async with asyncio.timeout(60.0):
                await running

    run(main())
