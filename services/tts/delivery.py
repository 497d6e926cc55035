"""How one segment differs from what its stream asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.runtime.errors import InvalidField
from services.tts.speaker import SpeechOptions
from services.tts.speech import Voice
from services.tts.styles import Style
from services.tts.voices import VoiceBook


@dataclass(frozen=True, slots=True)
class SegmentDelivery:
    """What is set for a segment; None leaves it as the stream has it.

    Attributes:
        voice: A voice's name.
        language: BCP 47 tag.
        style: How the text is meant.
        speed: Relative to the voice's own.
        pitch_semitones: Shift.
    """

    voice: str | None = None
    language: str | None = None
    style: Style | None = None
    speed: float | None = None
    pitch_semitones: float | None = None


def deliver(
    options: SpeechOptions, delivery: SegmentDelivery, book: VoiceBook, field: str
) -> SpeechOptions:
    """The stream's options with a segment's own in their place.

    Raises:
        NotFound: There is no such voice.
        InvalidField: The voice cannot do what is asked; names the part of `field` at fault.
    """
    voice = options.voice
    if delivery.voice is not None:
        voice = book.named(delivery.voice, f"{field}.voice")
    language = options.language
    if delivery.language is not None:
        language = delivery.language
    elif delivery.voice is not None and voice is not None and language is not None:
        # The stream's language need not be one of the segment's own voice.
        language = language if voice.speaks(language) else None
    pitch = options.pitch_semitones
    if delivery.pitch_semitones is not None:
        pitch = delivery.pitch_semitones
    speaking = check_voice(voice, language, pitch, book, field)
    return replace(
        options,
        voice=voice,
        language=language,
        style=delivery.style or options.style,
        speed=options.speed if delivery.speed is None else delivery.speed,
        pitch_semitones=pitch,
        reference=options.reference if speaking.voice_cloning else None,
    )


def check_voice(
    voice: Voice | None, language: str | None, pitch_semitones: float, book: VoiceBook, field: str
) -> Voice:
    """Who speaks, as far as that is known before the text.

    Raises:
        InvalidField: The voice lacks the language or pitch control; names the part of `field`.
    """
    if voice is not None and language is not None and not voice.speaks(language):
        raise InvalidField(
            f"{field}.language",
            f"voice {voice.id!r} speaks {', '.join(voice.languages)}, not {language!r}",
        )
    speaking = voice or book.default_for(language or "en", f"{field}.language")
    if pitch_semitones and not speaking.pitch_control:
        raise InvalidField(
            f"{field}.pitch_semitones", f"voice {speaking.id!r} has no pitch control"
        )
    return speaking
