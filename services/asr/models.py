"""The loaded models, each with its scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import numpy as np

from services.asr.engines.engine import SAMPLE_RATE, EngineInfo, Hypothesis, Recognizer, Window
from services.asr.session import Decode
from services.asr.settings import AsrSettings
from services.asr.vad import SileroVad
from services.runtime import metrics
from services.runtime.batching import BatchScheduler, Priority, Scheduled
from services.runtime.engine_health import EngineHealth
from services.runtime.errors import InvalidField, NotFound
from services.runtime.request import Request

_WARM_UP_SECONDS = 2.0
_LISTENING_THREADS = 2
_READING_THREADS = 2


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model."""

    info: EngineInfo
    scheduler: BatchScheduler[Window, Hypothesis]
    health: EngineHealth

    def decoder(self, request: Request, priority: Priority) -> Decode:
        """Decodes windows on behalf of a call: its fair share, its priority, its deadline."""

        async def decode(window: Window, *, patience: float | None) -> Scheduled[Hypothesis]:
            deadline = request.deadline
            if patience is not None:
                soon = asyncio.get_running_loop().time() + patience
                deadline = soon if deadline is None else min(deadline, soon)
            return await self.scheduler.submit(
                window, caller=request.caller, priority=priority, deadline=deadline
            )

        return decode

    def language_code(self, tag: str) -> str:
        """The model's code of a BCP 47 tag: its first subtag.

        Raises:
            InvalidField: The model does not know the language. Named relative to the config.
        """
        code = tag.partition("-")[0].lower()
        if code not in self.info.languages:
            raise InvalidField("language", f"{self.info.name} does not know {tag!r}")
        return code


@dataclass(frozen=True, slots=True)
class Models:
    """What the server recognises with.

    Attributes:
        models: By name, the default first.
        vad: Voice activity for every stream.
        listening: Where voice activity of live streams runs.
        reading: Where recordings are read; live streams do not wait for them.
    """

    models: dict[str, Model]
    vad: SileroVad
    listening: ThreadPoolExecutor
    reading: ThreadPoolExecutor

    def named(self, name: str, field: str) -> Model:
        """A model by its name; the default for "".

        Args:
            name: The name.
            field: The request's field that names it.

        Raises:
            NotFound: There is none of that name.
        """
        if not name:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise NotFound("model", name, field)
        return self.models[name]


@asynccontextmanager
async def serving_models(
    recognizers: Sequence[Recognizer], settings: AsrSettings
) -> AsyncIterator[Models]:
    """Schedulers around loaded engines, warmed up. Closes the engines at the end."""
    async with AsyncExitStack() as stack:
        for recognizer in recognizers:
            stack.callback(recognizer.close)
        listening = ThreadPoolExecutor(_LISTENING_THREADS, thread_name_prefix="asr-listening")
        stack.callback(listening.shutdown)
        reading = ThreadPoolExecutor(_READING_THREADS, thread_name_prefix="asr-reading")
        stack.callback(reading.shutdown)
        vad = await asyncio.to_thread(SileroVad)
        models: dict[str, Model] = {}
        for recognizer in recognizers:
            model = _model(recognizer, settings)
            await stack.enter_async_context(model.scheduler)
            await _warm_up(model.scheduler)
            models[recognizer.info.name] = model
            info = recognizer.info
            metrics.MODEL_MEMORY.labels(info.name, info.device).set(info.memory_bytes)
        yield Models(models, vad, listening, reading)


def _model(recognizer: Recognizer, settings: AsrSettings) -> Model:
    def key(window: Window) -> Hashable:
        return recognizer.batch_key(window)

    async def probe() -> None:
        await _warm_up(scheduler)

    name = f"asr-{recognizer.info.name}"
    health = EngineHealth(name, probe=probe)
    scheduler = BatchScheduler(
        recognizer.decode,
        name=name,
        max_batch_size=settings.max_batch_size,
        max_queue=settings.max_queue,
        max_wait=settings.max_wait_ms / 1000,
        cost=recognizer.cost,
        key=key,
        workers=settings.workers,
        watch=health.report,
    )
    return Model(recognizer.info, scheduler, health)


async def _warm_up(scheduler: BatchScheduler[Window, Hypothesis]) -> None:
    silence = np.zeros(round(_WARM_UP_SECONDS * SAMPLE_RATE), dtype=np.float32)
    await scheduler.submit(Window(silence, final=False))
