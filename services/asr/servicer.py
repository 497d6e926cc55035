"""`viva.asr.v1.AsrService` between wire and domain."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, ExitStack, aclosing
from dataclasses import replace
from functools import partial

from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.asr import transcript
from services.asr.chinese import in_named_script
from services.asr.decoding import Decode
from services.asr.endpointing import EndpointingConfig
from services.asr.engines.engine import SAMPLE_RATE, Window
from services.asr.frontend import FrontEnd, Piece
from services.asr.models import Model, Models
from services.asr.recognition import RecognitionConfig, first_windows, recognise
from services.asr.session import Session, StreamConfig
from services.asr.settings import AsrSettings
from services.asr.stream_input import ChangeEndpointing, FinalizeTurn, Input
from services.asr.tags import NamedLanguages
from services.asr.vad import FRAME
from services.asr.wire import event_response, recognised_response
from services.runtime import metrics
from services.runtime.at_once import AtOnce
from services.runtime.audio.decoding import open_recording
from services.runtime.draining import until_finished
from services.runtime.errors import DeadlineTooShort, InvalidField, Overloaded
from services.runtime.queueing import Priority, Submission
from services.runtime.request import current_request
from services.runtime.stats import priority, seconds
from services.runtime.threads import in_thread

_OPENED_AT_ONCE = 1024 * 1024
"""Bytes of a recording whose header is read on the event loop: that takes less than a thread."""
_STREAM_RETRY_SECONDS = 5.0
"""Streams live for minutes: sooner than this there is hardly room."""
_PAUSE_SECONDS = 0.2
"""Silence after which a Pause is told, and told again."""


class AsrServicer(asr_pb2_grpc.AsrServiceServicer):
    """Serves the loaded models."""

    def __init__(self, models: Models, settings: AsrSettings) -> None:
        self._models = models
        self._settings = settings
        most, most_each = settings.max_live_streams, settings.max_live_streams_per_caller
        self._streams = AtOnce(
            most,
            most_each,
            full=lambda: Overloaded(
                f"the server has {most} streams open, the most it takes"
                " (VIVA_ASR_MAX_LIVE_STREAMS)",
                _STREAM_RETRY_SECONDS,
            ),
            own_full=lambda: Overloaded(
                f"this caller has {most_each} streams open, the most it may"
                " (VIVA_ASR_MAX_LIVE_STREAMS_PER_CALLER)",
                _STREAM_RETRY_SECONDS,
            ),
        )

    async def Recognize(
        self, request: asr_pb2.RecognizeRequest, context: object
    ) -> asr_pb2.RecognizeResponse:
        """Recognises a whole recording."""
        model = self._models.named(request.config.model, "config.model")
        languages = _languages(model, request.config, "config")
        config = RecognitionConfig(
            languages=languages.codes,
            hints=_hints(request.config),
            word_offsets=request.config.word_offsets,
        )
        longest = self._settings.max_recording_seconds
        async with AsyncExitStack() as stack:
            opening = open_recording(request.audio, request.format, target_hz=SAMPLE_RATE)
            recording = (
                stack.enter_context(opening)
                if len(request.audio) <= _OPENED_AT_ONCE
                else await in_thread(self._models.reading, lambda: stack.enter_context(opening))
            )
            if recording.seconds > longest:
                raise InvalidField(
                    "audio",
                    f"the recording lasts {recording.seconds:.0f} s; at most {longest:g} s are"
                    " accepted (VIVA_ASR_MAX_RECORDING_SECONDS)",
                )
            asked = priority(request.config.priority)
            # Before anything else is done for it.
            place = stack.enter_context(ExitStack())
            promise = _promised(place, model, asked, first_windows(recording.seconds, config))
            recognised = await recognise(
                recording,
                config,
                vad=self._models.vad.stream(),
                enhance=self._models.enhancement.filters(denoise=request.config.denoise),
                decode=_decoder(model, request.config, languages, promise),
                # Others may have the place of who is silent for long.
                silent=place.close,
                executor=self._models.reading,
            )
        metrics.HEARD_SECONDS.labels("Recognize").inc(recognised.seconds)
        return recognised_response(recognised, model.info.name, languages)

    async def StreamingRecognize(
        self, requests: AsyncIterator[asr_pb2.StreamingRecognizeRequest], context: object
    ) -> AsyncIterator[asr_pb2.StreamingRecognizeResponse]:
        """Recognises live audio."""
        with self._streams.begun(current_request().caller):
            first = await anext(requests, None)
            if first is None or not first.HasField("config"):
                raise InvalidField("config", "the first message of a stream must be its config")
            recognition = first.config.recognition
            model = self._models.named(recognition.model, "config.recognition.model")
            languages = _languages(model, recognition, "config.recognition")
            config = self._stream_config(first.config, languages)
            ear = FrontEnd(
                first.config.format,
                self._models.vad.stream(),
                self._models.enhancement.filters(denoise=recognition.denoise),
                max_gap=self._settings.max_gap_seconds,
            )
            inputs = self._inputs(requests, ear, config.endpointing)
            decode = _decoder(model, recognition, languages)
            async with (
                Session(config, inputs, decode, self._models.complete) as session,
                aclosing(session.events()) as events,
            ):
                async for told in until_finished(events, lambda: session.unfinished):
                    if isinstance(told.event, transcript.EndOfTurn):
                        delay = told.event.finalization
                        metrics.FINAL_TEXT_SECONDS.labels(model.info.name).observe(delay)
                    yield event_response(told, model.info.name, languages)
            self._check_length(ear)

    async def ListModels(
        self, request: asr_pb2.ListModelsRequest, context: object
    ) -> asr_pb2.ListModelsResponse:
        """Lists the loaded models, the default first."""
        models = self._models.models.values()
        limits = [
            serving_pb2.ModelLimit(name=name, value=round(value))
            for name, value in (
                ("recording_seconds", self._settings.max_recording_seconds),
                ("stream_seconds", self._settings.max_stream_seconds),
                ("gap_seconds", self._settings.max_gap_seconds),
                ("streams", self._settings.max_live_streams),
                ("streams_per_caller", self._settings.max_live_streams_per_caller),
            )
        ]
        return asr_pb2.ListModelsResponse(
            models=[_card(model, limits, is_default=n == 0) for n, model in enumerate(models)]
        )

    def _stream_config(
        self, asked: asr_pb2.StreamingRecognitionConfig, languages: NamedLanguages
    ) -> StreamConfig:
        settings = self._settings
        usual = EndpointingConfig(
            min_silence=_frames(settings.min_silence_ms / 1000),
            max_silence=_frames(settings.max_silence_ms / 1000),
            max_turn=_frames(settings.max_turn_seconds),
            pause=_frames(_PAUSE_SECONDS) if asked.pause_events else None,
        )
        return StreamConfig(
            endpointing=_changed(usual, asked.endpointing),
            languages=languages.codes,
            hints=_hints(asked.recognition),
            word_offsets=asked.recognition.word_offsets,
            partials=not asked.suppress_partials,
            single_turn=asked.single_turn,
            preview_interval=settings.preview_interval_ms / 1000,
        )

    async def _inputs(
        self,
        requests: AsyncIterator[asr_pb2.StreamingRecognizeRequest],
        ear: FrontEnd,
        config: EndpointingConfig,
    ) -> AsyncGenerator[Input, None]:
        async for request in requests:
            match request.WhichOneof("message"):
                case "audio":
                    for piece in ear.place(request.audio):
                        yield await self._hear(ear, piece)
                    if ear.seconds > self._settings.max_stream_seconds:
                        # What was said is told before the stream is refused.
                        break
                case "finalize":
                    yield FinalizeTurn()
                case "endpointing":
                    config = _changed(config, request.endpointing)
                    yield ChangeEndpointing(config)
                case _:
                    raise InvalidField("config", "a stream has one config, its first message")
        yield await in_thread(self._models.listening, ear.flush)

    async def _hear(self, ear: FrontEnd, piece: Piece) -> Input:
        heard = await in_thread(self._models.listening, partial(ear.hear, piece))
        metrics.HEARD_SECONDS.labels("StreamingRecognize").inc(len(heard.samples) / SAMPLE_RATE)
        return heard

    def _check_length(self, ear: FrontEnd) -> None:
        longest = self._settings.max_stream_seconds
        if ear.seconds > longest:
            raise Overloaded(
                f"the stream is longer than {longest:g} s, the most a stream may last"
                " (VIVA_ASR_MAX_STREAM_SECONDS): open a new one",
                retry_after=0.0,
            )


def _decoder(
    model: Model,
    config: asr_pb2.RecognitionConfig,
    languages: NamedLanguages,
    promise: Submission | None = None,
) -> Decode:
    rewrite = in_named_script(languages)
    return model.decoder(current_request(), priority(config.priority), rewrite, promise)


def _promised(
    place: ExitStack, model: Model, asked: Priority, windows: tuple[Window, Window]
) -> Submission:
    """Keeps room for the longer window, or for the shorter where time is too short for that."""
    longest, shortest = windows
    request = current_request()
    try:
        return place.enter_context(model.promise(request, asked, longest))
    except DeadlineTooShort:
        # Perhaps there is little speech in it.
        return place.enter_context(model.promise(request, asked, shortest))


def _languages(model: Model, config: asr_pb2.RecognitionConfig, path: str) -> NamedLanguages:
    return NamedLanguages.of(config.languages, model.info.languages, f"{path}.languages")


def _hints(config: asr_pb2.RecognitionConfig) -> tuple[str, ...]:
    """The phrases, those of the greatest boost first."""

    def boost(hint: asr_pb2.PhraseHint) -> float:
        return hint.boost if hint.HasField("boost") else 1.0

    return tuple(hint.phrase for hint in sorted(config.phrase_hints, key=boost, reverse=True))


def _changed(config: EndpointingConfig, asked: asr_pb2.Endpointing) -> EndpointingConfig:
    """The endpointing with what was asked for; what was not stays, unless it would contradict."""
    lengths = {
        name: _frames(seconds(getattr(asked, name)))
        for name in ("min_silence", "max_silence", "max_turn")
        if asked.HasField(name)
    }
    changed = replace(config, **lengths)
    if "max_silence" in lengths:
        return replace(changed, min_silence=min(changed.min_silence, changed.max_silence))
    return replace(changed, max_silence=max(changed.min_silence, changed.max_silence))


def _frames(length: float) -> int:
    return max(1, round(length * SAMPLE_RATE / FRAME))


def _card(
    model: Model, limits: list[serving_pb2.ModelLimit], *, is_default: bool
) -> serving_pb2.ModelInfo:
    info = model.info
    return serving_pb2.ModelInfo(
        name=info.name,
        version=info.version,
        engine=info.engine,
        device=info.device,
        languages=info.languages,
        limits=limits,
        memory_bytes=info.memory_bytes or None,
        ready=model.health.healthy,
        is_default=is_default,
    )
