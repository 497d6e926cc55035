"""A recogniser that hears whether somebody speaks and knows the script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import grpc
import numpy as np
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.cli.bench.simulated.delays import Delays
from services.cli.bench.simulated.script import spoken
from services.cli.bench.simulated.work import Work
from services.runtime.stats import duration, seconds

LOUD = 300
"""Of 32768: quieter samples are silence."""
PARTIAL_SECONDS = 0.5
PAUSE_SECONDS = 0.2
MIN_SILENCE, MAX_SILENCE = 0.25, 0.8
COMPLETE = 0.95

_Response = asr_pb2.StreamingRecognizeResponse


class Recogniser(asr_pb2_grpc.AsrServiceServicer):
    """`AsrService`."""

    def __init__(self, delays: Delays, work: Work) -> None:
        self._delays = delays
        self._work = work

    async def StreamingRecognize(
        self,
        request_iterator: AsyncIterator[asr_pb2.StreamingRecognizeRequest],
        context: grpc.aio.ServicerContext[
            asr_pb2.StreamingRecognizeRequest, asr_pb2.StreamingRecognizeResponse
        ],
    ) -> AsyncIterator[_Response]:
        """Tells of speech and pauses as the real one does."""
        ear = _Ear(self._delays.recognition)
        async for request in request_iterator:
            for response in ear.take(request):
                if response.HasField("end_of_turn"):
                    self._work.turn_over()
                yield response

    async def ListModels(
        self,
        request: asr_pb2.ListModelsRequest,
        context: grpc.aio.ServicerContext[asr_pb2.ListModelsRequest, asr_pb2.ListModelsResponse],
    ) -> asr_pb2.ListModelsResponse:
        """Itself."""
        model = serving_pb2.ModelInfo(name="simulated", ready=True, is_default=True)
        return asr_pb2.ListModelsResponse(models=[model])


class _Ear:
    """One stream. Times are seconds of its audio."""

    def __init__(self, recognition: float) -> None:
        self._recognition = recognition
        self._min_silence, self._max_silence = MIN_SILENCE, MAX_SILENCE
        self._pauses = False
        self._bytes_per_second = 2 * 16_000
        self._turn = 0
        self._clock = 0.0
        self._began: float | None = None
        self._speech_end = 0.0
        self._told = self._told_pause = 0.0
        self._eager = self._finalizing = False

    def take(self, request: asr_pb2.StreamingRecognizeRequest) -> Iterator[_Response]:
        match request.WhichOneof("message"):
            case "config":
                self._configure(request.config)
            case "endpointing":
                self._set(request.endpointing)
            case "finalize":
                self._finalizing = self._began is not None
                if self._began is None:
                    yield _Response(finalized=asr_pb2.Finalized(turn_ended=False))
                elif self._clock - self._speech_end >= self._recognition:
                    yield from self._end()
            case "audio":
                audio = np.frombuffer(request.audio.audio, dtype="<i2")
                self._clock += len(request.audio.audio) / self._bytes_per_second
                loud = int(audio.max(initial=0)) > LOUD
                yield from self._speech() if loud else self._silence()

    def _configure(self, config: asr_pb2.StreamingRecognitionConfig) -> None:
        self._pauses = config.pause_events
        self._bytes_per_second = 2 * config.format.sample_rate_hz * (config.format.channels or 1)
        self._set(config.endpointing)

    def _set(self, endpointing: asr_pb2.Endpointing) -> None:
        if endpointing.HasField("min_silence"):
            self._min_silence = seconds(endpointing.min_silence)
        if endpointing.HasField("max_silence"):
            self._max_silence = seconds(endpointing.max_silence)

    def _speech(self) -> Iterator[_Response]:
        silence = self._clock - self._speech_end
        self._speech_end = self._clock
        if self._began is None:
            self._began = self._told = self._clock
            started = asr_pb2.SpeechStarted(start=duration(self._clock))
            yield _Response(turn=self._turn, speech_started=started)
            return
        if self._eager or (self._pauses and silence >= PAUSE_SECONDS):
            self._eager = False
            resumed = asr_pb2.TurnResumed(start=duration(self._clock))
            yield _Response(turn=self._turn, turn_resumed=resumed)
        self._told_pause = 0.0
        if self._clock - self._told >= PARTIAL_SECONDS:
            self._told = self._clock
            stable, _, unstable = self._text().rpartition(" ")
            partial = asr_pb2.Partial(
                stable=stable, unstable=f" {unstable}", heard=duration(self._clock)
            )
            yield _Response(turn=self._turn, partial=partial)

    def _silence(self) -> Iterator[_Response]:
        if self._began is None:
            return
        silence = self._clock - self._speech_end
        if self._pauses and silence >= self._told_pause + PAUSE_SECONDS:
            self._told_pause += PAUSE_SECONDS
            pause = asr_pb2.Pause(
                silence=duration(silence),
                speech_end=duration(self._speech_end),
                completion_probability=COMPLETE,
            )
            yield _Response(turn=self._turn, pause=pause)
        ready = silence >= self._recognition
        if not self._eager and ready and silence >= self._min_silence:
            self._eager = True
            eager = asr_pb2.EagerEndOfTurn(
                text=self._text(),
                words=self._words(),
                start=duration(self._began),
                end=duration(self._speech_end),
            )
            yield _Response(turn=self._turn, eager_end_of_turn=eager)
        if ready and (self._finalizing or silence >= self._max_silence):
            yield from self._end()

    def _end(self) -> Iterator[_Response]:
        began = self._began
        assert began is not None  # noqa: S101 - only a turn ends
        finalized = self._finalizing
        reason = asr_pb2.END_REASON_FINALIZED if finalized else asr_pb2.END_REASON_SILENCE
        end = asr_pb2.EndOfTurn(
            text=self._text(),
            words=self._words(),
            start=duration(began),
            end=duration(self._speech_end),
            reason=reason,
            finalization=duration(0.0),
        )
        yield _Response(turn=self._turn, end_of_turn=end)
        if finalized:
            yield _Response(finalized=asr_pb2.Finalized(turn_ended=True))
        self._turn += 1
        self._began = None
        self._eager = self._finalizing = False
        self._told_pause = 0.0

    def _text(self) -> str:
        return spoken(self._turn, self._speech_end - (self._began or 0.0))

    def _words(self) -> list[asr_pb2.Word]:
        words = self._text().split()
        began = self._began or 0.0
        each = (self._speech_end - began) / len(words)
        return [
            asr_pb2.Word(
                text=word,
                start=duration(began + number * each),
                end=duration(began + (number + 1) * each),
                confidence=0.9,
            )
            for number, word in enumerate(words)
        ]
