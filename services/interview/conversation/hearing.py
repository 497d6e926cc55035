"""Listening to the candidate through one long recognition stream, mended when it breaks.

The stream's times are re-based on the interview's clock. When the stream fails, a new one is opened
and hears again the running turn, and all that has come since, so that no word is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from services.interview.clients.seams import (
    HEARING_RATE_HZ,
    Answered,
    DependencyFailed,
    Endpointing,
    HearingConfig,
    PartialHeard,
    PauseHeard,
    ProbablyEnded,
    Recogniser,
    RecognitionStream,
    SpeechBegan,
    SpeechEvent,
    SpeechLost,
    TurnEnded,
    WentOn,
)
from services.interview.conversation.clock import AudioTimeline
from services.interview.conversation.recogniser_watch import BYTES_PER_SECOND, RecogniserWatch
from services.interview.record import SpokenWord
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

REPLAY_SECONDS = 120.0
"""Audio kept of a running turn, and while no stream works: of more, the beginning is lost."""
QUIET_SECONDS = 0.5
"""Audio kept outside a turn, so that a new stream hears how the next one begins."""
ENDS_REMEMBERED = 32
"""Ends of turns whose places are known: more than come while something is being stored."""
FIRST_BACKOFF = 0.1
LAST_BACKOFF = 2.0
"""Seconds between attempts to open a stream, doubling from the first to the last."""

LATE_SECONDS = 1.0
"""Speech was told of so long after it began at the latest, if it is too low to be noticed here."""
SETTLED_SECONDS = 1.0
"""A stream that lasted so long works; what began during a turn has been told so long after it."""
OPEN_SECONDS = 2.0
"""A stream that takes longer to open does not open."""
STALLED_SECONDS = 2.5
"""A stream that takes no audio for so long does not work."""
WATCH_SECONDS = 0.2
"""Between two looks at whether the recogniser owes something."""
BEHIND_SECONDS = 30.0
"""Nor does one that is so far behind; beyond what a new stream is to hear again."""

_Outbound = bytes | Endpointing | None
"""Samples, other silences, or the end of the turn."""


class Hearing:
    """Feeds audio to a recogniser and hands on what it hears.

    Args:
        recogniser: Where the audio goes.
        config: How to listen.
        timeline: Counts the audio given to `hear`.
        heard: Takes each event, its times on the interview's clock.
        failed: Takes the failure when the recogniser stops working, once until it works again.
        recovered: Called when it works again.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        config: HearingConfig,
        timeline: AudioTimeline,
        *,
        heard: Callable[[SpeechEvent], Awaitable[None]],
        failed: Callable[[DependencyFailed], Awaitable[None]],
        recovered: Callable[[], Awaitable[None]],
    ) -> None:
        self._recogniser = recogniser
        self._config = config
        self._timeline = timeline
        self._heard = heard
        self._failed = failed
        self._recovered = recovered
        self._kept: deque[bytes | None] = deque()
        self._kept_from = 0.0
        self._kept_bytes = 0
        # Until then everything is kept: what the recogniser has not told of may be in it.
        self._kept_until = 0.0
        self._in_turn = False
        # Where turns ended: on the clock as it was told, and in the audio.
        self._ends: deque[tuple[float, float]] = deque(maxlen=ENDS_REMEMBERED)
        self._outbound: asyncio.Queue[_Outbound] | None = None
        self._outbound_bytes = 0
        self._troubled = False
        # At first, and from the loss of a stream, until one has lasted.
        self._lost = True
        self._loop = asyncio.get_running_loop()
        self._watched = RecogniserWatch(self._loop.time, recogniser.speed)
        # Speech that a recogniser which failed at it is tried with.
        self._sample = b""
        self._text_told = asyncio.Event()
        self._wanted = asyncio.Event()

    def hear(self, audio: bytes) -> None:
        """Takes 16-bit mono samples at `HEARING_RATE_HZ`."""
        self._timeline.add(len(audio) / BYTES_PER_SECOND)
        self._kept.append(audio)
        self._kept_bytes += len(audio)
        self._watched.heard(audio, self._kept_from + self._kept_bytes / BYTES_PER_SECOND)
        self._trim()
        self._wanted.set()
        if self._outbound is not None:
            self._outbound.put_nowait(audio)
            self._outbound_bytes += len(audio)

    @property
    def settled(self) -> float:
        """Seconds of the audio that no recogniser has to hear again: nothing untold is in them."""
        unsent = self._outbound_bytes if self._outbound is not None else 0
        late = LATE_SECONDS + unsent / BYTES_PER_SECOND
        return max(0.0, min(self._kept_from, self._timeline.received - late))

    def end_of_turn(self, when: float) -> float | None:
        """Where in the audio the last turn ended that was told to end by then, if it is known."""
        return next((place for told, place in reversed(self._ends) if told <= when), None)

    def listen(self, endpointing: Endpointing) -> None:
        """Changes when a turn is over, from here on."""
        self._config = replace(
            self._config,
            min_silence=endpointing.min_silence,
            max_silence=endpointing.max_silence,
        )
        if self._outbound is not None:
            self._outbound.put_nowait(endpointing)

    def finish_turn(self) -> None:
        """Ends the running turn without waiting for silence."""
        # Kept at its place: a stream that breaks before it has answered leaves it to the next.
        if self._kept and self._kept[-1] is not None:
            self._kept.append(None)
        if self._kept or self._outbound is not None:
            self._watched.asked()
        if self._outbound is not None:
            self._outbound.put_nowait(None)

    def _trim(self) -> None:
        untold = self._watched.unnoticed
        whole = self._in_turn or self._lost or untold or self._loop.time() < self._kept_until
        seconds = REPLAY_SECONDS if whole else QUIET_SECONDS
        while self._kept and self._kept_bytes - self._first_bytes() >= seconds * BYTES_PER_SECOND:
            self._drop_first()

    def _forget(self, before: float) -> None:
        """Keeps nothing of the first `before` seconds of the audio: they were understood."""
        while self._kept and self._kept_from + self._first_bytes() / BYTES_PER_SECOND <= before:
            self._drop_first()
        # The piece it ends in: what was said after it is in there, too.
        understood = 2 * round((before - self._kept_from) * HEARING_RATE_HZ)
        if self._kept and self._kept[0] is not None and understood > 0:
            self._kept[0] = self._kept[0][understood:]
            self._kept_bytes -= understood
            self._kept_from += understood / BYTES_PER_SECOND

    def _first_bytes(self) -> int:
        return len(self._kept[0] or b"")

    def _drop_first(self) -> None:
        dropped = self._first_bytes()
        self._kept.popleft()
        self._kept_bytes -= dropped
        self._kept_from += dropped / BYTES_PER_SECOND

    async def run(self) -> None:
        """Listens until cancelled; opens the first stream with the first audio."""
        backoff = FIRST_BACKOFF
        while True:
            await self._wanted.wait()
            opened = self._loop.time()
            failure = await self._listen()
            self._lost = True
            log(_logger, logging.WARNING, "recognition stream lost", reason=failure.reason)
            if self._loop.time() - opened > SETTLED_SECONDS:
                backoff = FIRST_BACKOFF
            elif not self._troubled and backoff > FIRST_BACKOFF:
                await self._trouble(failure)
            if self._in_turn:
                self._in_turn = False
                # After so long its beginning is not kept any more, whatever the next stream says.
                self._kept_until = self._loop.time() + REPLAY_SECONDS
                await self._heard(SpeechLost())
            await asyncio.sleep(backoff)
            backoff = min(LAST_BACKOFF, 2 * backoff)

    async def _trouble(self, failure: DependencyFailed) -> None:
        if not self._troubled:
            self._troubled = True
            await self._failed(failure)

    async def _listen(self) -> DependencyFailed:
        """Uses one stream until it fails or ends."""
        base = self._kept_from
        outbound: asyncio.Queue[_Outbound] = asyncio.Queue()
        for piece in self._kept:
            outbound.put_nowait(piece)
        # From here on: what comes while the stream is being opened is for it, too.
        self._outbound = outbound
        self._outbound_bytes = self._kept_bytes
        most_bytes = self._kept_bytes + round(BEHIND_SECONDS * BYTES_PER_SECOND)
        self._watched.opened(asked=None in self._kept)
        opening = asyncio.timeout(OPEN_SECONDS)
        try:
            async with opening, self._recogniser.open(self._config) as stream:
                opening.reschedule(None)
                await self._use(stream, outbound, base, most_bytes)
        except DependencyFailed as failure:
            return failure
        except TimeoutError:
            return DependencyFailed("asr", "does not open")
        finally:
            self._outbound = None
            self._watched.lost()
        return DependencyFailed("asr", "the stream ended")

    async def _use(
        self,
        stream: RecognitionStream,
        outbound: asyncio.Queue[_Outbound],
        base: float,
        most_bytes: int,
    ) -> None:
        using = [
            asyncio.create_task(self._receive(stream, base)),
            asyncio.create_task(self._send(stream, outbound, most_bytes)),
            asyncio.create_task(self._watch()),
        ]
        tasks = [*using, asyncio.create_task(self._settle())]
        pending = set(tasks)
        try:
            while pending.issuperset(using):
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(
        self,
        stream: RecognitionStream,
        outbound: asyncio.Queue[_Outbound],
        most_bytes: int,
    ) -> None:
        while True:
            piece = await outbound.get()
            if self._outbound_bytes > most_bytes:
                raise DependencyFailed("asr", "falls behind")
            try:
                async with asyncio.timeout(STALLED_SECONDS):
                    await self._pass_on(piece, stream)
            except TimeoutError:
                failure = DependencyFailed("asr", "takes no audio")
                await self._trouble(failure)
                raise failure from None

    async def _pass_on(self, piece: _Outbound, stream: RecognitionStream) -> None:
        match piece:
            case bytes():
                self._outbound_bytes -= len(piece)
                await stream.send(piece)
            case Endpointing():
                await stream.set_endpointing(piece)
            case None:
                await stream.finalize()

    async def _watch(self) -> None:
        """Ends when the recogniser owes an answer and does not work, or not on this stream."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._watched.suspicious() and not await self._check():
                await self._give_up("hangs")
            if self._watched.stuck():
                await self._give_up("ends no turn")
            if self._watched.deaf():
                # It may be right: not every noise is speech.
                raise DependencyFailed("asr", "hears nothing")

    async def _give_up(self, reason: str) -> None:
        failure = DependencyFailed("asr", reason)
        self._watched.given_up()
        await self._trouble(failure)
        raise failure

    async def _check(self, *, busy_will_do: bool = True) -> bool:
        """Whether the recogniser works: it recognises a little speech, or tells text meanwhile.

        One that has no time for that is no failing one; nor is it one that works again.
        """
        began, patience = self._loop.time(), self._watched.patience
        self._text_told.clear()
        trying = asyncio.create_task(
            self._recogniser.check(self._speech(), self._config.language, patience)
        )
        told = asyncio.create_task(self._text_told.wait())
        try:
            await asyncio.wait({trying, told}, timeout=patience, return_when="FIRST_COMPLETED")
            if told.done():
                return True
            if not trying.done() or isinstance(trying.exception(), DependencyFailed):
                return False
            busy = not trying.result()
            self._watched.tried(self._loop.time() - began, busy=busy)
            return busy_will_do or not busy
        finally:
            trying.cancel()
            told.cancel()
            await asyncio.gather(trying, told, return_exceptions=True)

    def _speech(self) -> bytes:
        """A little that was said, to be recognised again; of what is kept the nearest to it."""
        if not (self._troubled and self._sample):
            start, end = self._watched.speech
            self._sample = self._cut(start, end) or bytes(BYTES_PER_SECOND // 2)
        return self._sample

    def _cut(self, start: float, end: float) -> bytes:
        kept = b"".join(piece for piece in self._kept if piece is not None)
        first, last = (
            2 * max(0, round((moment - self._kept_from) * HEARING_RATE_HZ))
            for moment in (start, end)
        )
        return kept[first:last]

    async def _settle(self) -> None:
        """After a while the stream works; after trouble, once its server shows that it is there."""
        await asyncio.sleep(SETTLED_SECONDS)
        while self._troubled:
            if await self._check(busy_will_do=False):
                self._troubled = False
                await self._recovered()
                break
            await asyncio.sleep(SETTLED_SECONDS)
        self._lost = False

    async def _receive(self, stream: RecognitionStream, base: float) -> None:
        async for event in stream.events():
            await self._take(event, base)

    async def _take(self, event: SpeechEvent, base: float) -> None:
        def at(seconds: float) -> float:
            return self._timeline.at(base + seconds)

        def placed(words: tuple[SpokenWord, ...]) -> tuple[SpokenWord, ...]:
            return tuple(replace(word, start=at(word.start), end=at(word.end)) for word in words)

        if self._watched.told(event, base):
            self._text_told.set()
        match event:
            case Answered():
                await self._heard(event)
            case PauseHeard():
                await self._heard(replace(event, end=at(event.end)))
            case SpeechBegan():
                self._in_turn = True
                await self._heard(SpeechBegan(at(event.start)))
            case PartialHeard():
                await self._heard(event)
            case ProbablyEnded():
                await self._heard(
                    ProbablyEnded(event.text, placed(event.words), at(event.start), at(event.end))
                )
            case WentOn():
                await self._heard(WentOn(at(event.start)))
            case TurnEnded():
                self._in_turn = False
                self._forget(base + event.end)
                self._ends.append((at(event.end), base + event.end))
                # The next turn may be under way already, and be told of right behind this one.
                self._kept_until = self._loop.time() + SETTLED_SECONDS
                await self._heard(
                    replace(
                        event, words=placed(event.words), start=at(event.start), end=at(event.end)
                    )
                )
