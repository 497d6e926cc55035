"""The contract's messages to the domain and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeAlias

import grpc
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.runtime.audio.encoding import Encoding, encodable_rate
from services.runtime.draining import until_draining
from services.runtime.errors import InvalidField, InvalidFields
from services.runtime.request import current_request
from services.runtime.stats import duration, priority, stats
from services.tts.marks import WordMark
from services.tts.normalization import can_be_said
from services.tts.pronunciation import word_key
from services.tts.reference import read_reference
from services.tts.segment import MAX_CHARACTERS, Caller, Chunk, Done, Output, Segment, Urgency
from services.tts.speaker import Speaker, SpeechOptions
from services.tts.speech import Gender, Synthesizer, Voice
from services.tts.speech_stream import SpeechStream
from services.tts.styles import Style

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_STYLES = {
    tts_pb2.STYLE_UNSPECIFIED: Style.NEUTRAL,
    tts_pb2.STYLE_NEUTRAL: Style.NEUTRAL,
    tts_pb2.STYLE_WELCOMING: Style.WELCOMING,
    tts_pb2.STYLE_ENCOURAGING: Style.ENCOURAGING,
    tts_pb2.STYLE_THANKFUL: Style.THANKFUL,
    tts_pb2.STYLE_CHEERFUL: Style.CHEERFUL,
    tts_pb2.STYLE_CALM: Style.CALM,
}
_GENDERS = {
    Gender.UNSPECIFIED: tts_pb2.GENDER_UNSPECIFIED,
    Gender.FEMALE: tts_pb2.GENDER_FEMALE,
    Gender.MALE: tts_pb2.GENDER_MALE,
}
_ENCODINGS = {
    serving_pb2.AUDIO_ENCODING_UNSPECIFIED: Encoding.PCM_S16LE,
    serving_pb2.AUDIO_ENCODING_PCM_S16LE: Encoding.PCM_S16LE,
    serving_pb2.AUDIO_ENCODING_PCM_F32LE: Encoding.PCM_F32LE,
    serving_pb2.AUDIO_ENCODING_WAV: Encoding.WAV,
    serving_pb2.AUDIO_ENCODING_FLAC: Encoding.FLAC,
    serving_pb2.AUDIO_ENCODING_OGG_OPUS: Encoding.OGG_OPUS,
}
# The unspecified one is never sent.
_WIRE_ENCODINGS = {encoding: wire for wire, encoding in _ENCODINGS.items() if wire}


class TtsServicer(tts_pb2_grpc.TtsServiceServicer):
    """Serves `viva.tts.v1.TtsService`."""

    def __init__(self, speaker: Speaker, engines: list[Synthesizer], urgency: Urgency) -> None:
        self._speaker = speaker
        self._engines = engines
        self._urgency = urgency

    async def ListVoices(
        self, request: tts_pb2.ListVoicesRequest, context: Context
    ) -> tts_pb2.ListVoicesResponse:
        """Lists the voices, the default first."""
        language = request.language if request.HasField("language") else None
        return tts_pb2.ListVoicesResponse(
            voices=[self._voice(voice) for voice in self._speaker.book.all(language)]
        )

    async def ListModels(
        self, request: tts_pb2.ListModelsRequest, context: Context
    ) -> tts_pb2.ListModelsResponse:
        """Lists the models, the default voice's first."""
        default = self._speaker.book.engine(self._speaker.book.default)
        ordered = sorted(self._engines, key=lambda engine: engine is not default)
        return tts_pb2.ListModelsResponse(
            models=[_model(engine, is_default=engine is default) for engine in ordered]
        )

    async def Synthesize(
        self, request: tts_pb2.SynthesizeRequest, context: Context
    ) -> AsyncIterator[tts_pb2.SynthesizeResponse]:
        """Speaks a whole text."""
        if not can_be_said(request.text):
            raise InvalidField("text", "has no letter or digit to speak")
        options, output = await self._read_config(request.config)
        # One voice for the whole text, whatever its first phrase is in.
        voice = self._speaker.book.for_text(request.text, options.voice, options.language, "text")
        stream = SpeechStream(
            lambda name: self._segment(name, replace(options, voice=voice), output, "text")
        )
        stream.text("", request.text, last=True)
        stream.close()
        async with aclosing(stream.messages()) as messages:
            async for _, message in messages:
                match message:
                    case Chunk():
                        yield tts_pb2.SynthesizeResponse(chunk=_chunk("", message, output))
                    case Done():
                        yield tts_pb2.SynthesizeResponse(done=_done("", message))

    async def StreamingSynthesize(
        self, request_iterator: AsyncIterator[tts_pb2.StreamingSynthesizeRequest], context: Context
    ) -> AsyncIterator[tts_pb2.StreamingSynthesizeResponse]:
        """Speaks text that is still being written."""
        first = await anext(request_iterator, None)
        if first is None:
            return
        if first.WhichOneof("message") != "config":
            raise InvalidField("config", "the first message must be the config")
        options, output = await self._read_config(first.config)
        stream = SpeechStream(lambda name: self._segment(name, options, output, "text.text"))
        reader = asyncio.create_task(_read(request_iterator, stream), name="tts-reader")
        try:
            async with aclosing(stream.messages()) as messages:
                async for segment, message in until_draining(messages, _begins):
                    yield _streamed(segment, message, output)
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    def _segment(
        self, name: str, options: SpeechOptions, output: Output, text_field: str
    ) -> Segment:
        request = current_request()
        return Segment(
            name,
            self._speaker,
            options,
            output,
            Caller(request.caller, request.deadline, text_field),
            self._urgency,
        )

    async def _read_config(self, config: tts_pb2.SpeechConfig) -> tuple[SpeechOptions, Output]:
        book = self._speaker.book
        voice = book.named(config.voice) if config.HasField("voice") else None
        language = config.language if config.HasField("language") else None
        if voice is not None and language is not None and not voice.speaks(language):
            raise InvalidField(
                "config.language",
                f"voice {voice.id!r} speaks {', '.join(voice.languages)}, not {language!r}",
            )
        speaking = voice or book.default_for(language or "en", "config.language")
        if config.pitch_semitones and not speaking.pitch_control:
            raise InvalidField(
                "config.pitch_semitones", f"voice {speaking.id!r} has no pitch control"
            )
        reference = None
        if config.HasField("reference_voice"):
            if not speaking.voice_cloning:
                raise InvalidField(
                    "config.reference_voice", f"voice {speaking.id!r} cannot take on another voice"
                )
            given = config.reference_voice
            transcript = given.transcript if given.HasField("transcript") else None
            reference = await asyncio.to_thread(read_reference, given.audio, transcript)
            # A reference is for one voice; the text's language cannot choose another.
            voice = speaking
        sampling = config.sampling
        options = SpeechOptions(
            voice=voice,
            language=language,
            style=_STYLES[config.style],
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

    def _voice(self, voice: Voice) -> tts_pb2.Voice:
        book = self._speaker.book
        return tts_pb2.Voice(
            id=voice.id,
            display_name=voice.display_name,
            description=voice.description,
            languages=voice.languages,
            gender=_GENDERS[voice.gender],
            styles=[style for style in _STYLES if style != tts_pb2.STYLE_UNSPECIFIED],
            model=book.engine(voice).model.name,
            sample_rate_hz=voice.sample_rate_hz,
            is_default=voice == book.default,
            pitch_control=voice.pitch_control,
            voice_cloning=voice.voice_cloning,
        )


def _begins(told: tuple[str, Chunk | Done]) -> bool:
    """Whether a message leaves a segment unfinished."""
    return isinstance(told[1], Chunk)


async def _read(
    requests: AsyncIterator[tts_pb2.StreamingSynthesizeRequest], stream: SpeechStream
) -> None:
    """Hands the caller's messages to the stream until there are no more, or one is wrong."""
    try:
        async for request in requests:
            match request.WhichOneof("message"):
                case "text":
                    piece = request.text
                    stream.text(piece.segment_id, piece.text, last=piece.last)
                case "flush":
                    stream.flush(request.flush.segment_id)
                case "cancel":
                    stream.cancel(request.cancel.segment_id)
                case _:
                    stream.fail(InvalidField("config", "only the first message may be the config"))
                    return
        stream.close()
    except Exception as error:  # noqa: BLE001 - handed to the handler, which raises it
        stream.fail(error)


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


def _model(engine: Synthesizer, *, is_default: bool) -> serving_pb2.ModelInfo:
    model = engine.model
    return serving_pb2.ModelInfo(
        name=model.name,
        version=model.version,
        engine=model.engine,
        device=model.device,
        languages=model.languages,
        limits=[serving_pb2.ModelLimit(name="input_characters", value=MAX_CHARACTERS)],
        memory_bytes=model.memory_bytes,
        ready=True,
        is_default=is_default,
    )


def _streamed(
    segment: str, message: Chunk | Done, output: Output
) -> tts_pb2.StreamingSynthesizeResponse:
    match message:
        case Chunk():
            return tts_pb2.StreamingSynthesizeResponse(chunk=_chunk(segment, message, output))
        case Done():
            return tts_pb2.StreamingSynthesizeResponse(done=_done(segment, message))


def _chunk(segment: str, chunk: Chunk, output: Output) -> tts_pb2.SpeechChunk:
    audio_format = None
    if chunk.sample_rate_hz is not None:
        audio_format = serving_pb2.AudioFormat(
            encoding=_WIRE_ENCODINGS[output.encoding],
            sample_rate_hz=chunk.sample_rate_hz,
            channels=1,
        )
    return tts_pb2.SpeechChunk(
        segment_id=segment,
        phrase=chunk.phrase,
        offset=duration(chunk.offset),
        duration=duration(chunk.duration),
        audio=chunk.audio,
        words=[_word(mark) for mark in chunk.words],
        format=audio_format,
    )


def _word(mark: WordMark) -> tts_pb2.WordMark:
    return tts_pb2.WordMark(
        text=mark.text,
        text_offset=mark.text_offset,
        start=duration(mark.start),
        end=duration(mark.end),
    )


def _done(segment: str, done: Done) -> tts_pb2.SegmentDone:
    return tts_pb2.SegmentDone(
        segment_id=segment,
        outcome=(
            tts_pb2.SEGMENT_OUTCOME_COMPLETED
            if done.completed
            else tts_pb2.SEGMENT_OUTCOME_CANCELLED
        ),
        duration=duration(done.duration),
        stats=stats(
            done.model,
            queue_time=done.cost.queue_time,
            compute_time=done.cost.compute_time,
            batch_size=done.cost.batch_size,
        ),
    )
