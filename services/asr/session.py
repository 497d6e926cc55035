"""One live stream: audio in, events out.

Two tasks work on a stream. One reads: voice activity and endpointing decide, frame by frame. One
decodes: never more than one window at a time, always the most useful one: the end of a finished
turn first, then a pause that is probably the end, then a look at what is being said or at a pause
that has just begun. The text of a probable end is decoded as soon as a pause begins, so that it is
there when the end is decided. A window that still waits for the model gives way to a more useful
one; one that the model works on is let finish.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeAlias

from services.asr import endpointing, transcript
from services.asr.decoding import (
    FINAL_PATIENCE,
    PREVIEW_PATIENCE,
    Decode,
    Ticket,
    decode_final,
)
from services.asr.endpointing import Endpointer, EndpointingConfig
from services.asr.engines.engine import SAMPLE_RATE, Float32, Hypothesis, Window
from services.asr.margins import PAUSE_FRAMES, PRE_ROLL, TAIL
from services.asr.stream_audio import StreamAudio
from services.asr.stream_context import StreamContext
from services.asr.stream_input import ChangeEndpointing, FinalizeTurn, Heard, Input
from services.asr.transcript import Event, TurnEvent
from services.asr.turn import Job, Turn
from services.asr.turn_completion import COMPLETION_SECONDS
from services.asr.vad import FRAME
from services.runtime.batching import Priority, Scheduled
from services.runtime.errors import ServiceError

_FIRST_PREVIEW = round(0.7 * SAMPLE_RATE)
_DUTY = 2.0
"""Previews leave the model alone for this many times their share of its work on the last one."""
_TOO_LONG = 20 * SAMPLE_RATE
"""Turns are decoded up to here whatever the partials: a window has its limits."""
_TOO_SHORT = round(0.05 * SAMPLE_RATE)
"""Audio too short for a word, left over where a window was closed."""
_UNSEEN = 10 * SAMPLE_RATE
"""Without partials wanted, only turns this long are decoded before a pause."""
_MOST_BUFFERED = 60 * SAMPLE_RATE
_MOST_EVENTS = 256
_COMPLETION_SAMPLES = COMPLETION_SECONDS * SAMPLE_RATE

_logger = logging.getLogger(__name__)

Complete: TypeAlias = Callable[[Float32], Awaitable[float | None]]
"""The probability that a turn is complete, by its last seconds: float32 [n], mono, 16 kHz."""


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """What a stream asks for.

    Attributes:
        endpointing: When a turn counts as over, and whether pauses are told.
        languages: Codes of the languages that may be spoken; one is taken as given, of several the
            spoken one is detected, none means any.
        hints: Phrase hints, the likeliest first.
        word_offsets: Whether transcripts have words.
        partials: Whether Partial events are sent.
        single_turn: Whether the stream ends with its first turn.
        preview_interval: Seconds of new speech between previews.
    """

    endpointing: EndpointingConfig
    languages: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    word_offsets: bool = False
    partials: bool = True
    single_turn: bool = False
    preview_interval: float = 0.5


class _Kind(enum.IntEnum):
    """What a decode is for; the lower is the more urgent."""

    FINAL = 0
    EAGER = 1
    PREVIEW = 2


_PRIORITIES = {
    _Kind.FINAL: Priority.INTERACTIVE,
    _Kind.EAGER: Priority.INTERACTIVE,
    _Kind.PREVIEW: Priority.PREVIEW,
}
_PATIENCE = {_Kind.EAGER: FINAL_PATIENCE, _Kind.PREVIEW: PREVIEW_PATIENCE}
_PUT_OFF = {_Kind.EAGER: 0.5, _Kind.PREVIEW: PREVIEW_PATIENCE}
"""Seconds until the next try after a failed one."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    turn: Turn
    job: Job
    kind: _Kind


@dataclass(slots=True)
class _Running:
    """A window on its way through the model, and the scope that can withdraw it."""

    wanted: _Wanted
    scope: asyncio.Timeout
    ticket: Ticket = field(default_factory=Ticket)
    withdrawn: bool = False


class Session:
    """A live stream. Use it as an async context manager around reading `events()`."""

    def __init__(
        self,
        config: StreamConfig,
        inputs: AsyncGenerator[Input, None],
        decode: Decode,
        complete: Complete | None = None,
    ) -> None:
        self._config = config
        self._inputs = inputs
        self._decode = decode
        self._complete = complete if config.endpointing.pause is not None else None
        self._endpointer = Endpointer(config.endpointing)
        self._audio = StreamAudio()
        self._context = StreamContext()
        self._turns: deque[Turn] = deque()
        """Turns whose EndOfTurn is not out yet, oldest first; the last may be running."""
        self._held: deque[tuple[Turn, TurnEvent]] = deque()
        """Events of later turns, until the first turn is done."""
        self._finalized: dict[int, list[TurnEvent]] = {}
        """Answers to Finalizes, by the number of the turn whose end they wait for."""
        self._count = 0
        self._last_end = self._audio.start
        self._read_all = False
        self._turn_over = False
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._next_preview = 0.0
        self._put_off = {_Kind.EAGER: 0.0, _Kind.PREVIEW: 0.0}
        """When a kind of decode may be tried again after one failed."""
        self._running: _Running | None = None
        self._completion: tuple[int, float | None] = (-1, None)
        """The start of the last silence that was told, and the probability that it is the end."""
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

    @property
    def unfinished(self) -> bool:
        """Whether a turn has begun that is not over, even if its start can't be told yet."""
        return bool(self._turns) or not self._events.empty()

    async def events(self) -> AsyncGenerator[TurnEvent, None]:
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
                await self._take(message)
                self._work.set()
                self._withdraw()
                if self._turn_over:
                    break
                self._make_room()
                await self._room.wait()
        await self._decide(self._endpointer.end(endpointing.EndReason.STREAM_ENDED))
        self._read_all = True
        self._work.set()
        self._withdraw()

    async def _take(self, message: Input) -> None:
        match message:
            case Heard(samples, probabilities):
                self._audio.append(samples)
                for probability in probabilities:
                    await self._decide(self._endpointer.feed(float(probability)))
                    if self._turn_over:
                        return
            case FinalizeTurn():
                decisions = self._endpointer.end(endpointing.EndReason.FINALIZED)
                await self._decide(decisions)
                self._answer(turn_ended=bool(decisions))
            case ChangeEndpointing(config):
                await self._decide(self._endpointer.change(config))

    async def _decide(self, decisions: list[endpointing.Decision]) -> None:
        for decision in decisions:
            match decision:
                case endpointing.SpeechStarted(start):
                    self._start_turn(start * FRAME)
                case endpointing.Pause(start, length):
                    await self._tell_pause(self._turns[-1], start * FRAME, length * FRAME)
                case endpointing.EagerEndOfTurn(end):
                    self._turns[-1].eager_end = end * FRAME
                    self._release(self._turns[-1])
                case endpointing.TurnResumed(start):
                    turn = self._turns[-1]
                    if turn.eager_sent or turn.paused:
                        self._emit(turn, transcript.TurnResumed(start * FRAME / SAMPLE_RATE))
                    turn.eager_end, turn.eager_sent, turn.paused = None, False, False
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
            audio_start=max(self._last_end, start - PRE_ROLL, self._audio.start),
            languages=self._config.languages,
            hints=self._config.hints,
            word_offsets=self._config.word_offsets,
            context=self._context,
        )
        self._turns.append(turn)
        self._emit(turn, transcript.SpeechStarted(start / SAMPLE_RATE))

    async def _tell_pause(self, turn: Turn, start: int, length: int) -> None:
        known, probability = self._completion
        if known != start:
            probability = None
            if self._complete is not None:
                first = max(turn.speech_start - PRE_ROLL, self._position - _COMPLETION_SAMPLES)
                heard = self._audio.slice(first, self._position)
                probability = await self._complete(heard)
            self._completion = (start, probability)
        turn.paused = True
        pause = transcript.Pause(length / SAMPLE_RATE, start / SAMPLE_RATE, probability)
        self._emit(turn, pause)

    def _answer(self, *, turn_ended: bool) -> None:
        """Answers a Finalize behind the end of every turn before it."""
        if not self._turns:
            self._tell(TurnEvent(self._count if turn_ended else None, _FINALIZED[turn_ended]))
            return
        last = self._turns[-1].number
        answer = TurnEvent(last if turn_ended else None, _FINALIZED[turn_ended])
        self._finalized.setdefault(last, []).append(answer)

    def _make_room(self) -> None:
        """Holds reading back while the caller doesn't read, or the model doesn't keep up."""
        # The running turn's onset frames come before it is known to have started.
        oldest = self._position - 2 * PRE_ROLL
        if self._turns:
            oldest = min(oldest, self._turns[0].audio_start)
            if self._complete is not None:
                oldest = min(oldest, self._position - _COMPLETION_SAMPLES)
        self._audio.forget(oldest)
        crowded = self._audio.end - self._audio.start > _MOST_BUFFERED
        # Only the decoding of what is there frees room: with none to do, reading must go on.
        to_do = crowded and (self._next() is not None or self._next_try() is not None)
        if to_do or self._events.qsize() > _MOST_EVENTS:
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
            wanted = self._next()
            if wanted is not None:
                await self._decode_wanted(wanted)
                self._make_room()
            elif self._read_all:
                return
            else:
                self._make_room()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(self._next_try()):
                        await self._work.wait()

    def _next_try(self) -> float | None:
        """When a decode that was put off may be tried again; None if none was."""
        now = asyncio.get_running_loop().time()
        return min((moment for moment in self._put_off.values() if moment > now), default=None)

    def _next(self) -> _Wanted | None:
        """The most useful decode, if there is one."""
        for turn in self._turns:
            if turn.end is not None:
                job = turn.settling(turn.end, min(self._audio.end, turn.end + TAIL))
                return _Wanted(turn, job, _Kind.FINAL)
        if not self._turns:
            return None
        turn = self._turns[-1]
        silence = self._endpointer.silence_start
        if silence is not None:
            return self._pause_wanted(turn, silence)
        if self._preview_due(turn):
            return _Wanted(turn, turn.preview(self._position), _Kind.PREVIEW)
        return None

    def _pause_wanted(self, turn: Turn, silence: int) -> _Wanted | None:
        least = min(PAUSE_FRAMES, self._endpointer.config.min_silence)
        if self._endpointer.frame - silence < least or turn.settled(silence * FRAME) is not None:
            return None
        kind = _Kind.EAGER if turn.eager_end == silence * FRAME else _Kind.PREVIEW
        if self._is_put_off(kind):
            return None
        end = min(self._position, silence * FRAME + TAIL)
        return _Wanted(turn, turn.settling(silence * FRAME, end), kind)

    def _is_put_off(self, kind: _Kind) -> bool:
        return asyncio.get_running_loop().time() < self._put_off[kind]

    def _preview_due(self, turn: Turn) -> bool:
        if self._is_put_off(_Kind.PREVIEW):
            return False
        window = self._position - turn.audio_start
        if window >= _TOO_LONG:
            return True
        if asyncio.get_running_loop().time() < self._next_preview:
            return False
        fresh = self._position - turn.heard
        if not self._config.partials:
            return window >= _UNSEEN and fresh >= SAMPLE_RATE
        interval = round(self._config.preview_interval * SAMPLE_RATE)
        return window >= PRE_ROLL + _FIRST_PREVIEW and fresh >= interval

    def _withdraw(self) -> None:
        """Takes the running decode back if it still waits and something better is to be done."""
        running = self._running
        if running is None or running.withdrawn or running.ticket.started:
            return
        old, new = running.wanted, self._next()
        if old.kind is _Kind.EAGER:
            # The text of a pause that became the end is what the end waits for.
            end, silence = old.turn.end, self._endpointer.silence_start
            if end is None and silence is not None:
                end = silence * FRAME
            useless = end != old.job.speech_end
        else:
            useless = new is not None and new.kind < old.kind
        if useless:
            running.withdrawn = True
            running.scope.reschedule(asyncio.get_running_loop().time())

    async def _decode_wanted(self, wanted: _Wanted) -> None:
        turn, job = wanted.turn, wanted.job
        samples = self._audio.slice(job.start, job.end)
        if len(samples) < _TOO_SHORT:
            turn.absorb(job, Hypothesis(""))
            self._release(turn)
            return
        loop = asyncio.get_running_loop()
        self._running = _Running(wanted, asyncio.timeout(None))
        try:
            async with self._running.scope:
                result = await self._run_window(turn.window(job, samples), self._running)
        except Exception as error:
            if self._running.withdrawn:
                return
            if job.widened:
                # There is the text that the turn has alone.
                turn.absorb(job, Hypothesis("", reliable=False))
                self._release(turn)
                return
            if wanted.kind is _Kind.FINAL:
                raise
            self._leave_out(wanted, error)
            return
        finally:
            self._running = None
        self._next_preview = loop.time() + _DUTY * result.compute_time / result.batch_size
        turn.cost = turn.cost.plus(result.queue_time, result.compute_time, result.batch_size)
        news = turn.absorb(job, result.value)
        if news and self._config.partials and turn.end is None and not turn.eager_sent:
            self._emit(turn, turn.partial())
        self._release(turn)

    async def _run_window(self, window: Window, running: _Running) -> Scheduled[Hypothesis]:
        kind = running.wanted.kind
        if kind is _Kind.FINAL:
            return await decode_final(self._decode, window)
        return await self._decode(
            window, priority=_PRIORITIES[kind], patience=_PATIENCE[kind], ticket=running.ticket
        )

    def _leave_out(self, wanted: _Wanted, error: Exception) -> None:
        """Goes on without a decode that failed; what it was for is decoded later, or as a final."""
        level = logging.INFO if isinstance(error, ServiceError) else logging.WARNING
        fields = {"error": type(error).__name__}
        _logger.log(level, "a preview failed and is left out", extra={"fields": fields})
        self._put_off[wanted.kind] = asyncio.get_running_loop().time() + _PUT_OFF[wanted.kind]
        wanted.turn.heard = wanted.job.end

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
        for answer in self._finalized.pop(turn.number, []):
            self._queue(turn, answer)
        self._turns.remove(turn)
        while self._held and (not self._turns or self._held[0][0] is self._turns[0]):
            self._tell(self._held.popleft()[1])

    def _emit(self, turn: Turn, event: Event) -> None:
        self._queue(turn, TurnEvent(turn.number, event))

    def _queue(self, turn: Turn, told: TurnEvent) -> None:
        if turn is self._turns[0]:
            self._tell(told)
        else:
            self._held.append((turn, told))

    def _tell(self, told: TurnEvent) -> None:
        self._events.put_nowait(told)


_FINALIZED = {ended: transcript.Finalized(turn_ended=ended) for ended in (True, False)}
