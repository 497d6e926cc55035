"""The loaded models, each with its scheduler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypedDict

import numpy as np

from services.asr.decoding import Decode, Ticket
from services.asr.engines.engine import (
    SAMPLE_RATE,
    EngineInfo,
    Float32,
    Hypothesis,
    Recognizer,
    Window,
)
from services.asr.enhancement import Enhancement
from services.asr.session import Complete
from services.asr.settings import AsrSettings
from services.asr.turn_completion import TurnCompletion, load_turn_completion
from services.asr.vad import SileroVad
from services.runtime import metrics
from services.runtime.batching import BatchScheduler, Priority, Scheduled
from services.runtime.engine_health import EngineHealth
from services.runtime.errors import NotFound, ServiceError
from services.runtime.logs import log
from services.runtime.queueing import Submission
from services.runtime.request import Request
from services.runtime.threads import in_thread

_SILENT_SECONDS = 2.0
_LISTENING_THREADS = 2
_READING_THREADS = 2
_PREPARING_THREADS = 2
_TELLING_SECONDS = 0.05

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Submitted:
    window: Window
    ticket: Ticket


class _Terms(TypedDict):
    """Keyword arguments of the scheduler's."""

    caller: str
    priority: Priority
    deadline: float | None


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model.

    Attributes:
        info: What it is.
        scheduler: Where its windows wait.
        prepare: What a window needs before it waits.
        preparing: Where that is done: the model's own threads are for the model.
        again: What to decode for a better text, if it needs one.
        health: Whether it works.
    """

    info: EngineInfo
    scheduler: BatchScheduler[_Submitted, Hypothesis]
    prepare: Callable[[Window], Window]
    preparing: ThreadPoolExecutor
    again: Callable[[Window, Hypothesis], Window | None]
    health: EngineHealth

    def promise(
        self, request: Request, asked: Priority, window: Window
    ) -> AbstractContextManager[Submission]:
        """Keeps room for a window like this, or raises what `decoder`'s would."""
        return self.scheduler.promise(
            [_Submitted(window, Ticket())],
            caller=request.caller,
            priority=asked,
            deadline=request.deadline,
        )

    def decoder(
        self,
        request: Request,
        asked: Priority,
        rewrite: Callable[[Hypothesis], Hypothesis],
        promise: Submission | None = None,
    ) -> Decode:
        """Decodes windows on behalf of a call: its fair share, its priority, its deadline.

        Args:
            request: The call.
            asked: The class the call asks for; no window of it goes before that.
            rewrite: What becomes of every hypothesis.
            promise: What was promised to the call.
        """

        async def decode(
            window: Window,
            *,
            priority: Priority = Priority.INTERACTIVE,
            patience: float | None = None,
            ticket: Ticket | None = None,
        ) -> Scheduled[Hypothesis]:
            deadline = request.deadline
            if patience is not None:
                soon = asyncio.get_running_loop().time() + patience
                deadline = soon if deadline is None else min(deadline, soon)
            ticket = ticket or Ticket()
            terms = _Terms(caller=request.caller, priority=max(asked, priority), deadline=deadline)
            with self.scheduler.promise(
                [_Submitted(window, ticket)], promise=promise, **terms
            ) as own:
                prepared = await in_thread(self.preparing, partial(self.prepare, window))
                best = await self.scheduler.submit(
                    _Submitted(prepared, ticket), promise=own, **terms
                )
            if deadline is not None:
                # In time to tell the text there is, should there be no better one by then.
                terms["deadline"] = deadline - _TELLING_SECONDS
            while (again := self.again(prepared, best.value)) is not None:
                prepared = again
                # It waits anew, and costs nothing to withdraw until it has reached the model.
                ticket.started = False
                try:
                    other = await self.scheduler.submit(_Submitted(prepared, ticket), **terms)
                except Exception as error:  # noqa: BLE001 - whatever it is, there is a text
                    _left_out(error, prepared.attempt)
                    break
                best = _better(best, other)
            return replace(best, value=rewrite(best.value))

        return decode


@dataclass(frozen=True, slots=True)
class Models:
    """What the server recognises with.

    Attributes:
        models: By name, the default first.
        vad: Voice activity for every stream.
        enhancement: What is done to audio that a call wants cleaned.
        listening: Where voice activity of live streams runs.
        reading: Where recordings are read; live streams do not wait for them.
        complete: Judges whether turns are complete; None where no model for that is there.
    """

    models: dict[str, Model]
    vad: SileroVad
    enhancement: Enhancement
    listening: ThreadPoolExecutor
    reading: ThreadPoolExecutor
    complete: Complete | None

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
        enhancement = await asyncio.to_thread(Enhancement.load)
        complete = None
        if settings.turn_completion and (judge := await asyncio.to_thread(load_turn_completion)):
            judging = ThreadPoolExecutor(1, thread_name_prefix="asr-judging")
            stack.callback(judging.shutdown)
            complete = _completing(judge, judging)
        preparing = ThreadPoolExecutor(_PREPARING_THREADS, thread_name_prefix="asr-preparing")
        stack.callback(preparing.shutdown)
        models: dict[str, Model] = {}
        for recognizer in recognizers:
            model = _model(recognizer, settings, preparing)
            await stack.enter_async_context(model.scheduler)
            await model.scheduler.warm_up(partial(_hear_silence, model.scheduler))
            models[recognizer.info.name] = model
            info = recognizer.info
            metrics.MODEL_MEMORY.labels(info.name, info.device).set(info.memory_bytes)
        yield Models(models, vad, enhancement, listening, reading, complete)


def _completing(judge: TurnCompletion, executor: ThreadPoolExecutor) -> Complete:
    async def complete(samples: Float32) -> float | None:
        try:
            return await in_thread(executor, partial(judge.probability, samples))
        except Exception:  # a pause without its probability is still a pause
            _logger.exception("whether a turn is complete could not be judged")
            return None

    return complete


def _model(recognizer: Recognizer, settings: AsrSettings, preparing: ThreadPoolExecutor) -> Model:
    def run(batch: Sequence[_Submitted]) -> Sequence[Hypothesis | Exception]:
        for submitted in batch:
            submitted.ticket.started = True
        return recognizer.decode([submitted.window for submitted in batch])

    def key(submitted: _Submitted) -> Hashable:
        return recognizer.batch_key(submitted.window)

    def cost(submitted: _Submitted) -> float:
        return recognizer.cost(submitted.window)

    async def probe() -> None:
        await _hear_silence(scheduler)

    name = f"asr-{recognizer.info.name}"
    health = EngineHealth(name, probe=probe, device=recognizer.info.device)
    scheduler = BatchScheduler(
        health.watched(run),
        name=name,
        max_batch_size=settings.max_batch_size,
        max_batch_seconds=settings.max_batch_ms / 1000,
        max_queue=settings.max_queue,
        max_bytes=settings.max_queue_bytes,
        max_wait=settings.max_wait_ms / 1000,
        cost=cost,
        key=key,
        size=_size,
        workers=settings.workers,
        watch=health.report,
    )
    return Model(
        recognizer.info, scheduler, recognizer.prepare, preparing, recognizer.again, health
    )


def _left_out(error: Exception, attempt: int) -> None:
    level = logging.INFO if isinstance(error, ServiceError) else logging.WARNING
    log(_logger, level, "another attempt is left out", attempt=attempt, cause=error)


def _better(best: Scheduled[Hypothesis], other: Scheduled[Hypothesis]) -> Scheduled[Hypothesis]:
    """The better text, and what both took."""
    value = other.value if other.value.merit > best.value.merit else best.value
    return Scheduled(
        value,
        best.queue_time + other.queue_time,
        best.compute_time + other.compute_time,
        other.batch_size,
    )


def _size(submitted: _Submitted) -> int:
    features = submitted.window.features
    return submitted.window.samples.nbytes + (0 if features is None else features.nbytes)


async def _hear_silence(scheduler: BatchScheduler[_Submitted, Hypothesis]) -> None:
    silence = np.zeros(round(_SILENT_SECONDS * SAMPLE_RATE), dtype=np.float32)
    await scheduler.submit(_Submitted(Window(silence, final=False), Ticket()))
