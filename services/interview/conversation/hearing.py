"""Listening to the candidate through one long recognition stream, mended when it breaks.

The stream's times are re-based on the interview's clock. When the stream fails, a new one is opened
and hears again the running turn, and all that has come since, so that no word is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np

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

LATE_SECONDS = 1.0
"""Speech was told of so long after it began at the latest, if it is too low to be noticed here."""
SETTLED_SECONDS = 1.0
"""A stream that lasted so long works; what began during a turn has been told so long after it."""
OPEN_SECONDS = 2.0
"""A stream that takes longer to open does not open."""
STALLED_SECONDS = 2.5
"""A stream that takes no audio for so long does not work."""
SILENT_SECONDS = 1.2
"""A recogniser that should have something to tell, and tells nothing for so long, is asked whether
it is there."""
LOUD_SECONDS = 0.8
"""So much sound that may be speech is something to tell."""
WATCH_SECONDS = 0.3
"""Between two looks at whether it should."""
CHECKED_SECONDS = 3.0
"""Who was there is not asked again for so long."""
DEAF_SECONDS = 8.0
"""A stream on which so much sound was not answered is given up, even if its server is there."""
FADING = 0.25
"""Of sound that was followed by quiet so much is forgotten a second."""
LOUD = 300.0
"""Root mean square of 16-bit samples (-41 dBFS) that may be speech; and so many times the quietest
there was:"""
ABOVE_FLOOR = 4.0
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
        self._outbound: asyncio.Queue[_Outbound] | None = None
        self._outbound_bytes = 0
        self._troubled = False
        # What the recogniser owes an answer to: sound since it told something last, and an end
        # of turn that was asked for.
        self._loud = 0.0
        self._floor = LOUD
        self._asked_at: float | None = None
        self._told_at = self._heard_at = 0.0
        self._checked_at = -CHECKED_SECONDS
        # At first, and from the loss of a stream, until one has lasted.
        self._lost = True
        self._loop = asyncio.get_running_loop()
        self._wanted = asyncio.Event()

    def hear(self, audio: bytes) -> None:
        """Takes 16-bit mono samples at `HEARING_RATE_HZ`."""
        self._timeline.add(len(audio) / BYTES_PER_SECOND)
        self._heard_at = self._loop.time()
        seconds = len(audio) / BYTES_PER_SECOND
        if self._is_loud(audio):
            self._loud += seconds
        else:
            self._loud = max(0.0, self._loud - FADING * seconds)
        self._kept.append(audio)
        self._kept_bytes += len(audio)
        self._trim()
        self._wanted.set()
        if self._outbound is not None:
            self._outbound.put_nowait(audio)
            self._outbound_bytes += len(audio)

    def _is_loud(self, audio: bytes) -> bool:
        """Whether it may be speech."""
        samples = np.frombuffer(audio, dtype="<i2").astype(np.float32)
        level = float(np.sqrt(np.mean(samples * samples))) if samples.size else 0.0
        self._floor = min(level, self._floor) + 0.01 * max(0.0, level - self._floor)
        return level > max(LOUD, ABOVE_FLOOR * self._floor)

    @property
    def settled(self) -> float:
        """Seconds of the audio that no recogniser has to hear again: nothing untold is in them."""
        unsent = self._outbound_bytes if self._outbound is not None else 0
        late = LATE_SECONDS + unsent / BYTES_PER_SECOND
        return max(0.0, min(self._kept_from, self._timeline.received - late))

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
        if self._asked_at is None:
            self._asked_at = self._loop.time()
        if self._outbound is not None:
            self._outbound.put_nowait(None)

    def _trim(self) -> None:
        untold = self._loud > 0.0
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
        self._told_at = self._loop.time()
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
            asyncio.create_task(self._watch()),
            asyncio.create_task(self._settle()),
        ]
        try:
            done, _ = await asyncio.wait(tasks[:3], return_when=asyncio.FIRST_COMPLETED)
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
        """Ends when the recogniser owes an answer and shows no sign of life."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if not self._owes():
                continue
            now = self._loop.time()
            if now - self._checked_at > CHECKED_SECONDS:
                await self._check()
                self._checked_at = self._loop.time()
            if self._loud > DEAF_SECONDS and now - self._told_at > DEAF_SECONDS:
                raise DependencyFailed("asr", "hears nothing")

    def _owes(self) -> bool:
        """Whether the recogniser should have told something by now."""
        now = self._loop.time()
        flowing = now - self._heard_at < SILENT_SECONDS
        silent = now - self._told_at > SILENT_SECONDS
        due = self._in_turn or self._loud >= LOUD_SECONDS
        asked = self._asked_at is not None and now - self._asked_at > SILENT_SECONDS
        return silent and (asked or (flowing and due))

    async def _check(self) -> None:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                await self._recogniser.check()
        except (TimeoutError, DependencyFailed):
            failure = DependencyFailed("asr", "hangs")
            await self._trouble(failure)
            raise failure from None

    async def _settle(self) -> None:
        """After a while the stream works; after trouble, once its server shows that it is there."""
        await asyncio.sleep(SETTLED_SECONDS)
        while self._troubled:
            with suppress(DependencyFailed):
                await self._check()
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

        self._told_at = self._loop.time()
        self._loud, self._asked_at = 0.0, None
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
                # The next turn may be under way already, and be told of right behind this one.
                self._kept_until = self._loop.time() + SETTLED_SECONDS
                await self._heard(
                    replace(
                        event, words=placed(event.words), start=at(event.start), end=at(event.end)
                    )
                )
