"""Speaks phrases: what to ask of which engine, through cache and scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self

import numpy as np
import soxr

from services.runtime.batching import BatchScheduler, Priority
from services.runtime.engine_health import EngineHealth
from services.runtime.errors import DeadlineExpired, InvalidFields
from services.tts.cache import Cost, SpeechCache
from services.tts.loudness import limit
from services.tts.normalization import Token, Utterance
from services.tts.pacing import pause_after, trim
from services.tts.pronunciation import word_key
from services.tts.speech import (
    Delivery,
    Model,
    Reference,
    Speech,
    SpeechRequest,
    Synthesizer,
    TokenSpan,
    Voice,
)
from services.tts.styles import MANNERS, Style
from services.tts.voices import VoiceBook
from services.tts.voices_in_use import Use, VoicesInUse

_PROBE = Utterance((Token("Ready", 0, "ready", "."),))


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """How a caller wants to be spoken for.

    Attributes:
        voice: Who; None leaves it to the text's language.
        language: BCP 47 tag; None detects it.
        style: How the text is meant.
        speed: Relative to the voice's own.
        pitch_semitones: Shift.
        pronunciations: IPA by `word_key`.
        reference: A voice to imitate.
        temperature, top_k, top_p, seed: For engines that sample.
        priority: The scheduler's class.
    """

    voice: Voice | None = None
    language: str | None = None
    style: Style = Style.NEUTRAL
    speed: float = 1.0
    pitch_semitones: float = 0.0
    pronunciations: tuple[tuple[str, str], ...] = ()
    reference: Reference | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    priority: Priority = Priority.INTERACTIVE


@dataclass(frozen=True, slots=True)
class Spoken:
    """A spoken phrase.

    Attributes:
        utterance: What was said.
        speech: The audio, trimmed and levelled.
        pause: Seconds of silence before the next phrase.
        cost: What it took.
        model: Who did it.
    """

    utterance: Utterance
    speech: Speech
    pause: float
    cost: Cost
    model: Model


@dataclass(frozen=True, slots=True)
class _Line:
    """An item of the scheduler: a request, and the pitch shift done after the engine."""

    request: SpeechRequest
    pitch_semitones: float


def _size(line: _Line) -> int:
    text, voice = line.request.utterance.text, line.request.reference
    return sys.getsizeof(text) + (0 if voice is None else voice.samples.nbytes)


class Speaker:
    """Speaks for all callers. Use it as an async context manager."""

    def __init__(
        self,
        book: VoiceBook,
        engines: Sequence[Synthesizer],
        cache: SpeechCache,
        gains: Mapping[str, float],
        *,
        in_use: VoicesInUse | None = None,
        max_queue: int = 256,
        max_queue_bytes: float = math.inf,
    ) -> None:
        """Sets up one scheduler an engine, so that a slow one does not hold up another.

        Args:
            book: Who can speak.
            engines: The engines behind the voices.
            cache: Lines made before.
            gains: The linear gain of each voice.
            in_use: Where it is noted who speaks in which style.
            max_queue: Most phrases waiting for an engine.
            max_queue_bytes: Most memory that these hold, voices to imitate included.
        """
        self.book = book
        self._engines = engines
        self._in_use = in_use
        self._live = 0
        self._last_live = -math.inf
        self._cache = cache
        self._gains = gains
        self.health = {
            id(engine): EngineHealth(
                f"tts-{engine.model.name}",
                probe=partial(self._say_something, engine),
                device=engine.model.device,
            )
            for engine in engines
        }
        self._schedulers = {
            id(engine): BatchScheduler[_Line, Speech](
                self.health[id(engine)].watched(_Runner(engine, gains).run),
                name=f"tts-{engine.model.name}",
                max_batch_size=engine.max_batch_size,
                max_queue=max_queue,
                max_bytes=max_queue_bytes,
                size=_size,
                # A phrase a caller waits for gains nothing from company that a CPU cannot use.
                max_wait=0.003 if engine.max_batch_size > 1 else 0.0,
                cost=lambda line: float(len(line.request.utterance.text)),
                key=_batch_key,
                watch=self.health[id(engine)].report,
            )
            for engine in engines
        }
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for scheduler in self._schedulers.values():
            await self._stack.enter_async_context(scheduler)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def warm_up(self) -> None:
        """Has every engine speak before the first caller comes."""
        for engine in self._engines:
            say_something = partial(self._say_something, engine)
            await self._schedulers[id(engine)].warm_up(say_something)

    async def speak(
        self,
        utterance: Utterance,
        voice: Voice,
        options: SpeechOptions,
        *,
        caller: str = "",
        deadline: float | None = None,
    ) -> Spoken:
        """Speaks one phrase.

        Args:
            utterance: What.
            voice: Who.
            options: How; its own voice is not looked at.
            caller: Who shares the engine fairly with others.
            deadline: On the event loop's clock, in seconds.

        Raises:
            Overloaded: It cannot be done in time.
            DeadlineExpired: The deadline passed first.
        """
        line = _line(utterance, voice, options)
        engine = self.book.engine(voice)
        if self._in_use is not None and _is_plain(options):
            self._in_use.note(Use(voice.id, options.style))

        async def make() -> tuple[Speech, Cost]:
            with self._speaking():
                done = await self._schedulers[id(engine)].submit(
                    line, caller=caller, priority=options.priority, deadline=deadline
                )
            return done.value, Cost(done.queue_time, done.compute_time, done.batch_size)

        limit_ = asyncio.timeout_at(deadline)
        try:
            async with limit_:
                speech, cost = await self._cache.get(
                    self._key(line, engine), make, priority=options.priority
                )
        except TimeoutError:
            if limit_.expired():
                raise DeadlineExpired from None
            raise
        manner = MANNERS[options.style]
        pause = pause_after(utterance.ending, factor=manner.pause, speed=options.speed)
        return Spoken(utterance, speech, pause, cost, engine.model)

    async def keep(
        self, utterance: Utterance, voice: Voice, options: SpeechOptions, *, quiet: float = 0.0
    ) -> None:
        """Has a frequent line ready, spoken as a request with these options would be.

        Args:
            utterance: What.
            voice: Who.
            options: How.
            quiet: Seconds without a live request to wait for, if it has to be made.
        """
        line = _line(utterance, voice, options)
        engine = self.book.engine(voice)
        key = self._key(line, engine)
        if self._cache.keeps(key):
            return

        async def make() -> tuple[Speech, Cost]:
            await self._quiet(quiet)
            done = await self._schedulers[id(engine)].submit(line, priority=Priority.BATCH)
            return done.value, Cost(done.queue_time, done.compute_time, done.batch_size)

        await self._cache.keep(key, make)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        self._live += 1
        try:
            yield
        finally:
            self._live -= 1
            self._last_live = asyncio.get_running_loop().time()

    async def _quiet(self, seconds: float) -> None:
        """Waits until there has been no live request for some time."""
        clock = asyncio.get_running_loop().time
        # Time itself is waited for.
        while (left := seconds if self._live else self._last_live + seconds - clock()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)

    async def _say_something(self, engine: Synthesizer) -> None:
        line = _line(_PROBE, engine.voices[0], SpeechOptions())
        # A voice that wants a reference says so, which takes no less of an engine.
        with contextlib.suppress(InvalidFields):
            await self._schedulers[id(engine)].submit(line)

    def _key(self, line: _Line, engine: Synthesizer) -> str:
        request = line.request
        said = [(token.spoken, token.after) for token in request.utterance.tokens]
        # A pronunciation applies to the written word, which is not part of what is said.
        given = dict(request.pronunciations)
        places = [given.get(word_key(token.written)) for token in request.utterance.tokens]
        parts = (
            engine.model.name,
            engine.model.version,
            request.voice,
            request.delivery,
            line.pitch_semitones,
            request.reference.digest if request.reference else None,
            round(self._gains.get(request.voice, 1.0), 3),
            said,
            places if given else None,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def _line(utterance: Utterance, voice: Voice, options: SpeechOptions) -> _Line:
    manner = MANNERS[options.style]
    pitch = options.pitch_semitones
    if voice.pitch_control:
        pitch += manner.pitch_semitones
    varied = voice.samples_timbre
    present = {word_key(token.written) for token in utterance.tokens}
    return _Line(
        SpeechRequest(
            utterance,
            voice.id,
            Delivery(
                # A pitch shift by resampling quickens speech; the engine speaks slower by as much.
                speed=round(options.speed * manner.speed / _ratio(pitch), 4),
                timbre_variation=manner.timbre_variation if varied else 1.0,
                timing_variation=manner.timing_variation if varied else 1.0,
                temperature=options.temperature,
                top_k=options.top_k,
                top_p=options.top_p,
                seed=options.seed,
            ),
            tuple(pair for pair in options.pronunciations if pair[0] in present),
            options.reference,
        ),
        pitch,
    )


def _is_plain(options: SpeechOptions) -> bool:
    """Whether only voice and style are chosen, so that lines made ahead serve it."""
    return options == SpeechOptions(
        voice=options.voice,
        language=options.language,
        style=options.style,
        priority=options.priority,
    )


def _batch_key(line: _Line) -> tuple[str, Delivery, str | None]:
    request = line.request
    reference = request.reference
    return (request.voice, request.delivery, reference.digest if reference else None)


def _ratio(semitones: float) -> float:
    return float(2 ** (semitones / 12))


class _Runner:
    """What happens in the scheduler's thread."""

    def __init__(self, engine: Synthesizer, gains: Mapping[str, float]) -> None:
        self._engine = engine
        self._gains = gains

    def run(self, lines: Sequence[_Line]) -> Sequence[Speech | Exception]:
        made = self._engine.synthesize([line.request for line in lines])
        return [
            speech if isinstance(speech, Exception) else self._finish(speech, line)
            for speech, line in zip(made, lines, strict=True)
        ]

    def _finish(self, speech: Speech, line: _Line) -> Speech:
        shifted = shift_pitch(speech, line.pitch_semitones)
        kept, skipped = trim(shifted.samples, shifted.sample_rate_hz)
        level = self._gains.get(line.request.voice, 1.0)
        samples = limit(kept * np.float32(level), shifted.sample_rate_hz)
        # Speech is shared by all who ask for it.
        samples.flags.writeable = False
        return Speech(samples, shifted.sample_rate_hz, _moved(shifted.spans, skipped, len(samples)))


def _moved(spans: Sequence[TokenSpan], skipped: int, length: int) -> tuple[TokenSpan, ...]:
    return tuple(
        replace(
            span,
            start=min(max(span.start - skipped, 0), length),
            end=min(max(span.end - skipped, 0), length),
        )
        for span in spans
    )


def shift_pitch(speech: Speech, semitones: float) -> Speech:
    """The speech played faster or slower: its pitch moves, and its length with it."""
    if abs(semitones) < 0.01 or not len(speech.samples):
        return speech
    ratio = _ratio(semitones)
    rate = speech.sample_rate_hz
    samples = soxr.resample(speech.samples, rate * ratio, rate, quality="HQ").astype(np.float32)
    spans = tuple(
        replace(span, start=round(span.start / ratio), end=round(span.end / ratio))
        for span in speech.spans
    )
    return Speech(samples, rate, spans)
