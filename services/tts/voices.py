"""Which voice speaks what."""

from __future__ import annotations

from collections.abc import Sequence

from services.runtime.errors import InvalidField, NotFound, ResourceMissing
from services.tts.normalization import foreign_script, has_han, is_mostly_han
from services.tts.romanization import can_romanize
from services.tts.speech import Synthesizer, Voice, primary

CHINESE = "zh"
ENGLISH = "en"


def detect_language(text: str) -> str:
    """Chinese as soon as one Chinese character is in it (its voices speak English too)."""
    return CHINESE if has_han(text) else ENGLISH


def _is_aside(text: str, language: str | None) -> bool:
    """Whether the Chinese of a text stands in one of another language, and can be read out."""
    told = language is not None and primary(language) != CHINESE
    return (told or not is_mostly_han(text)) and can_romanize()


class VoiceBook:
    """The voices of all engines."""

    def __init__(self, engines: Sequence[Synthesizer], default_voice: str) -> None:
        """Collects the voices.

        Raises:
            ResourceMissing: The default voice is none of them, or two share a name.
        """
        self._engines: dict[str, Synthesizer] = {}
        voices: dict[str, Voice] = {}
        for engine in engines:
            for voice in engine.voices:
                if voice.id in voices:
                    raise ResourceMissing(
                        f"two voices are called {voice.id!r}", "rename one of their model files"
                    )
                voices[voice.id] = voice
                self._engines[voice.id] = engine
        if default_voice not in voices:
            raise ResourceMissing(
                f"the default voice {default_voice!r} is none of: {', '.join(voices)}",
                "set VIVA_TTS_DEFAULT_VOICE to one of them",
            )
        self._default = voices[default_voice]
        self._voices = voices

    @property
    def default(self) -> Voice:
        """Who speaks when nobody is asked for."""
        return self._default

    def all(self, language: str | None = None) -> list[Voice]:
        """The voices, the default first; of one language, if given."""
        ordered = sorted(self._voices.values(), key=lambda voice: voice is not self._default)
        return [voice for voice in ordered if language is None or voice.speaks(language)]

    def engine(self, voice: Voice) -> Synthesizer:
        """The engine of a voice."""
        return self._engines[voice.id]

    def named(self, name: str, field: str) -> Voice:
        """The voice of this name, which `field` holds.

        Raises:
            NotFound: There is none.
        """
        voice = self._voices.get(name)
        if voice is None:
            raise NotFound("voice", name, field)
        return voice

    def default_for(self, language: str, field: str) -> Voice:
        """The default voice of a language.

        Raises:
            InvalidField: No voice speaks it; `field` is at fault.
        """
        for voice in self.all(language):
            return voice
        known = sorted({primary(tag) for voice in self._voices.values() for tag in voice.languages})
        raise InvalidField(
            field, f"no voice speaks {language!r}; this server speaks {', '.join(known)}"
        )

    def for_text(self, text: str, voice: Voice | None, language: str | None, field: str) -> Voice:
        """Who speaks a text.

        A voice without Chinese says what is Chinese in a text of another language by its pinyin.

        Args:
            text: The text.
            voice: The voice asked for, if one was.
            language: The language asked for, if one was.
            field: The field with the text.

        Raises:
            InvalidField: The voice asked for, or every voice, lacks the text's language.
        """
        if script := foreign_script(text):
            raise InvalidField(field, f"no voice here speaks {script} text")
        spoken = detect_language(text)
        if voice is None:
            # A Chinese phrase in English text is better said by another voice than not at all.
            wanted = spoken if language is None or spoken == CHINESE else language
            return self.default_for(wanted, field)
        if spoken == CHINESE and not voice.speaks(CHINESE) and not _is_aside(text, language):
            able = ", ".join(other.id for other in self.all(CHINESE)) or "none here"
            raise InvalidField(
                field, f"voice {voice.id!r} does not speak Chinese; voices that do: {able}"
            )
        return voice
