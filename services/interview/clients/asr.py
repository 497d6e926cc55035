"""Speech recognition through `viva.asr.v1.AsrService`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import grpc
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.interview.clients.failures import TELLING, failures
from services.interview.clients.recogniser_speed import RecogniserSpeed
from services.interview.clients.seams import (
    HEARING_RATE_HZ,
    Answered,
    DependencyFailed,
    Endpointing,
    HearingConfig,
    PartialHeard,
    PauseHeard,
    ProbablyEnded,
    SpeechBegan,
    SpeechEvent,
    TurnEnded,
    WentOn,
)
from services.interview.record import SpokenWord
from services.runtime.channel import outgoing
from services.runtime.stats import duration, seconds

STREAM_SECONDS = 4 * 3600.0
"""An interview's stream may live so long; a longer one is reopened."""

_ALIVE = {*TELLING, grpc.StatusCode.RESOURCE_EXHAUSTED.name}
"""Refusals of a server that knows what it can do, which is not what was asked."""
_FORMAT = serving_pb2.AudioFormat(
    encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=HEARING_RATE_HZ, channels=1
)
_Call = grpc.aio.StreamStreamCall[
    asr_pb2.StreamingRecognizeRequest, asr_pb2.StreamingRecognizeResponse
]


class AsrStream:
    """One StreamingRecognize call."""

    def __init__(self, call: _Call) -> None:
        self._call = call

    async def send(self, audio: bytes) -> None:
        """Sends samples."""
        with failures("asr"):
            chunk = serving_pb2.AudioChunk(audio=audio)
            await self._call.write(asr_pb2.StreamingRecognizeRequest(audio=chunk))

    async def finalize(self) -> None:
        """Ends the running turn now."""
        with failures("asr"):
            request = asr_pb2.StreamingRecognizeRequest(finalize=asr_pb2.Finalize())
            await self._call.write(request)

    async def set_endpointing(self, endpointing: Endpointing) -> None:
        """Changes when a turn is over, the running one included."""
        with failures("asr"):
            request = asr_pb2.StreamingRecognizeRequest(endpointing=_endpointing(endpointing))
            await self._call.write(request)

    async def events(self) -> AsyncIterator[SpeechEvent]:
        """What is heard, in order."""
        with failures("asr"):
            async for response in self._call:
                if (event := _event(response)) is not None:
                    yield event


class AsrClient:
    """A recogniser behind a channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: asr_pb2_grpc.AsrServiceAsyncStub = asr_pb2_grpc.AsrServiceStub(channel)
        self.speed = RecogniserSpeed()

    @asynccontextmanager
    async def open(self, config: HearingConfig) -> AsyncIterator[AsrStream]:
        """Opens a stream; leaving the context cancels the call."""
        call = self._stub.StreamingRecognize(None, **outgoing(STREAM_SECONDS))
        try:
            with failures("asr"):
                await call.write(asr_pb2.StreamingRecognizeRequest(config=_config(config)))
            yield AsrStream(call)
        finally:
            call.cancel()

    async def check(self, audio: bytes, language: str, patience: float) -> bool:
        """Has the server recognise a little, its engine included; whether it had time for it."""
        request = asr_pb2.RecognizeRequest(
            config=asr_pb2.RecognitionConfig(
                languages=[language], priority=serving_pb2.PRIORITY_INTERACTIVE
            ),
            format=_FORMAT,
            audio=audio,
        )
        try:
            with failures("asr"):
                await self._stub.Recognize(request, **outgoing(patience))
        except DependencyFailed as failure:
            if failure.reason not in _ALIVE:
                raise
            return False
        return True


def _config(config: HearingConfig) -> asr_pb2.StreamingRecognitionConfig:
    return asr_pb2.StreamingRecognitionConfig(
        recognition=asr_pb2.RecognitionConfig(
            languages=[config.language],
            phrase_hints=[asr_pb2.PhraseHint(phrase=phrase) for phrase in config.phrase_hints],
            word_offsets=True,
            priority=serving_pb2.PRIORITY_INTERACTIVE,
        ),
        format=_FORMAT,
        endpointing=_endpointing(Endpointing(config.min_silence, config.max_silence)),
        pause_events=True,
    )


def _endpointing(asked: Endpointing) -> asr_pb2.Endpointing:
    return asr_pb2.Endpointing(
        min_silence=duration(asked.min_silence), max_silence=duration(asked.max_silence)
    )


def _words(words: Iterable[asr_pb2.Word]) -> tuple[SpokenWord, ...]:
    return tuple(
        SpokenWord(
            word.text.strip(),
            seconds(word.start),
            seconds(word.end),
            word.confidence if word.HasField("confidence") else None,
        )
        for word in words
    )


def _event(response: asr_pb2.StreamingRecognizeResponse) -> SpeechEvent | None:
    made: SpeechEvent | None = None
    match response.WhichOneof("event"):
        case "speech_started":
            made = SpeechBegan(seconds(response.speech_started.start))
        case "partial":
            made = PartialHeard(response.partial.stable, response.partial.unstable)
        case "pause":
            made = _pause(response.pause)
        case "eager_end_of_turn":
            eager = response.eager_end_of_turn
            words = _words(eager.words)
            made = ProbablyEnded(eager.text, words, seconds(eager.start), seconds(eager.end))
        case "turn_resumed":
            made = WentOn(seconds(response.turn_resumed.start))
        case "end_of_turn":
            made = _end(response.end_of_turn)
        case "finalized":
            made = Answered()
    return made


def _pause(pause: asr_pb2.Pause) -> PauseHeard:
    known = pause.HasField("completion_probability")
    sound = pause.completion_probability if known else None
    return PauseHeard(seconds(pause.silence), seconds(pause.speech_end), sound)


def _end(end: asr_pb2.EndOfTurn) -> TurnEnded:
    words = _words(end.words)
    finalization = seconds(end.finalization)
    return TurnEnded(end.text, words, seconds(end.start), seconds(end.end), finalization)
