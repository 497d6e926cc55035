"""A segment's life: text in pieces → phrases → speech → chunks → done."""

from __future__ import annotations

import asyncio
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
from services.runtime.errors import InvalidField
from services.tts.cache import FREE, Cost
from services.tts.marks import WordMark, word_marks
from services.tts.normalization import Utterance, normalize
from services.tts.phrasing import Phrase, Phraser
from services.tts.speaker import Speaker, SpeechOptions, Spoken
from services.tts.speech import Voice

ResultT = TypeVar("ResultT")

MAX_CHARACTERS = 20_000
"""The contract's limit of a segment's text."""

_CHUNK_SECONDS = 0.25
_MAX_CHUNK_BYTES = 1 << 20
# Phrases made ahead of the one being sent.
_AHEAD = 3
# Written on the event loop; the compressed ones in a thread.
_CHEAP = {Encoding.PCM_S16LE, Encoding.PCM_F32LE, Encoding.WAV}


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


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a segment.

    Attributes:
        completed: Whether all was spoken; else it was cancelled.
        duration: Seconds of audio.
        cost: Summed over the phrases.
        model: The name of the model that spoke; empty if none did.
    """

    completed: bool
    duration: float
    cost: Cost
    model: str


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
        ended: Whether no more text follows.
    """

    id: str
    speaker: Speaker
    options: SpeechOptions
    output: Output
    caller: Caller = field(default_factory=Caller)
    urgency: Urgency = field(default_factory=Urgency)
    cancelled: bool = False
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

    def write(self, text: str) -> None:
        """Takes the next piece of text.

        Raises:
            InvalidField: The segment is too long, or no voice can say it.
        """
        if self.cancelled or self.ended:
            return
        self._length += len(text)
        if self._length > MAX_CHARACTERS:
            raise InvalidField(
                self.caller.text_field, f"a segment holds at most {MAX_CHARACTERS} characters"
            )
        self._queue(self._phraser.feed(text))

    def flush(self) -> None:
        """Ends the phrase here."""
        if not self.cancelled:
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
        self._queued.clear()
        for task in self._running:
            task.cancel()
        self._changed.set()

    async def aclose(self) -> None:
        """Cancels, and waits until nothing of it runs."""
        self.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()

    def done(self) -> Done:
        """How it ended; call it after `chunks` is through."""
        return Done(not self.cancelled, self._seconds, self._cost, self._model)

    async def chunks(self) -> AsyncGenerator[Chunk]:
        """The audio as it comes to be. Stops early when the segment is cancelled."""
        self._active = True
        self._start_phrases()
        renderer: _Renderer | None = None
        try:
            async with aclosing(self._spoken()) as phrases:
                async for spoken in phrases:
                    renderer = renderer or _Renderer(self.output, spoken.speech.sample_rate_hz)
                    for chunk in await renderer.render(spoken):
                        if self.cancelled:
                            return
                        self._measure(chunk)
                        self._seconds = chunk.offset + chunk.duration
                        yield chunk
            if renderer is not None and not self.cancelled:
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
            spoken = self._running.popleft().result()
            self._start_phrases()
            self._add(spoken)
            yield spoken

    def _measure(self, chunk: Chunk) -> None:
        if not self._seconds:
            wait = asyncio.get_running_loop().time() - self._asked
            metrics.FIRST_AUDIO_SECONDS.labels(self._model).observe(wait)
        metrics.SPOKEN_SECONDS.labels(self._model).inc(chunk.duration)

    def _stopped(self) -> bool:
        return self.cancelled

    def _queue(self, phrases: list[Phrase]) -> None:
        for phrase in phrases:
            utterance = normalize(phrase.text, phrase.offset)
            if utterance is not None:
                voice = self.speaker.book.for_text(
                    phrase.text, self.options.voice, self.options.language, self.caller.text_field
                )
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
        return resampled.astype(np.float32)


def _cut(samples: Float32, size: int) -> Iterator[Float32]:
    """Pieces of about `size`; a short remainder joins the piece before it."""
    start = 0
    while len(samples) - start > size * 1.5:
        yield samples[start : start + size]
        start += size
    if start < len(samples):
        yield samples[start:]
