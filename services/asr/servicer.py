"""`viva.asr.v1.AsrService` between wire and domain."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.asr import transcript
from services.asr.endpointing import EndpointingConfig, EndReason
from services.asr.engines.engine import SAMPLE_RATE, EngineInfo
from services.asr.frontend import FrontEnd
from services.asr.models import Model, Models
from services.asr.recognition import RecognitionConfig, recognise
from services.asr.session import FinalizeTurn, Heard, Input, Session, StreamConfig
from services.asr.settings import AsrSettings
from services.asr.transcript import Cost, TimedWord, TurnEvent
from services.asr.vad import FRAME
from services.runtime import metrics
from services.runtime.audio.decoding import open_recording
from services.runtime.draining import until_draining
from services.runtime.errors import InvalidField, InvalidFields
from services.runtime.request import current_request
from services.runtime.stats import duration, priority, seconds, stats
from services.runtime.threads import in_thread

_REASONS = {
    EndReason.SILENCE: asr_pb2.END_REASON_SILENCE,
    EndReason.FINALIZED: asr_pb2.END_REASON_FINALIZED,
    EndReason.STREAM_ENDED: asr_pb2.END_REASON_STREAM_ENDED,
    EndReason.MAX_TURN: asr_pb2.END_REASON_MAX_TURN,
}


class AsrServicer(asr_pb2_grpc.AsrServiceServicer):
    """Serves the loaded models."""

    def __init__(self, models: Models, settings: AsrSettings) -> None:
        self._models = models
        self._settings = settings

    async def Recognize(
        self, request: asr_pb2.RecognizeRequest, context: object
    ) -> asr_pb2.RecognizeResponse:
        """Recognises a whole recording."""
        model = self._models.named(request.config.model, "config.model")
        config = RecognitionConfig(
            language=_language(model, request.config, "config"),
            hints=tuple(request.config.phrase_hints),
            word_offsets=request.config.word_offsets,
            denoise=request.config.denoise,
        )
        async with AsyncExitStack() as stack:
            opening = open_recording(request.audio, request.format, target_hz=SAMPLE_RATE)
            recording = await in_thread(self._models.reading, lambda: stack.enter_context(opening))
            recognised = await recognise(
                recording,
                config,
                vad=self._models.vad.stream(),
                decode=model.decoder(current_request(), priority(request.config.priority)),
                executor=self._models.reading,
            )
        metrics.HEARD_SECONDS.labels("Recognize").inc(recognised.seconds)
        return asr_pb2.RecognizeResponse(
            text=recognised.text,
            segments=[
                asr_pb2.Segment(
                    text=segment.text,
                    start=duration(segment.start),
                    end=duration(segment.end),
                    confidence=segment.confidence,
                    words=_words(segment.words),
                )
                for segment in recognised.segments
            ],
            language=recognised.language,
            language_confidence=recognised.language_confidence,
            duration=duration(recognised.seconds),
            stats=_stats(model, recognised.cost),
        )

    async def StreamingRecognize(
        self, requests: AsyncIterator[asr_pb2.StreamingRecognizeRequest], context: object
    ) -> AsyncIterator[asr_pb2.StreamingRecognizeResponse]:
        """Recognises live audio."""
        first = await anext(requests, None)
        if first is None or not first.HasField("config"):
            raise InvalidField("config", "the first message of a stream must be its config")
        recognition = first.config.recognition
        model = self._models.named(recognition.model, "config.recognition.model")
        config = StreamConfig(
            endpointing=self._endpointing(first.config.endpointing),
            language=_language(model, recognition, "config.recognition"),
            hints=tuple(recognition.phrase_hints),
            word_offsets=recognition.word_offsets,
            partials=not first.config.suppress_partials,
            single_turn=first.config.single_turn,
            preview_interval=self._settings.preview_interval_ms / 1000,
        )
        ear = FrontEnd(first.config.format, self._models.vad.stream(), denoise=recognition.denoise)
        decode = model.decoder(current_request(), priority(recognition.priority))
        async with (
            Session(config, self._inputs(requests, ear), decode) as session,
            aclosing(session.events()) as events,
        ):
            async for told in until_draining(events, _begins):
                if isinstance(told.event, transcript.EndOfTurn):
                    delay = told.event.finalization
                    metrics.FINAL_TEXT_SECONDS.labels(model.info.name).observe(delay)
                yield _response(model, told)

    async def ListModels(
        self, request: asr_pb2.ListModelsRequest, context: object
    ) -> asr_pb2.ListModelsResponse:
        """Lists the loaded models, the default first."""
        infos = [model.info for model in self._models.models.values()]
        return asr_pb2.ListModelsResponse(
            models=[_card(info, is_default=number == 0) for number, info in enumerate(infos)]
        )

    async def _inputs(
        self, requests: AsyncIterator[asr_pb2.StreamingRecognizeRequest], ear: FrontEnd
    ) -> AsyncGenerator[Input, None]:
        async for request in requests:
            match request.WhichOneof("message"):
                case "audio":
                    audio = request.audio
                    ear.check(audio)
                    yield await self._listen(ear, audio)
                case "finalize":
                    yield FinalizeTurn()
                case _:
                    raise InvalidField("config", "a stream has one config, its first message")
        yield await in_thread(self._models.listening, ear.flush)

    async def _listen(self, ear: FrontEnd, audio: bytes) -> Heard:
        heard = await in_thread(self._models.listening, lambda: ear.feed(audio))
        metrics.HEARD_SECONDS.labels("StreamingRecognize").inc(len(heard.samples) / SAMPLE_RATE)
        return heard

    def _endpointing(self, asked: asr_pb2.Endpointing) -> EndpointingConfig:
        settings = self._settings
        lengths = {
            "min_silence": settings.min_silence_ms / 1000,
            "max_silence": settings.max_silence_ms / 1000,
            "max_turn": settings.max_turn_seconds,
        }
        for name in lengths:
            if asked.HasField(name):  # type: ignore[arg-type]
                lengths[name] = seconds(getattr(asked, name))
        # One of the two given alone moves the other's default along.
        if not asked.HasField("max_silence"):
            lengths["max_silence"] = max(lengths["max_silence"], lengths["min_silence"])
        if not asked.HasField("min_silence"):
            lengths["min_silence"] = min(lengths["max_silence"], lengths["min_silence"])
        frames = {name: max(1, round(s * SAMPLE_RATE / FRAME)) for name, s in lengths.items()}
        return EndpointingConfig(**frames)


def _begins(told: TurnEvent) -> bool | None:
    """Whether an event begins a turn, ends one, or neither."""
    return {transcript.SpeechStarted: True, transcript.EndOfTurn: False}.get(type(told.event))


def _language(model: Model, config: asr_pb2.RecognitionConfig, path: str) -> str | None:
    if not config.HasField("language"):
        return None
    try:
        return model.language_code(config.language)
    except InvalidFields as error:
        raise InvalidFields([(f"{path}.{f}", what) for f, what in error.violations]) from None


def _response(model: Model, told: TurnEvent) -> asr_pb2.StreamingRecognizeResponse:
    response = asr_pb2.StreamingRecognizeResponse(turn=told.turn)
    match told.event:
        case transcript.SpeechStarted(start):
            response.speech_started.start.CopyFrom(duration(start))
        case transcript.Partial(stable, unstable, heard):
            response.partial.CopyFrom(
                asr_pb2.Partial(stable=stable, unstable=unstable, heard=duration(heard))
            )
        case transcript.EagerEndOfTurn(said):
            response.eager_end_of_turn.CopyFrom(
                asr_pb2.EagerEndOfTurn(
                    text=said.text,
                    words=_words(said.words),
                    language=said.language,
                    confidence=said.confidence,
                    start=duration(said.start),
                    end=duration(said.end),
                )
            )
        case transcript.TurnResumed(start):
            response.turn_resumed.start.CopyFrom(duration(start))
        case transcript.EndOfTurn(said, reason, finalization, cost):
            response.end_of_turn.CopyFrom(
                asr_pb2.EndOfTurn(
                    text=said.text,
                    words=_words(said.words),
                    language=said.language,
                    language_confidence=said.language_confidence,
                    confidence=said.confidence,
                    start=duration(said.start),
                    end=duration(said.end),
                    reason=_REASONS[reason],
                    finalization=duration(finalization),
                    stats=_stats(model, cost),
                )
            )
    return response


def _words(words: tuple[TimedWord, ...]) -> list[asr_pb2.Word]:
    return [
        asr_pb2.Word(
            text=word.text,
            start=duration(word.start),
            end=duration(word.end),
            confidence=word.confidence,
        )
        for word in words
    ]


def _stats(model: Model, cost: Cost) -> serving_pb2.Stats:
    return stats(
        model.info.name,
        queue_time=cost.queue_time,
        compute_time=cost.compute_time,
        batch_size=cost.batch_size,
    )


def _card(info: EngineInfo, *, is_default: bool) -> serving_pb2.ModelInfo:
    return serving_pb2.ModelInfo(
        name=info.name,
        version=info.version,
        engine=info.engine,
        device=info.device,
        languages=info.languages,
        memory_bytes=info.memory_bytes,
        ready=True,
        is_default=is_default,
    )
