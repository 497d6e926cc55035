"""A real model that goes wrong now and then, behind its scheduler: what a stream makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from services.asr.decoding import decode_final
from services.asr.endpointing import EndpointingConfig
from services.asr.engines.engine import SAMPLE_RATE, EngineInfo, Hypothesis, Window
from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2
from services.asr.models import Model, serving_models
from services.asr.session import Session, StreamConfig
from services.asr.settings import AsrSettings
from services.asr.stream_input import Heard, Input
from services.asr.transcript import EndOfTurn, TurnEvent
from services.asr.vad import SileroVad
from services.runtime.batching import Priority, Scheduled
from services.runtime.engine_health import EngineHealth
from services.runtime.request import Request
from tests.asr.audio import read_wav, silence, words
from tests.recordings import librivox

pytestmark = pytest.mark.slow


_WARMING_UP = 2


class Flaky:
    """The real engine; `goes_wrong` says in which batches, counted from 1, it raises."""

    def __init__(
        self, engine: WhisperCTranslate2, goes_wrong: Callable[[Sequence[Window], int], bool]
    ) -> None:
        self._engine = engine
        self._goes_wrong = goes_wrong
        self._batches = 0
        self._loop = asyncio.get_running_loop()
        self.errors = 0
        self.previewed = asyncio.Event()

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    def prepare(self, window: Window) -> Window:
        return self._engine.prepare(window)

    def batch_key(self, window: Window) -> Hashable:
        return self._engine.batch_key(window)

    def cost(self, window: Window) -> float:
        return self._engine.cost(window)

    def decode(self, windows: Sequence[Window]) -> Sequence[Hypothesis | Exception]:
        self._batches += 1
        # The first batches warm the model up.
        warm = self._batches > _WARMING_UP
        if warm:
            self._loop.call_soon_threadsafe(self.previewed.set)
        if warm and self._goes_wrong(windows, self._batches):
            self.errors += 1
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return self._engine.decode(windows)

    def again(self, window: Window, best: Hypothesis) -> Window | None:
        return self._engine.again(window, best)

    def close(self) -> None:
        """The fixture's engine lives on."""


async def listen(engine: Flaky, vad: SileroVad) -> list[TurnEvent]:
    samples = np.concatenate([read_wav(librivox()[0].path), silence(1)])

    async def inputs() -> AsyncGenerator[Input, None]:
        ear = vad.stream()
        for start in range(0, len(samples), 1600):
            piece = samples[start : start + 1600]
            yield Heard(piece, ear.feed(piece))
            if start == 3 * SAMPLE_RATE:
                # What is said so far is worth a preview.
                async with asyncio.timeout(30):
                    await engine.previewed.wait()

    settings = AsrSettings(turn_completion=False)
    async with serving_models([engine], settings) as models:
        [model] = models.models.values()
        decode = model.decoder(Request(caller="me"), Priority.INTERACTIVE, lambda said: said)
        config = StreamConfig(EndpointingConfig(), languages=("en",))
        async with Session(config, inputs(), decode) as session:
            return [told async for told in session.events()]


def final_texts(events: Sequence[TurnEvent]) -> list[str]:
    return [told.event.transcript.text for told in events if isinstance(told.event, EndOfTurn)]


async def test_errors_in_previews_cost_no_final(base: WhisperCTranslate2, vad: SileroVad) -> None:
    engine = Flaky(base, lambda windows, _: not any(window.final for window in windows))
    events = await listen(engine, vad)
    assert engine.errors >= 1
    assert "leisure" in words(" ".join(final_texts(events)))


async def test_a_final_that_went_wrong_is_decoded_again(
    base: WhisperCTranslate2, vad: SileroVad
) -> None:
    wrong = 0

    def first_finals(windows: Sequence[Window], _: int) -> bool:
        nonlocal wrong
        if wrong < 2 and any(window.final for window in windows):
            wrong += 1
            return True
        return False

    events = await listen(Flaky(base, first_finals), vad)
    assert "leisure" in words(" ".join(final_texts(events)))


async def test_a_model_that_never_works_is_told(base: WhisperCTranslate2, vad: SileroVad) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await listen(Flaky(base, lambda _windows, _number: True), vad)
    assert isinstance(caught.value.exceptions[0], RuntimeError)


class Recorder:
    """A scheduler's place: what windows are submitted with."""

    def __init__(self) -> None:
        self.submitted: list[tuple[Priority, float | None]] = []

    @contextmanager
    def promise(self, items: object, **terms: object) -> Iterator[None]:
        yield

    async def submit(
        self,
        item: object,
        *,
        caller: str,
        priority: Priority,
        deadline: float | None,
        promise: object,
    ) -> Scheduled[Hypothesis]:
        self.submitted.append((priority, deadline))
        return Scheduled(Hypothesis(" hello"), 0.0, 0.0, 1)


async def works() -> None:
    """A probe that finds nothing wrong."""


@pytest.mark.parametrize(
    ("asked", "final", "preview"),
    [
        (Priority.INTERACTIVE, Priority.INTERACTIVE, Priority.PREVIEW),
        (Priority.SPECULATIVE, Priority.SPECULATIVE, Priority.SPECULATIVE),
        (Priority.BATCH, Priority.BATCH, Priority.BATCH),
    ],
)
async def test_finals_go_first_with_a_deadline_of_their_own(
    base: WhisperCTranslate2, asked: Priority, final: Priority, preview: Priority
) -> None:
    scheduler = Recorder()
    now = asyncio.get_running_loop().time()
    call = Request(caller="me", deadline=now + 4 * 3600)
    with ThreadPoolExecutor(1) as preparing:
        health = EngineHealth("asr", probe=works)
        model = Model(
            base.info,
            scheduler,  # type: ignore[arg-type]
            lambda window: window,
            preparing,
            lambda window, best: None,
            health,
        )
        decode = model.decoder(call, asked, lambda said: said)
        window = Window(silence(1))
        await decode_final(decode, window)
        await decode(window, priority=Priority.PREVIEW, patience=2.0)
        await decode(window)
    classes = [priority for priority, _ in scheduler.submitted]
    assert classes == [final, preview, asked]
    left = [deadline - now for _, deadline in scheduler.submitted if deadline is not None]
    assert left == [pytest.approx(10, abs=1), pytest.approx(2, abs=1), pytest.approx(4 * 3600)]
