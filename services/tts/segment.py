"""A segment's life: text in pieces → phrases → speech → chunks → done."""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import soxr

from services.runtime import metrics
from services.runtime.audio.encoding import Encoding, encodable_rate, open_encoder
from services.runtime.audio.pcm import Float32
from services.runtime.batching import Priority
from services.runtime.errors import InvalidField, ServiceError
from services.tts.cache import FREE, Cost
from services.tts.delivery import SegmentDelivery, deliver
from services.tts.loudness import limit
from services.tts.marks import WordMark, word_marks
from services.tts.normalization import Utterance, normalize
from services.tts.phrasing import Phrase, Phraser
from services.tts.romanization import romanized
from services.tts.speaker import Speaker, SpeechOptions, Spoken
from services.tts.speech import Voice
from services.tts.voices import CHINESE

ResultT = TypeVar("ResultT")

MAX_CHARACTERS = 20_000
"""The contract's limit of a segment's text."""

_CHUNK_SECONDS = 0.25
_MAX_CHUNK_BYTES = 1 << 20
# Phrases made ahead of the one being sent.
_AHEAD = 3
# Written on the event loop; the compressed ones in a thread.
_CHEAP = {
    Encoding.PCM_S16LE, Encoding.PCM_F32LE, Encoding.MULAW, Encoding.ALAW, Encoding.WAV,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Output:
    """The shape of audio wanted.

    Attributes:
        encoding: How samples are written.
        sample_rate_hz: None takes the first voice's own.
    """

    encoding: Encoding = Encoding.PCM_S16LE
    sample_rate_hz: int | None = None


@dataclass(frozen=True, slots=True)
class Urgency:
    """How long phrases may take, in seconds from being cut; the scheduler's order follows.

    Attributes:
        first: A segment's first phrase: someone hears silence until it is there.
        later: The others: earlier ones are being heard meanwhile.
    """

    first: float = 20.0
    later: float = 40.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a segment is spoken for.

    Attributes:
        name: Shares the engine fairly with others.
        deadline: Of the call, on the event loop's clock.
        text_field: The request's field that carries text.
    """

    name: str = ""
    deadline: float | None = None
    text_field: str = "text"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a segment's audio.

    Attributes:
        phrase: Number of the phrase, from 0.
        offset, duration: Seconds in the segment's audio.
        audio: Encoded; may be empty while a file encoder holds back.
        words: The phrase's words, with its first chunk; times count from the segment's start.
        sample_rate_hz: With the segment's first chunk, else None.
    """

    phrase: int
    offset: float
    duration: float
    audio: bytes
    words: tuple[WordMark, ...] = ()
    sample_rate_hz: int | None = None


class Outcome(enum.Enum):
    """How a segment ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a segment.

    Attributes:
        outcome: How it ended.
        duration: Seconds of audio.
        cost: Summed over the phrases.
        model: The name of the model that spoke; empty if none did.
        error: Why it failed, if it did.
    """

    outcome: Outcome
    duration: float
    cost: Cost
    model: str
    error: Exception | None = None


@dataclass(slots=True, eq=False)
class _Queued:
    utterance: Utterance
    voice: Voice


@dataclass(eq=False)
class Segment:
    """One segment.

    Attributes:
        id: The caller's name for it.
        cancelled: Whether it was cancelled.
        error: What it failed by, if it did; no more of it is spoken.
        ended: Whether no more text follows.
    """

    id: str
    speaker: Speaker
    options: SpeechOptions
    output: Output
    caller: Caller = field(default_factory=Caller)
    urgency: Urgency = field(default_factory=Urgency)
    cancelled: bool = False
    error: Exception | None = None
    ended: bool = False

    def __post_init__(self) -> None:
        self._phraser = Phraser()
        self._length = 0
        self._queued: deque[_Queued] = deque()
        self._running: deque[asyncio.Task[Spoken]] = deque()
        self._changed = asyncio.Event()
        self._active = False
        self._started = 0
        self._asked = 0.0
        self._cost = FREE
        self._model = ""
        self._seconds = 0.0

    @property
    def given_up(self) -> bool:
        """Whether no more of it is spoken: it was cancelled, or failed."""
        return self.cancelled or self.error is not None

    def deliver(self, delivery: SegmentDelivery) -> None:
        """Has it spoken in its own way; fails it if that cannot be. Before its first text."""
        try:
            book = self.speaker.book
            self.options = deliver(self.options, delivery, book, "text.delivery")
        except ServiceError as error:
            self.fail(error)

    def write(self, text: str) -> None:
        """Takes the next piece of text; too much of it fails the segment."""
        if self.given_up or self.ended:
            return
        self._length += len(text)
        if self._length > MAX_CHARACTERS:
            why = f"a segment holds at most {MAX_CHARACTERS} characters"
            self.fail(InvalidField(self.caller.text_field, why))
            return
        self._queue(self._phraser.feed(text))

    def flush(self) -> None:
        """Ends the phrase here."""
        if not self.given_up:
            self._queue(self._phraser.flush())

    def end(self) -> None:
        """No more text follows."""
        if not self.ended:
            self.flush()
            self.ended = True
            self._changed.set()

    def cancel(self) -> None:
        """Drops what is queued and abandons what runs."""
        self.cancelled = self.ended = True
        self._drop()

    def fail(self, error: Exception) -> None:
        """Gives the segment up for an error; the first one is told."""
        self.error = self.error or error
        self._drop()

    def _drop(self) -> None:
        self._queued.clear()
        for task in self._running:
            task.cancel()
        self._changed.set()

    async def aclose(self) -> None:
        """Cancels, and waits until nothing of it runs."""
        self.cancel()
        await self.abandon()

    async def abandon(self) -> None:
        """Waits until nothing of a segment that was given up runs."""
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()

    def done(self) -> Done:
        """How it ended; call it after `chunks` is through."""
        if self.cancelled:
            return Done(Outcome.CANCELLED, self._seconds, self._cost, self._model)
        outcome = Outcome.COMPLETED if self.error is None else Outcome.FAILED
        return Done(outcome, self._seconds, self._cost, self._model, self.error)

    async def chunks(self) -> AsyncGenerator[Chunk]:
        """The audio as it comes to be. Stops early when the segment is cancelled or fails."""
        self._active = True
        self._start_phrases()
        renderer: _Renderer | None = None
        try:
            async with aclosing(self._spoken()) as phrases:
                async for spoken in phrases:
                    renderer = renderer or _Renderer(self.output, spoken.speech.sample_rate_hz)
                    for chunk in await renderer.render(spoken):
                        if self.given_up:
                            return
                        self._measure(chunk)
                        self._seconds = chunk.offset + chunk.duration
                        yield chunk
            if renderer is not None and not self.given_up:
                for chunk in await renderer.finish():
                    yield chunk
        finally:
            if renderer is not None:
                await renderer.aclose()

    async def _spoken(self) -> AsyncGenerator[Spoken]:
        """The phrases, each when it is spoken."""
        while not self._stopped():
            if not self._running:
                if self.ended:
                    return
                await self._changed.wait()
                self._changed.clear()
                continue
            await asyncio.wait([self._running[0]])
            if self._stopped():
                return
            try:
                spoken = self._running.popleft().result()
            except Exception as error:  # noqa: BLE001 - the segment's end tells it
                self.fail(error)
                return
            self._start_phrases()
            self._add(spoken)
            yield spoken

    def _measure(self, chunk: Chunk) -> None:
        if not self._seconds:
            wait = asyncio.get_running_loop().time() - self._asked
            metrics.FIRST_AUDIO_SECONDS.labels(self._model).observe(wait)
        metrics.SPOKEN_SECONDS.labels(self._model).inc(chunk.duration)

    def _stopped(self) -> bool:
        # A method, as what it says changes while others wait.
        return self.given_up

    def _queue(self, phrases: list[Phrase]) -> None:
        for phrase in phrases:
            utterance = normalize(phrase.text, phrase.offset)
            if utterance is not None:
                options, field_ = self.options, self.caller.text_field
                try:
                    voice = self.speaker.book.for_text(
                        phrase.text, options.voice, options.language, field_
                    )
                except ServiceError as error:
                    self.fail(error)
                    return
                if not voice.speaks(CHINESE):
                    utterance = romanized(utterance)
                self._queued.append(_Queued(utterance, voice))
        self._start_phrases()

    def _start_phrases(self) -> None:
        while self._active and self._queued and len(self._running) <= _AHEAD:
            queued = self._queued.popleft()
            if self._started == 0:
                self._asked = asyncio.get_running_loop().time()
            work = self.speaker.speak(
                queued.utterance,
                queued.voice,
                self.options,
                caller=self.caller.name,
                deadline=self._deadline(first=self._started == 0),
            )
            self._running.append(asyncio.create_task(work, name="tts-phrase"))
            self._started += 1
            self._changed.set()

    def _deadline(self, *, first: bool) -> float | None:
        if self.options.priority is Priority.BATCH:
            return self.caller.deadline
        patience = self.urgency.first if first else self.urgency.later
        latest = asyncio.get_running_loop().time() + patience
        return latest if self.caller.deadline is None else min(latest, self.caller.deadline)

    def _add(self, spoken: Spoken) -> None:
        self._model = self._model or spoken.model.name
        self._cost = Cost(
            self._cost.queue_time + spoken.cost.queue_time,
            self._cost.compute_time + spoken.cost.compute_time,
            self._cost.batch_size + spoken.cost.batch_size,
        )


class _Renderer:
    """Spoken phrases to encoded chunks."""

    def __init__(self, output: Output, voice_rate_hz: int) -> None:
        self._encoding = output.encoding
        self._rate = output.sample_rate_hz or encodable_rate(output.encoding, voice_rate_hz)
        self._encoder = open_encoder(self._encoding, self._rate)
        self._position = 0
        self._pause = 0.0
        self._phrase = -1
        self._closed = False
        self._working: asyncio.Task[Any] | None = None

    async def render(self, spoken: Spoken) -> list[Chunk]:
        """The chunks of the next phrase, led by the pause after the one before."""
        self._phrase += 1
        lead = np.zeros(round(self._pause * self._rate), np.float32)
        begin = (self._position + len(lead)) / self._rate
        samples = np.concatenate([lead, await self._at_rate(spoken)])
        self._pause = spoken.pause
        words = tuple(
            replace(mark, start=begin + mark.start, end=begin + mark.end)
            for mark in word_marks(spoken.utterance, spoken.speech)
        )
        pieces = list(_cut(samples, round(_CHUNK_SECONDS * self._rate)))
        if self._encoding in _CHEAP:
            audio = [self._encoder.encode(piece) for piece in pieces]
        else:
            audio = await self._in_thread(lambda: [self._encoder.encode(p) for p in pieces])
        chunks: list[Chunk] = []
        for piece, data in zip(pieces, audio, strict=True):
            first = self._position == 0
            chunks.append(
                Chunk(
                    self._phrase,
                    self._position / self._rate,
                    len(piece) / self._rate,
                    data,
                    () if chunks else words,
                    self._rate if first else None,
                )
            )
            self._position += len(piece)
        return chunks

    async def finish(self) -> list[Chunk]:
        """What a file encoder still holds."""
        self._closed = True
        rest = await self._in_thread(self._encoder.close)
        offset = self._position / self._rate
        return [
            Chunk(self._phrase, offset, 0.0, rest[i : i + _MAX_CHUNK_BYTES])
            for i in range(0, len(rest), _MAX_CHUNK_BYTES)
        ]

    async def aclose(self) -> None:
        """Lets go of the encoder if the segment ended early."""
        if self._working is not None:
            await asyncio.wait([self._working])
        if not self._closed:
            self._closed = True
            self._encoder.close()

    async def _in_thread(self, work: Callable[[], ResultT]) -> ResultT:
        """Runs work on the encoder. Cancelled, the thread goes on, and `aclose` waits for it."""
        working = asyncio.create_task(asyncio.to_thread(work), name="tts-encoding")
        self._working = working
        return await asyncio.shield(working)

    async def _at_rate(self, spoken: Spoken) -> Float32:
        speech = spoken.speech
        if speech.sample_rate_hz == self._rate:
            return speech.samples
        # A phrase begins and ends in silence, so each is resampled on its own without a seam.
        resampled: Float32 = await asyncio.to_thread(
            soxr.resample, speech.samples, speech.sample_rate_hz, self._rate, "HQ"
        )
        # Between samples a wave may be higher than at them: at another rate that comes to light.
        return limit(resampled.astype(np.float32), self._rate)


def _cut(samples: Float32, size: int) -> Iterator[Float32]:
    """Pieces of about `size`; a short remainder joins the piece before it."""
    start = 0
    while len(samples) - start > size * 1.5:
        yield samples[start : start + size]
        start += size
    if start < len(samples):
        yield samples[start:]
