"""Has the lines that are said often ready in every voice and style in use, while nobody waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from services.runtime.batching import Priority
from services.runtime.errors import ResourceMissing, ServiceError
from services.runtime.logs import log
from services.tts.normalization import Utterance, normalize
from services.tts.phrasing import Phraser
from services.tts.speaker import Speaker, SpeechOptions
from services.tts.styles import Style
from services.tts.voices_in_use import Use, VoicesInUse

_logger = logging.getLogger(__name__)


def read_lines(file: Path) -> list[str]:
    """The lines of a text file, without the empty ones.

    Raises:
        ResourceMissing: It is not there, or no text.
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResourceMissing(
            f"the frequent lines cannot be read from {file} ({type(error).__name__})",
            "set VIVA_TTS_FREQUENT_LINES to a text file in UTF-8, or unset it",
        ) from None
    return [line for line in map(str.strip, text.splitlines()) if line]


class FrequentLines:
    """Makes lines ahead."""

    def __init__(
        self, speaker: Speaker, lines: Sequence[str], in_use: VoicesInUse, *, quiet: float = 2.0
    ) -> None:
        """Takes what to make.

        Args:
            speaker: Who makes them.
            lines: The lines; each is cut into phrases as a request's text would be.
            in_use: The voices and styles to make them in; the default voice is always one of them.
            quiet: Seconds without a live request before one phrase is made: a phrase in the making
                cannot be interrupted.
        """
        self._speaker = speaker
        self._lines = lines
        self._in_use = in_use
        self._quiet = quiet
        self._made: set[Use] = set()
        self._settled = asyncio.Event()

    async def run(self) -> None:
        """Makes what is missing, whenever a voice or a style comes into use; until cancelled."""
        default = Use(self._speaker.book.default.id, Style.NEUTRAL)
        while True:
            for use in [default, *self._in_use.all()]:
                if use not in self._made:
                    self._made.add(use)
                    await self._make(use)
            if all(use in self._made for use in self._in_use.all()):
                self._settled.set()
                try:
                    await self._in_use.changed()
                except OSError as error:
                    log(_logger, logging.WARNING, "voices in use not kept", why=str(error))
                self._settled.clear()

    async def settled(self) -> None:
        """Waits until nothing is missing."""
        await self._settled.wait()

    async def _make(self, use: Use) -> None:
        """Makes the lines for one use; one that cannot be made is passed over."""
        book = self._speaker.book
        voice = next((voice for voice in book.all() if voice.id == use.voice), None)
        if voice is None:
            # It was in use before the engines were changed.
            return
        options = SpeechOptions(style=use.style, priority=Priority.BATCH)
        for number, line in enumerate(self._lines, start=1):
            try:
                speaking = book.for_text(line, voice, None, "text")
                for utterance in _utterances(line):
                    await self._speaker.keep(
                        utterance, speaking, replace(options, voice=speaking), quiet=self._quiet
                    )
            except Exception as error:  # noqa: BLE001 - nobody asked for it; the next may do
                why = error.reason if isinstance(error, ServiceError) else type(error).__name__
                log(
                    _logger, logging.INFO, "frequent line not made",
                    line=number, voice=use.voice, why=why,
                )  # fmt: skip


def _utterances(line: str) -> Iterator[Utterance]:
    phraser = Phraser()
    for phrase in phraser.feed(line) + phraser.flush():
        utterance = normalize(phrase.text)
        if utterance is not None:
            yield utterance
