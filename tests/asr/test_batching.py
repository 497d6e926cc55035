"""How well live streams share batches: real streams, scheduler and keys, a simulated model."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Hashable, Sequence

import numpy as np

from services.asr.decoding import Ticket
from services.asr.endpointing import EndpointingConfig
from services.asr.engines.engine import SAMPLE_RATE, Hypothesis, Window
from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2, length_class
from services.asr.session import Session, StreamConfig
from services.asr.stream_input import Heard, Input
from services.asr.vad import FRAME
from services.runtime.batching import BatchScheduler, Priority, Scheduled
from tests.runtime import virtual_time

STREAMS = 64
SECONDS = 24.0
MESSAGE = 4
"""Frames in a message."""
HINTS = (
    (),
    ("Kafka", "Redis", "backpressure"),
    tuple(f"service {number}" for number in range(16)),
)


def words_of(window: Window) -> Hypothesis:
    """What the simulated model hears: two words a second, one answer in five doubtful."""
    count = int(2 * window.seconds)
    text = "".join(f" word{number}" for number in range(count))
    doubtful = window.final and len(window.samples) % 5 == 0
    return Hypothesis(text, (), "en", 0.99, 0.55 if doubtful else 0.9)


class Simulated:
    """A model whose time is that of a large one on a GPU: mostly the steps of the decoder, which a
    batch shares, and a little for each window."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        self.batches.append(len(windows))
        padded = max(window.seconds for window in windows)
        virtual_time.spend(0.2 + 0.005 * padded + 0.004 * len(windows))
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


async def listen(
    number: int, base: WhisperCTranslate2, scheduler: BatchScheduler[Window, Hypothesis]
) -> int:
    chance = random.Random(number)
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


async def converse(base: WhisperCTranslate2, model: Simulated) -> list[int]:
    async with BatchScheduler(
        model.run,
        name="asr-simulated",
        max_batch_size=64,
        max_queue=4 * STREAMS,
        cost=base.cost,
        key=lambda window: window_key(base, window, "cuda"),
    ) as scheduler:
        return await asyncio.gather(*(listen(n, base, scheduler) for n in range(STREAMS)))


def test_sixty_four_mixed_streams_share_batches_of_eight_and_more(
    base: WhisperCTranslate2,
) -> None:
    model = Simulated()
    ends = virtual_time.run(converse(base, model))
    assert min(ends) >= 1
    assert sum(model.batches) / len(model.batches) >= 8
