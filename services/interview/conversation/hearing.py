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
    DependencyFailed,
    Endpointing,
    HearingConfig,
    PartialHeard,
    ProbablyEnded,
    Recogniser,
    RecognitionStream,
    SpeechBegan,
    SpeechEvent,
    TurnEnded,
    WentOn,
)
from services.interview.conversation.clock import AudioTimeline
from services.interview.record import SpokenWord
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

BYTES_PER_SECOND = 2 * HEARING_RATE_HZ
REPLAY_SECONDS = 120.0
"""Audio kept of a running turn, and while no stream works: of more, the beginning is lost."""
QUIET_SECONDS = 0.5
"""Audio kept outside a turn, so that a new stream hears how the next one begins."""
FIRST_BACKOFF = 0.1
LAST_BACKOFF = 2.0
"""Seconds between attempts to open a stream, doubling from the first to the last."""

SETTLED_SECONDS = 1.0
"""A stream that lasted so long works."""
STALLED_SECONDS = 10.0
"""A stream that takes no audio for so long does not."""
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
        self._kept: deque[bytes] = deque()
        self._kept_from = 0.0
        self._kept_bytes = 0
        self._in_turn = False
        self._eager = False
        self._outbound: asyncio.Queue[_Outbound] | None = None
        self._outbound_bytes = 0
        self._troubled = False
        # At first, and from the loss of a stream, until one has lasted.
        self._lost = True
        self._loop = asyncio.get_running_loop()
        self._wanted = asyncio.Event()

    def hear(self, audio: bytes) -> None:
        """Takes 16-bit mono samples at `HEARING_RATE_HZ`."""
        self._timeline.add(len(audio) / BYTES_PER_SECOND)
        self._kept.append(audio)
        self._kept_bytes += len(audio)
        self._trim()
        self._wanted.set()
        if self._outbound is not None:
            self._outbound.put_nowait(audio)
            self._outbound_bytes += len(audio)

    @property
    def in_turn(self) -> bool:
        """Whether the candidate has begun to speak, and not finished."""
        return self._in_turn

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
        if self._outbound is not None:
            self._outbound.put_nowait(None)

    def _trim(self) -> None:
        seconds = REPLAY_SECONDS if self._in_turn or self._lost else QUIET_SECONDS
        while self._kept and self._kept_bytes - len(self._kept[0]) >= seconds * BYTES_PER_SECOND:
            self._drop_first()

    def _forget(self, before: float) -> None:
        """Keeps nothing of the first `before` seconds of the audio: they were understood."""
        while self._kept and self._kept_from + len(self._kept[0]) / BYTES_PER_SECOND <= before:
            self._drop_first()

    def _drop_first(self) -> None:
        dropped = self._kept.popleft()
        self._kept_bytes -= len(dropped)
        self._kept_from += len(dropped) / BYTES_PER_SECOND

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
                self._troubled = True
                await self._failed(failure)
            if self._eager:
                self._eager = False
                await self._heard(WentOn(self._timeline.at(self._timeline.received)))
            await asyncio.sleep(backoff)
            backoff = min(LAST_BACKOFF, 2 * backoff)

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
        try:
            async with self._recogniser.open(self._config) as stream:
                await self._use(stream, outbound, base, most_bytes)
        except DependencyFailed as failure:
            return failure
        finally:
            self._outbound = None
        return DependencyFailed("asr", "the stream ended")

    async def _use(
        self,
        stream: RecognitionStream,
        outbound: asyncio.Queue[_Outbound],
        base: float,
        most_bytes: int,
    ) -> None:
        tasks = [
            asyncio.create_task(self._receive(stream, base)),
            asyncio.create_task(self._send(stream, outbound, most_bytes)),
            asyncio.create_task(self._settle()),
        ]
        try:
            done, _ = await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
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
                raise DependencyFailed("asr", "takes no audio") from None

    async def _pass_on(self, piece: _Outbound, stream: RecognitionStream) -> None:
        match piece:
            case bytes():
                self._outbound_bytes -= len(piece)
                await stream.send(piece)
            case Endpointing():
                await stream.set_endpointing(piece)
            case None:
                await stream.finalize()

    async def _settle(self) -> None:
        await asyncio.sleep(SETTLED_SECONDS)
        self._lost = False
        if self._troubled:
            self._troubled = False
            await self._recovered()

    async def _receive(self, stream: RecognitionStream, base: float) -> None:
        async for event in stream.events():
            await self._take(event, base)

    async def _take(self, event: SpeechEvent, base: float) -> None:
        def at(seconds: float) -> float:
            return self._timeline.at(base + seconds)

        def placed(words: tuple[SpokenWord, ...]) -> tuple[SpokenWord, ...]:
            return tuple(replace(word, start=at(word.start), end=at(word.end)) for word in words)

        match event:
            case SpeechBegan():
                if self._in_turn:
                    return
                self._in_turn = True
                await self._heard(SpeechBegan(at(event.start)))
            case PartialHeard():
                await self._heard(event)
            case ProbablyEnded():
                self._eager = True
                await self._heard(
                    ProbablyEnded(event.text, placed(event.words), at(event.start), at(event.end))
                )
            case WentOn():
                self._eager = False
                await self._heard(WentOn(at(event.start)))
            case TurnEnded():
                self._in_turn = self._eager = False
                self._forget(base + event.end)
                self._trim()
                await self._heard(
                    replace(
                        event, words=placed(event.words), start=at(event.start), end=at(event.end)
                    )
                )
