"""The interviewer's lines as sound: made ahead of their use, and read when their moment comes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.interview.clients.seams import (
    Style,
    Synthesiser,
    VoiceConfig,
)
from services.interview.conversation.speech import PreparedSpeech
from services.interview.conversation.state import Prepared
from services.interview.conversation.voice_watch import VoiceWatch
from services.interview.events import AudioFormat
from services.interview.interviewer.personas import Cast
from services.interview.record import InterviewSettings, Phase


class Voice:
    """Turns lines into speech in a client's format."""

    def __init__(
        self,
        synthesiser: Synthesiser,
        config: VoiceConfig,
        styles: Mapping[Phase, Style],
        tasks: asyncio.TaskGroup,
        watch: VoiceWatch,
    ) -> None:
        self._synthesiser = synthesiser
        self._config = config
        self._styles = styles
        self._tasks = tasks
        self._watch = watch

    def say(self, text: str, phase: Phase, *, ahead: bool) -> PreparedSpeech:
        """Starts making the speech of a text."""
        speech = PreparedSpeech(text, self._tasks)
        style = self._styles.get(phase, Style.NEUTRAL)
        speech.synthesise(self._synthesiser, replace(self._config, style=style, ahead=ahead))
        self._watch.owes(speech)
        return speech


def voice_for(
    settings: InterviewSettings,
    cast: Cast,
    output: AudioFormat | None,
    synthesiser: Synthesiser,
    tasks: asyncio.TaskGroup,
    watch: VoiceWatch,
) -> Voice | None:
    """The interviewer's voice in a client's format; without one it only writes."""
    if output is None:
        return None
    config = VoiceConfig(settings.language, cast.voice, output)
    return Voice(synthesiser, config, cast.styles, tasks, watch)


class Stock:
    """The lines that were made, by their text and the phase they belong to."""

    def __init__(self) -> None:
        self._voice: Voice | None = None
        self._made: dict[tuple[str, Phase], PreparedSpeech] = {}

    def set_voice(self, voice: Voice | None) -> None:
        """Throws everything away, for another voice or format."""
        self.clear()
        self._voice = voice

    def prepare(self, lines: Sequence[Prepared]) -> None:
        """Has these lines made, and gives the others up."""
        wanted = {(line.text, line.phase) for line in lines}
        for name in [name for name in self._made if name not in wanted]:
            self._made.pop(name).discard()
        for line in lines:
            self._make(line.text, line.phase, ahead=line.ahead)

    def _make(self, text: str, phase: Phase, *, ahead: bool) -> PreparedSpeech | None:
        made = self._made.get((text, phase))
        if made is None or not made.usable:
            if self._voice is None:
                return None
            made = self._made[text, phase] = self._voice.say(text, phase, ahead=ahead)
        return made

    def take(self, text: str, phase: Phase) -> PreparedSpeech | None:
        """The sound of a line that is said now, the taker's from here on; None without a voice."""
        speech = self._make(text, phase, ahead=False)
        self._made.pop((text, phase), None)
        return speech

    def clear(self) -> None:
        """Throws everything away."""
        for speech in self._made.values():
            speech.discard()
        self._made.clear()
