"""One live stream: audio in, events out.

Two tasks work on a stream. One reads: voice activity and endpointing decide, frame by frame. One
decodes: never more than one window at a time, always the most useful one: the end of a finished
turn first, then a pause that may be the end, then a preview of what is being said. The text of a
probable end is decoded as soon as a pause begins, so that it is there when the end is decided.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeAlias

import numpy as np

from services.asr import endpointing, transcript
from services.asr.endpointing import Endpointer, EndpointingConfig
from services.asr.engines.engine import SAMPLE_RATE, Float32, Hypothesis, Window
from services.asr.stream_context import StreamContext
from services.asr.transcript import Event, TurnEvent
from services.asr.turn import Job, Turn
from services.asr.vad import FRAME
from services.runtime.batching import Scheduled
from services.runtime.errors import DeadlineExpired, Overloaded

_PRE_ROLL = round(0.3 * SAMPLE_RATE)
"""Audio before the first speech frame: the voice activity notices soft beginnings late."""
_TAIL = round(0.2 * SAMPLE_RATE)
"""Audio after the last speech frame."""
_PAUSE_FRAMES = 4
"""Frames of silence (128 ms) after which a pause is decoded as if it were the end."""
_FIRST_PREVIEW = round(0.7 * SAMPLE_RATE)
_DUTY = 2.0
"""Previews leave the model alone for this many times as long as the last one took."""
_PREVIEW_PATIENCE = 2.0
"""Seconds after which a preview is no longer worth having."""
_TOO_LONG = 20 * SAMPLE_RATE
"""Turns are decoded up to here whatever the partials: a window has its limits."""
_TOO_SHORT = round(0.05 * SAMPLE_RATE)
"""Audio too short for a word, left over where a window was closed."""
_UNSEEN = 10 * SAMPLE_RATE
"""Without partials wanted, only turns this long are decoded before a pause."""
_MOST_BUFFERED = 60 * SAMPLE_RATE
_MOST_EVENTS = 256


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """What a stream asks for.

    Attributes:
        endpointing: When a turn counts as over.
        language: Language code; None detects it in each turn.
        hints: Phrase hints.
        word_offsets: Whether transcripts have words.
        partials: Whether Partial events are sent.
        single_turn: Whether the stream ends with its first turn.
        preview_interval: Seconds of new speech between previews.
    """

    endpointing: EndpointingConfig
    language: str | None = None
    hints: tuple[str, ...] = ()
    word_offsets: bool = False
    partials: bool = True
    single_turn: bool = False
    preview_interval: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A piece of the stream.

    Attributes:
        samples: Mono, 16 kHz.
        probabilities: The speech probabilities of the frames that are complete with it.
    """

    samples: Float32
    probabilities: Float32


@dataclass(frozen=True, slots=True)
class FinalizeTurn:
    """The caller ends the running turn."""


Input: TypeAlias = Heard | FinalizeTurn


class Decode(Protocol):
    """Runs a window through the model."""

    async def __call__(self, window: Window, *, patience: float | None) -> Scheduled[Hypothesis]:
        """Decodes a window, within `patience` seconds if given."""
        ...


class _Audio:
    """The stretch of the stream that may still be decoded."""

    def __init__(self) -> None:
        self._pieces: deque[Float32] = deque()
        self.start = 0
        self.end = 0

    def append(self, samples: Float32) -> None:
        self._pieces.append(samples)
        self.end += len(samples)

    def forget(self, before: int) -> None:
        while self._pieces and self.start + len(self._pieces[0]) <= before:
            self.start += len(self._pieces.popleft())

    def slice(self, start: int, end: int) -> Float32:
        joined = np.concatenate(self._pieces) if self._pieces else np.zeros(0, dtype=np.float32)
        return joined[max(0, start - self.start) : max(0, end - self.start)]


class Session:
    """A live stream. Use it as an async context manager around reading `events()`."""

    def __init__(
        self, config: StreamConfig, inputs: AsyncGenerator[Input, None], decode: Decode
    ) -> None:
        self._config = config
        self._inputs = inputs
        self._decode = decode
        self._endpointer = Endpointer(config.endpointing)
        self._audio = _Audio()
        self._context = StreamContext()
        self._turns: deque[Turn] = deque()
        """Turns whose EndOfTurn is not out yet, oldest first; the last may be running."""
        self._held: deque[TurnEvent] = deque()
        """Events of later turns, until the first turn is done."""
        self._count = 0
        self._last_end = 0
        self._read_all = False
        self._turn_over = False
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._next_preview = 0.0
        self._events: asyncio.Queue[TurnEvent | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="asr-session")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops reading and decoding."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.exception()

    async def events(self) -> AsyncIterator[TurnEvent]:
        """The stream's events, in order of turns; ends after the last one.

        Raises:
            Exception: What the inputs or the model raised, in an ExceptionGroup.
        """
        while (event := await self._events.get()) is not None:
            self._make_room()
            yield event
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                tasks.create_task(self._keep_decoding())
        finally:
            self._events.put_nowait(None)

    # Reading.

    async def _read(self) -> None:
        async with aclosing(self._inputs):
            async for message in self._inputs:
                self._take(message)
                self._work.set()
                if self._turn_over:
                    break
                self._make_room()
                await self._room.wait()
        self._decide(self._endpointer.end(endpointing.EndReason.STREAM_ENDED))
        self._read_all = True
        self._work.set()

    def _take(self, message: Input) -> None:
        match message:
            case Heard(samples, probabilities):
                self._audio.append(samples)
                for probability in probabilities:
                    self._decide(self._endpointer.feed(float(probability)))
                    if self._turn_over:
                        return
            case FinalizeTurn():
                self._decide(self._endpointer.end(endpointing.EndReason.FINALIZED))

    def _decide(self, decisions: list[endpointing.Decision]) -> None:
        for decision in decisions:
            match decision:
                case endpointing.SpeechStarted(start):
                    self._start_turn(start * FRAME)
                case endpointing.EagerEndOfTurn(end):
                    self._turns[-1].eager_end = end * FRAME
                    self._release(self._turns[-1])
                case endpointing.TurnResumed(start):
                    turn = self._turns[-1]
                    if turn.eager_sent:
                        self._emit(turn, transcript.TurnResumed(start * FRAME / SAMPLE_RATE))
                    turn.eager_end, turn.eager_sent = None, False
                case endpointing.EndOfTurn(end, reason):
                    turn = self._turns[-1]
                    turn.end, turn.reason = end * FRAME, reason
                    turn.ended_at = asyncio.get_running_loop().time()
                    self._last_end = turn.end
                    self._turn_over = self._config.single_turn
                    self._release(turn)

    def _start_turn(self, start: int) -> None:
        self._count += 1
        turn = Turn(
            self._count,
            speech_start=start,
            audio_start=max(self._last_end, start - _PRE_ROLL, self._audio.start),
            language=self._config.language,
            hints=self._config.hints,
            word_offsets=self._config.word_offsets,
            context=self._context,
        )
        self._turns.append(turn)
        self._emit(turn, transcript.SpeechStarted(start / SAMPLE_RATE))

    def _make_room(self) -> None:
        """Holds reading back while the caller doesn't read, or the model doesn't keep up."""
        oldest = self._turns[0].audio_start if self._turns else self._position - _PRE_ROLL
        # The running turn's onset frames come before it is known to have started.
        self._audio.forget(min(oldest, self._position - 2 * _PRE_ROLL))
        crowded = self._audio.end - self._audio.start > _MOST_BUFFERED
        # Only the decoding of what is there frees room: with none to do, reading must go on.
        if (crowded and self._next_job() is not None) or self._events.qsize() > _MOST_EVENTS:
            self._room.clear()
        else:
            self._room.set()

    @property
    def _position(self) -> int:
        """Up to where the stream has been looked at."""
        return self._endpointer.frame * FRAME

    # Decoding.

    async def _keep_decoding(self) -> None:
        while True:
            self._work.clear()
            found = self._next_job()
            if found is not None:
                await self._decode_job(*found)
                self._make_room()
            elif self._read_all:
                return
            else:
                await self._work.wait()

    def _next_job(self) -> tuple[Turn, Job] | None:
        for turn in self._turns:
            if turn.end is not None:
                return turn, turn.settling(turn.end, min(self._audio.end, turn.end + _TAIL))
        if not self._turns:
            return None
        turn = self._turns[-1]
        silence = self._endpointer.silence_start
        if silence is not None:
            long_enough = self._endpointer.frame - silence >= min(
                _PAUSE_FRAMES, self._config.endpointing.min_silence
            )
            if long_enough and turn.settled(silence * FRAME) is None:
                end = min(self._position, silence * FRAME + _TAIL)
                return turn, turn.settling(silence * FRAME, end)
            return None
        return (turn, turn.preview(self._position)) if self._preview_due(turn) else None

    def _preview_due(self, turn: Turn) -> bool:
        window = self._position - turn.audio_start
        if window >= _TOO_LONG:
            return True
        if asyncio.get_running_loop().time() < self._next_preview:
            return False
        fresh = self._position - turn.heard
        if not self._config.partials:
            return window >= _UNSEEN and fresh >= SAMPLE_RATE
        interval = round(self._config.preview_interval * SAMPLE_RATE)
        return window >= _PRE_ROLL + _FIRST_PREVIEW and fresh >= interval

    async def _decode_job(self, turn: Turn, job: Job) -> None:
        samples = self._audio.slice(job.start, job.end)
        if len(samples) < _TOO_SHORT:
            turn.absorb(job, Hypothesis(""))
            self._release(turn)
            return
        window = turn.window(job, samples)
        patience = None if window.final or window.word_offsets else _PREVIEW_PATIENCE
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            result = await self._decode(window, patience=patience)
        except (Overloaded, DeadlineExpired):
            if patience is None:
                raise
            self._next_preview = loop.time() + _PREVIEW_PATIENCE
            turn.heard = job.end
            return
        self._next_preview = loop.time() + _DUTY * (loop.time() - started)
        turn.cost = turn.cost.plus(result.queue_time, result.compute_time, result.batch_size)
        news = turn.absorb(job, result.value)
        if news and self._config.partials and turn.end is None and not turn.eager_sent:
            self._emit(turn, turn.partial())
        self._release(turn)

    # Telling.

    def _release(self, turn: Turn) -> None:
        """Sends what is decided and whose text is settled."""
        if turn.end is None:
            if turn.eager_end is None or turn.eager_sent:
                return
            settled = turn.settled(turn.eager_end)
            # A sound that was no speech has no text and nothing to prepare for.
            if settled is not None and settled.text:
                turn.eager_sent = True
                self._emit(turn, transcript.EagerEndOfTurn(settled))
            return
        settled = turn.settled(turn.end)
        if settled is None:
            return
        delay = asyncio.get_running_loop().time() - turn.ended_at
        self._emit(turn, transcript.EndOfTurn(settled, turn.reason, delay, turn.cost))
        self._turns.remove(turn)
        while self._held and (not self._turns or self._held[0].turn == self._turns[0].number):
            self._events.put_nowait(self._held.popleft())

    def _emit(self, turn: Turn, event: Event) -> None:
        told = TurnEvent(turn.number, event)
        if turn is self._turns[0]:
            self._events.put_nowait(told)
        else:
            self._held.append(told)
