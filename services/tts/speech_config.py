"""The contract's settings of speech to the domain's."""

from __future__ import annotations

import asyncio

from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2

from services.runtime.audio.encoding import Encoding, encodable_rate
from services.runtime.errors import InvalidField, InvalidFields
from services.runtime.stats import priority
from services.tts.delivery import SegmentDelivery, check_voice
from services.tts.pronunciation import word_key
from services.tts.reference import ReferenceVoices
from services.tts.segment import Output
from services.tts.speaker import SpeechOptions
from services.tts.speech import Reference
from services.tts.styles import Style
from services.tts.voices import VoiceBook

STYLES = {
    tts_pb2.STYLE_UNSPECIFIED: Style.NEUTRAL,
    tts_pb2.STYLE_NEUTRAL: Style.NEUTRAL,
    tts_pb2.STYLE_WELCOMING: Style.WELCOMING,
    tts_pb2.STYLE_ENCOURAGING: Style.ENCOURAGING,
    tts_pb2.STYLE_THANKFUL: Style.THANKFUL,
    tts_pb2.STYLE_CHEERFUL: Style.CHEERFUL,
    tts_pb2.STYLE_CALM: Style.CALM,
}
_ENCODINGS = {
    serving_pb2.AUDIO_ENCODING_UNSPECIFIED: Encoding.PCM_S16LE,
    serving_pb2.AUDIO_ENCODING_PCM_S16LE: Encoding.PCM_S16LE,
    serving_pb2.AUDIO_ENCODING_PCM_F32LE: Encoding.PCM_F32LE,
    serving_pb2.AUDIO_ENCODING_MULAW: Encoding.MULAW,
    serving_pb2.AUDIO_ENCODING_ALAW: Encoding.ALAW,
    serving_pb2.AUDIO_ENCODING_WAV: Encoding.WAV,
    serving_pb2.AUDIO_ENCODING_FLAC: Encoding.FLAC,
    serving_pb2.AUDIO_ENCODING_OGG_OPUS: Encoding.OGG_OPUS,
}
# The unspecified one is never sent.
WIRE_ENCODINGS = {encoding: wire for wire, encoding in _ENCODINGS.items() if wire}


class ConfigReader:
    """Reads `SpeechConfig`s and `SegmentDelivery`s."""

    def __init__(self, book: VoiceBook, references: ReferenceVoices) -> None:
        """Takes who can speak, and the reference voices that callers have sent."""
        self._book = book
        self._references = references

    async def read(self, config: tts_pb2.SpeechConfig) -> tuple[SpeechOptions, Output]:
        """What a config asks for.

        Raises:
            NotFound: There is no such voice or reference voice.
            InvalidFields: The voice or the encoding cannot do it.
        """
        voice = self._book.named(config.voice, "config.voice") if config.HasField("voice") else None
        language = config.language if config.HasField("language") else None
        speaking = check_voice(voice, language, config.pitch_semitones, self._book, "config")
        reference = None
        if config.HasField("reference_voice"):
            if not speaking.voice_cloning:
                raise InvalidField(
                    "config.reference_voice", f"voice {speaking.id!r} cannot take on another voice"
                )
            reference = await self._reference(config.reference_voice)
            # A reference is for one voice; the text's language cannot choose another.
            voice = speaking
        sampling = config.sampling
        options = SpeechOptions(
            voice=voice,
            language=language,
            style=STYLES[config.style],
            speed=config.speed if config.HasField("speed") else 1.0,
            pitch_semitones=config.pitch_semitones,
            pronunciations=_pronunciations(config),
            reference=reference,
            temperature=sampling.temperature if sampling.HasField("temperature") else None,
            top_k=sampling.top_k if sampling.HasField("top_k") else None,
            top_p=sampling.top_p if sampling.HasField("top_p") else None,
            seed=sampling.seed if sampling.HasField("seed") else None,
            priority=priority(config.priority),
        )
        return options, _output(config)

    async def _reference(self, given: tts_pb2.ReferenceVoice) -> Reference:
        transcript = given.transcript if given.HasField("transcript") else None
        if given.WhichOneof("source") == "digest":
            return self._references.named(given.digest, transcript)
        return await asyncio.to_thread(self._references.take, given.audio, transcript)


def segment_delivery(piece: tts_pb2.SegmentText) -> SegmentDelivery | None:
    """How a segment is to be spoken, if its first piece says so."""
    if not piece.HasField("delivery"):
        return None
    given = piece.delivery
    return SegmentDelivery(
        voice=given.voice if given.HasField("voice") else None,
        language=given.language if given.HasField("language") else None,
        style=STYLES[given.style] if given.HasField("style") else None,
        speed=given.speed if given.HasField("speed") else None,
        pitch_semitones=given.pitch_semitones if given.HasField("pitch_semitones") else None,
    )


def _pronunciations(config: tts_pb2.SpeechConfig) -> tuple[tuple[str, str], ...]:
    wrong = [
        (f"config.pronunciations[{index}].ipa", "has no phoneme in it")
        for index, given in enumerate(config.pronunciations)
        if not any(character.isalpha() for character in given.ipa)
    ]
    if wrong:
        raise InvalidFields(wrong)
    given_last = {word_key(given.word): given.ipa for given in config.pronunciations}
    return tuple(sorted(given_last.items()))


def _output(config: tts_pb2.SpeechConfig) -> Output:
    encoding = _ENCODINGS[config.format.encoding]
    if config.format.HasField("channels") and config.format.channels != 1:
        raise InvalidField("config.format.channels", "speech is made with one channel")
    if not config.format.HasField("sample_rate_hz"):
        return Output(encoding)
    rate = config.format.sample_rate_hz
    if encodable_rate(encoding, rate) != rate:
        raise InvalidField(
            "config.format.sample_rate_hz",
            f"Opus has rates of 8, 12, 16, 24 and 48 kHz, not {rate} Hz",
        )
    return Output(encoding, rate)
