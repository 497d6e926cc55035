"""How well live streams share batches: real streams, scheduler and keys, a simulated model.

Simulated are the people (turns of half a second to fourteen with pauses, half of them in a language
that is not named, a third each without hints, with few and with many), what the model hears, and
its time. Counted are the batches while all of them are in conversation. A stream has one window in
work at a time and lets the model rest twice as long as its share of the last preview, so the size
of batches follows from how many people speak and how busy the model is: one that has time to spare
takes fewer at once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Hashable, Sequence

import numpy as np
import pytest

from services.asr.decoding import Ticket
from services.asr.endpointing import EndpointingConfig
from services.asr.engines.engine import SAMPLE_RATE, Hypothesis, HypothesisWord, Window
from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2, length_class
from services.asr.session import Session, StreamConfig
from services.asr.stream_input import Heard, Input
from services.asr.vad import FRAME
from services.runtime.batching import BatchScheduler, Priority, Scheduled
from tests.runtime import virtual_time

pytestmark = pytest.mark.slow

SECONDS = 12.0
SETTLED = 3.0
"""Seconds after which every stream is in conversation."""
MESSAGE = 4
"""Frames in a message."""
HINTS = (
    (),
    ("Kafka", "Redis", "backpressure"),
    tuple(f"service {number}" for number in range(16)),
)


def words_of(window: Window) -> Hypothesis:
    """What the simulated model hears: two words a second, one answer in five doubtful."""
    words = tuple(
        HypothesisWord(f" word{number}", number / 2, number / 2 + 0.4, 0.9)
        for number in range(int(2 * window.seconds))
    )
    text = "".join(word.text for word in words)
    doubtful = window.final and len(window.samples) % 5 == 0
    given = words if window.word_offsets else ()
    return Hypothesis(text, given, "en", 0.99, 0.55 if doubtful else 0.9)


class Simulated:
    """A model that takes most of its time for the steps of the decoder, which a batch shares, and a
    little for each window and for the longest."""

    def __init__(self, step: float) -> None:
        """Makes a model.

        Args:
            step: Seconds that a batch takes whatever is in it.
        """
        self.batches: list[int] = []
        self._step = step

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        if SETTLED <= asyncio.get_running_loop().time() <= SECONDS:
            self.batches.append(len(windows))
        padded = max(window.seconds for window in windows)
        virtual_time.spend(self._step * (1 + padded / 40 + len(windows) / 50))
        return [words_of(window) for window in windows]


async def speak(chance: random.Random) -> AsyncGenerator[Input, None]:
    """Turns of half a second to fourteen, with pauses between; in real (virtual) time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + SECONDS
    await asyncio.sleep(chance.uniform(0, 3))
    while loop.time() < end:
        turn = min(14.0, 0.5 + chance.expovariate(1 / 4.0))
        for probability, length in ((0.9, turn), (0.1, chance.uniform(0.8, 3.0))):
            for _ in range(round(length * SAMPLE_RATE / FRAME / MESSAGE)):
                await asyncio.sleep(MESSAGE * FRAME / SAMPLE_RATE)
                yield Heard(
                    np.zeros(MESSAGE * FRAME, dtype=np.float32),
                    np.full(MESSAGE, probability, dtype=np.float32),
                )


async def listen(number: int, seed: int, scheduler: BatchScheduler[Window, Hypothesis]) -> int:
    chance = random.Random(1000 * seed + number)
    config = StreamConfig(
        endpointing=EndpointingConfig(),
        languages=("en",) if number % 2 else (),
        hints=HINTS[number % 3],
        word_offsets=number % 4 == 0,
    )

    async def decode(
        window: Window,
        *,
        priority: Priority = Priority.INTERACTIVE,
        patience: float | None = None,
        ticket: Ticket | None = None,
    ) -> Scheduled[Hypothesis]:
        deadline = None if patience is None else asyncio.get_running_loop().time() + patience
        return await scheduler.submit(
            window, caller=f"caller-{number}", priority=priority, deadline=deadline
        )

    ends = 0
    async with Session(config, speak(chance), decode) as session:
        async for told in session.events():
            ends += type(told.event).__name__ == "EndOfTurn"
    return ends


def window_key(base: WhisperCTranslate2, window: Window, device: str) -> Hashable:
    """The key that an engine on that device gives."""
    return length_class(window.seconds, device), base.batch_key(window)[1]


async def converse(
    base: WhisperCTranslate2, model: Simulated, device: str, streams: int, seed: int
) -> list[int]:
    async with BatchScheduler(
        model.run,
        name="asr-simulated",
        max_batch_size=64,
        max_queue=4 * streams,
        cost=base.cost,
        key=lambda window: window_key(base, window, device),
    ) as scheduler:
        return await asyncio.gather(*(listen(n, seed, scheduler) for n in range(streams)))


def mean_batch(
    base: WhisperCTranslate2, device: str, *, streams: int, step: float, seed: int
) -> float:
    """The mean size of batches; every stream is told the end of a turn at least."""
    model = Simulated(step)
    ends = virtual_time.run(converse(base, model, device, streams, seed))
    assert min(ends) >= 1
    return sum(model.batches) / len(model.batches)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_windows_of_sixty_four_mixed_streams_share_batches_of_eight_and_more_on_a_gpu(
    base: WhisperCTranslate2, seed: int
) -> None:
    assert mean_batch(base, "cuda", streams=64, step=0.2, seed=seed) >= 8


@pytest.mark.parametrize(("device", "step", "least"), [("cuda", 0.1, 5.5), ("cpu", 0.2, 4)])
def test_a_model_with_time_to_spare_and_the_length_classes_of_a_cpu_make_smaller_batches(
    base: WhisperCTranslate2, device: str, step: float, least: float
) -> None:
    assert mean_batch(base, device, streams=64, step=step, seed=3) >= least
