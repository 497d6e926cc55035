"""What a recording keeps others from while it is read, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from viva.asr.v1 import asr_pb2
from viva.serving.v1 import serving_pb2

from services.asr.engines.engine import SAMPLE_RATE, EngineInfo, Float32, Hypothesis, Window
from services.asr.models import serving_models
from services.asr.servicer import AsrServicer
from services.asr.settings import AsrSettings
from services.asr.vad import FRAME
from services.runtime.batching import BatchScheduler
from services.runtime.errors import DeadlineTooShort
from services.runtime.request import Request, set_current_request
from tests.runtime import virtual_time

READING = 0.2
"""Seconds that a block of a recording takes to be read."""


class Thread(Executor):
    """Is through with whatever it is given after so long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        asyncio.get_running_loop().call_later(
            self._seconds, future.set_result, work(*given, **named)
        )
        return future


class Engine:
    """Takes a second for a second of audio."""

    info = EngineInfo("fake", "1", "fake", "cpu", ("en",), 1)

    def prepare(self, window: Window) -> Window:
        return window

    def batch_key(self, window: Window) -> Hashable:
        return None

    def cost(self, window: Window) -> float:
        return len(window.samples) / SAMPLE_RATE

    def decode(self, windows: Sequence[Window]) -> Sequence[Hypothesis | Exception]:
        virtual_time.spend(sum(self.cost(window) for window in windows))
        return [Hypothesis(" said", language="en", probability=0.9) for _ in windows]

    def again(self, window: Window, best: Hypothesis) -> Window | None:
        return None

    def close(self) -> None:
        """There is nothing to release."""


class Ear:
    """Hears speech wherever there is sound, and sees who waits before each block."""

    def __init__(self) -> None:
        self.scheduler: BatchScheduler[object, object] | None = None
        self.waiting: list[int] = []

    def stream(self) -> Ear:
        return self

    def feed(self, samples: Float32) -> Float32:
        assert self.scheduler is not None
        self.waiting.append(self.scheduler.waiting)
        frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
        return np.where(np.abs(frames).max(axis=1, initial=0) > 0.1, 0.9, 0.1).astype(np.float32)


Recognize = Callable[[Float32, float], Coroutine[Any, Any, str]]


def serve(script: Callable[[Recognize, Ear], Awaitable[None]]) -> None:
    """Plays a script with an idle recogniser."""

    async def played() -> None:
        settings = AsrSettings(turn_completion=False)
        ear = Ear()
        async with serving_models([Engine()], settings) as models:
            model = replace(models.named("", ""), preparing=Thread(0.0))  # type: ignore[arg-type]
            ear.scheduler = model.scheduler  # type: ignore[assignment]
            served = replace(models, models={"": model}, vad=ear, reading=Thread(READING))  # type: ignore[arg-type]
            servicer = AsrServicer(served, settings)

            async def recognise(samples: Float32, within: float) -> str:
                due = asyncio.get_running_loop().time() + within
                set_current_request(Request(deadline=due))
                request = asr_pb2.RecognizeRequest(
                    audio=(samples * 32767).astype("<i2").tobytes(),
                    format=serving_pb2.AudioFormat(
                        encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE,
                        sample_rate_hz=SAMPLE_RATE,
                        channels=1,
                    ),
                )
                return (await servicer.Recognize(request, None)).text

            await script(recognise, ear)

    virtual_time.run(played())


def quiet(seconds: float) -> Float32:
    return np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)


def loud(seconds: float) -> Float32:
    samples = np.arange(round(seconds * SAMPLE_RATE))
    return (np.sin(samples / 10) / 2).astype(np.float32)


def test_a_silent_recording_keeps_a_place_for_its_first_block_alone() -> None:
    async def script(recognise: Recognize, ear: Ear) -> None:
        assert await recognise(quiet(60), 300.0) == ""
        assert ear.waiting[:6] == [1, 0, 0, 0, 0, 0]

    serve(script)


def test_who_speaks_from_the_beginning_keeps_the_place_until_it_is_known_what_for() -> None:
    async def script(recognise: Recognize, ear: Ear) -> None:
        assert await recognise(np.concatenate((loud(22), quiet(8))), 300.0) == "said"
        assert ear.waiting[:3] == [1, 1, 1]

    serve(script)


@pytest.mark.slow
def test_short_calls_are_answered_while_silent_recordings_are_read() -> None:
    async def script(recognise: Recognize, ear: Ear) -> None:
        long = [asyncio.create_task(recognise(quiet(600), 200.0)) for _ in range(4)]
        await asyncio.sleep(1.0)
        for _ in range(4):
            assert await recognise(np.concatenate((loud(1), quiet(1))), 4.0) == "said"
        assert not any(task.done() for task in long)
        assert await asyncio.gather(*long) == [""] * 4

    serve(script)


def test_a_recording_of_little_speech_has_no_need_of_the_time_that_all_speech_would() -> None:
    async def script(recognise: Recognize, ear: Ear) -> None:
        some = np.concatenate((quiet(10), loud(1), quiet(19)))
        assert await recognise(some, 5.0) == "said"
        # What no recording could be answered in is refused before it is read, but for a trial of a
        # server that had nothing to do for a while.
        assert await recognise(np.concatenate((quiet(29), loud(1))), 5.0) == "said"
        ear.waiting.clear()
        with pytest.raises(DeadlineTooShort):
            await recognise(some, 0.1)
        assert ear.waiting == []

    serve(script)
