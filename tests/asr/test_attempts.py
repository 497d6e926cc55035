"""A doubtful text is decoded again as work of its own, and what is refused costs nothing."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from services.asr.decoding import Decode, Ticket
from services.asr.engines.engine import (
    SAMPLE_RATE,
    EngineInfo,
    Hypothesis,
    Recognizer,
    Window,
    decode_fully,
)
from services.asr.models import serving_models
from services.asr.settings import AsrSettings
from services.runtime.batching import Priority
from services.runtime.errors import Overloaded, Unavailable
from services.runtime.request import Request

SPEECH = np.ones(SAMPLE_RATE, dtype=np.float32)


class Doubtful:
    """An engine whose every attempt has a probability of its own; below 0.5 another is worth it."""

    def __init__(
        self,
        *probabilities: float,
        broken: int | None = None,
        error: type[Exception] = Unavailable,
    ) -> None:
        self.probabilities = probabilities
        self.broken = broken
        self.error = error
        self.batches: list[list[int]] = []
        self.prepared = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.info = EngineInfo("doubtful", "1", "fake", "cpu", ("en",), 1)

    def prepare(self, window: Window) -> Window:
        self.prepared += 1
        return window

    def batch_key(self, window: Window) -> Hashable:
        return window.attempt

    def cost(self, window: Window) -> float:
        return 1.0

    def decode(self, windows: Sequence[Window]) -> Sequence[Hypothesis | Exception]:
        assert self.go_on.wait(10)
        self.batches.append([window.attempt for window in windows])
        if windows[0].attempt == self.broken:
            raise self.error("gone")
        return [
            Hypothesis(f" {w.attempt}", probability=self.probabilities[w.attempt]) for w in windows
        ]

    def again(self, window: Window, best: Hypothesis) -> Window | None:
        last = window.attempt == len(self.probabilities) - 1
        good = best.probability >= 0.5
        return (
            None
            if last or good or not window.final
            else replace(window, attempt=window.attempt + 1)
        )

    def close(self) -> None:
        """There is nothing to release."""


async def heard(engine: Recognizer, window: Window, **settings: object) -> str:
    async with serving_models([engine], AsrSettings(turn_completion=False, **settings)) as models:  # type: ignore[arg-type]
        decode = decoder(models.named("", ""))
        return (await decode(window)).value.text.strip()


async def until(true: Callable[[], bool]) -> None:
    """Waits for the server's threads."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def decoder(model: object) -> Decode:
    return model.decoder(Request(caller="somebody"), Priority.INTERACTIVE, lambda text: text)  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("probabilities", "best", "attempts"),
    [
        ((0.9, 0.9), "0", 1),
        ((0.3, 0.8, 0.9), "1", 2),
        ((0.3, 0.2, 0.1), "0", 3),
        ((0.3, 0.2, 0.4), "2", 3),
    ],
)
async def test_the_best_of_the_attempts_is_told(
    probabilities: Sequence[float], best: str, attempts: int
) -> None:
    engine = Doubtful(*probabilities)
    assert await heard(engine, Window(SPEECH)) == best
    warm_up = 2
    assert engine.batches[warm_up:] == [[attempt] for attempt in range(attempts)]
    # All at once, where nobody schedules it, says the same.
    [whole] = decode_fully(engine, [Window(SPEECH)])
    assert isinstance(whole, Hypothesis)
    assert whole.text.strip() == best


@pytest.mark.parametrize("error", [Unavailable, RuntimeError])
async def test_an_attempt_that_fails_leaves_the_text_there_is(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "services.asr.models")
    assert await heard(Doubtful(0.3, 0.9, broken=1, error=error), Window(SPEECH)) == "0"
    assert "another attempt is left out" in caplog.messages


async def test_another_attempt_can_be_withdrawn_while_it_waits() -> None:
    engine, ticket, other = Doubtful(0.3, 0.9), Ticket(), Ticket()
    async with serving_models([engine], AsrSettings(turn_completion=False)) as models:
        model = models.named("", "")
        decode = decoder(model)
        engine.go_on.clear()
        doubtful = asyncio.create_task(decode(Window(SPEECH), ticket=ticket))
        await until(lambda: ticket.started)
        # Of a class before it, so that the model is busy with it when the other attempt comes.
        next_one = asyncio.create_task(decode(Window(SPEECH, final=False), ticket=other))
        await until(lambda: model.scheduler.waiting == 1)
        engine.go_on.set()
        await until(lambda: not ticket.started)
        doubtful.cancel()
        await asyncio.wait({doubtful, next_one})
        assert doubtful.cancelled()
    assert [1] not in engine.batches


async def test_who_shares_a_batch_with_a_doubtful_window_does_not_wait_for_its_other_attempts() -> (
    None
):
    engine = Doubtful(0.3, 0.9)
    async with serving_models([engine], AsrSettings(turn_completion=False)) as models:
        decode = decoder(models.named("", ""))
        engine.go_on.clear()
        texts = [
            asyncio.create_task(decode(Window(SPEECH, final=final))) for final in (True, False)
        ]
        await until(lambda: engine.prepared == 2)
        engine.go_on.set()
        done, _ = await asyncio.wait(texts, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().value.text for task in done] == [" 0"]
        assert (await texts[0]).value.text == " 1"


async def test_what_is_refused_is_refused_before_it_is_prepared() -> None:
    engine = Doubtful(0.9)
    async with serving_models([engine], AsrSettings(turn_completion=False, max_queue=1)) as models:
        model = models.named("", "")
        decode = decoder(model)
        engine.go_on.clear()
        running = asyncio.create_task(decode(Window(SPEECH)))
        await until(lambda: engine.prepared == 1 and not model.scheduler.waiting)
        waiting = asyncio.create_task(decode(Window(SPEECH)))
        await until(lambda: engine.prepared == 2 and model.scheduler.waiting == 1)
        with pytest.raises(Overloaded):
            await decode(Window(SPEECH))
        assert engine.prepared == 2
        engine.go_on.set()
        await asyncio.gather(running, waiting)
