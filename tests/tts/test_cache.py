"""Lines made once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from services.runtime.batching import Priority
from services.runtime.errors import DeadlineExpired, Overloaded
from services.tts.cache import FREE, Cost, Make, SpeechCache
from services.tts.speech import Speech, TokenSpan

COST = Cost(0.1, 0.2, 1)


def speech(samples: int = 1000) -> Speech:
    return Speech(np.full(samples, 0.5, np.float32), 24_000, (TokenSpan(0, 1, 2),))


class Maker:
    """Counts what it makes, and waits to be let go."""

    def __init__(self, result: Speech | Exception | None = None, *, held: bool = False) -> None:
        self.made = 0
        self.cancelled = 0
        self.started = asyncio.Event()
        self.go = asyncio.Event()
        self._result = result or speech()
        if not held:
            self.go.set()

    async def __call__(self) -> tuple[Speech, Cost]:
        self.made += 1
        self.started.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self._result, Exception):
            raise self._result
        return self._result, COST


async def test_the_second_time_is_free() -> None:
    cache, maker = SpeechCache(10_000_000), Maker()

    first = await cache.get("a", maker)
    second = await cache.get("a", maker)

    assert first[1] == COST
    assert second[1] == FREE
    assert second[0] is first[0]
    assert maker.made == 1


async def test_simultaneous_callers_share_one_synthesis() -> None:
    cache, maker = SpeechCache(10_000_000), Maker(held=True)

    async with asyncio.TaskGroup() as tasks:
        callers = [tasks.create_task(cache.get("a", maker)) for _ in range(5)]
        await maker.started.wait()
        maker.go.set()

    assert maker.made == 1
    assert sorted(caller.result()[1].batch_size for caller in callers) == [0, 0, 0, 0, 1]


async def test_memory_is_bounded_and_the_least_used_goes_first() -> None:
    cache, maker = SpeechCache(13_000), Maker()
    for key in ("a", "b", "c"):
        await cache.get(key, maker)
    await cache.get("a", maker)
    await cache.get("d", maker)

    assert cache.held_bytes <= 13_000
    made = maker.made
    await cache.get("a", maker)
    assert maker.made == made
    await cache.get("b", maker)
    assert maker.made == made + 1


async def test_a_caller_who_leaves_does_not_take_the_others_with_him() -> None:
    cache, maker = SpeechCache(10_000_000), Maker(held=True)
    leaver = asyncio.create_task(cache.get("a", maker))
    await maker.started.wait()
    stayer = asyncio.create_task(cache.get("a", maker))
    await asyncio.sleep(0)

    leaver.cancel()
    await asyncio.wait([leaver])
    maker.go.set()

    assert (await stayer)[0].seconds > 0
    assert maker.cancelled == 0


async def test_the_last_caller_who_leaves_stops_the_work() -> None:
    cache, maker = SpeechCache(10_000_000), Maker(held=True)
    caller = asyncio.create_task(cache.get("a", maker))
    await maker.started.wait()

    caller.cancel()
    await asyncio.wait([caller])
    await asyncio.sleep(0)

    assert maker.cancelled == 1
    maker.go.set()
    assert (await cache.get("a", maker))[1] == COST


@pytest.mark.parametrize("error", [DeadlineExpired(), Overloaded("busy")])
async def test_anothers_deadline_is_not_ones_own(error: Exception) -> None:
    cache = SpeechCache(10_000_000)
    hurried, patient = Maker(error, held=True), Maker()
    first = asyncio.create_task(cache.get("a", hurried))
    await hurried.started.wait()
    second = asyncio.create_task(cache.get("a", patient))
    await asyncio.sleep(0)
    hurried.go.set()

    with pytest.raises(type(error)):
        await first
    assert (await second)[1] == COST


async def test_failures_are_not_kept() -> None:
    cache = SpeechCache(10_000_000)

    with pytest.raises(ValueError, match="broken"):
        await cache.get("a", Maker(ValueError("broken")))

    assert (await cache.get("a", Maker()))[1] == COST


async def test_batch_work_does_not_hold_up_an_interactive_caller() -> None:
    cache, slow, quick = SpeechCache(10_000_000), Maker(held=True), Maker()
    patient = asyncio.create_task(cache.get("a", slow, priority=Priority.BATCH))
    await slow.started.wait()

    assert (await cache.get("a", quick))[1] == COST
    slow.go.set()
    await patient


async def test_frequent_lines_outlive_the_process(tmp_path: Path) -> None:
    maker, never = Maker(), Maker(ValueError("made again"))
    await SpeechCache(10_000_000, tmp_path).keep("a", maker)

    fresh = SpeechCache(10_000_000, tmp_path)
    await fresh.keep("a", never)
    found, cost = await fresh.get("a", never)

    assert cost == FREE
    assert found.spans == speech().spans
    np.testing.assert_array_equal(found.samples, speech().samples)


async def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"not an archive")
    maker: Maker = Maker()
    make: Make = maker

    await SpeechCache(10_000_000, tmp_path).keep("a", make)

    assert maker.made == 1


async def test_what_callers_say_is_never_written_down(tmp_path: Path) -> None:
    await SpeechCache(10_000_000, tmp_path).get("a", Maker())

    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []
