"""Speech made ahead of its use: it fills in the background and is read when its moment comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from services.interview.clients.seams import (
    DependencyFailed,
    SpeechPiece,
    Synthesiser,
    VoiceConfig,
)
from services.interview.events import AudioFormat


class PreparedSpeech:
    """A text and its speech as it comes in.

    `started` is set as soon as there is something to play, or nothing to hope for.
    """

    def __init__(self, text: str, owner: asyncio.TaskGroup) -> None:
        """Takes the text; `owner` awaits the work."""
        self.text = text
        self.started = asyncio.Event()
        self._owner = owner
        self._pieces: list[SpeechPiece] = []
        self._changed = asyncio.Event()
        self._done = self._discarded = False
        self._looked_at = 0
        self._failure: DependencyFailed | None = None
        self.format: AudioFormat | None = None
        """What the audio was asked for in; None before."""
        self._task: asyncio.Task[None] | None = None

    @property
    def audible(self) -> bool:
        """Whether there is audio to play."""
        return bool(self._pieces)

    @property
    def failure(self) -> DependencyFailed | None:
        """Why the audio is missing or incomplete."""
        return self._failure

    def synthesise(self, synthesiser: Synthesiser, config: VoiceConfig) -> None:
        """Starts making the audio."""
        self.format = config.format
        self._task = self._owner.create_task(self._fill(synthesiser, config))

    async def _fill(self, synthesiser: Synthesiser, config: VoiceConfig) -> None:
        try:
            async with aclosing(synthesiser.speak(self.text, config)) as pieces:
                async for piece in pieces:
                    self._pieces.append(piece)
                    self.started.set()
                    self._wake()
        except DependencyFailed as failure:
            self._failure = failure
        finally:
            self._done = True
            self.started.set()
            self._wake()

    async def begun(self, patience: float) -> bool:
        """Waits until there is audio to play; gives up what has none after `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self.started.wait()
        except TimeoutError:
            self.discard()
        return self.audible

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def pieces(self) -> AsyncIterator[SpeechPiece]:
        """The audio from its beginning, waiting for what is still being made.

        Raises:
            DependencyFailed: After the pieces there are, if the rest could not be made.
        """
        index = 0
        while True:
            changed = self._changed
            if index < len(self._pieces):
                yield self._pieces[index]
                index += 1
            elif self._done:
                break
            else:
                await changed.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def awaited(self) -> bool:
        """Whether there is more to come."""
        return not (self._done or self._discarded)

    def looked_at(self) -> bool:
        """Whether there is news since it was asked last: more audio, or the end of it."""
        before, self._looked_at = self._looked_at, len(self._pieces) + self._done
        return self._looked_at > before and not self._discarded

    @property
    def usable(self) -> bool:
        """Whether it may still be played: neither given up nor failed."""
        return not self._discarded and self._failure is None

    def discard(self) -> None:
        """Gives the work up."""
        self._discarded = True
        if self._task is not None:
            self._task.cancel()
