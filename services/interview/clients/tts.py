"""Speech synthesis through `viva.tts.v1.TtsService`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import grpc
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.interview.clients.failures import failures, told
from services.interview.clients.seams import PlacedWord, SpeechPiece, VoiceConfig, VoiceInfo
from services.interview.events import AudioFormat, Encoding
from services.runtime.channel import outgoing
from services.runtime.stats import seconds

UTTERANCE_SECONDS = 60.0
"""The interviewer's lines are sentences; synthesis of one takes no longer."""
LIST_SECONDS = 2.0

_SEGMENT = "line"


class TtsClient:
    """A synthesiser behind a channel.

    Each line has a stream of its own, so that it can be given up without touching another.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: tts_pb2_grpc.TtsServiceAsyncStub = tts_pb2_grpc.TtsServiceStub(channel)

    async def voices(self) -> Sequence[VoiceInfo]:
        """The voices there are, the default first."""
        with failures("tts"):
            answer = await self._stub.ListVoices(
                tts_pb2.ListVoicesRequest(), **outgoing(LIST_SECONDS)
            )
        return [
            VoiceInfo(
                voice.id,
                voice.display_name,
                voice.description,
                tuple(voice.languages),
                voice.is_default,
            )
            for voice in answer.voices
        ]

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[SpeechPiece, None]:
        """The speech in order; closing the generator cancels the segment."""
        call = self._stub.StreamingSynthesize(None, **outgoing(UTTERANCE_SECONDS))
        shape = config.format
        try:
            with failures("tts"):
                await call.write(tts_pb2.StreamingSynthesizeRequest(config=_config(config)))
                piece = tts_pb2.SegmentText(segment_id=_SEGMENT, text=text, last=True)
                await call.write(tts_pb2.StreamingSynthesizeRequest(text=piece))
                await call.done_writing()
                async for response in call:
                    if response.done.HasField("error"):
                        raise told("tts", response.done.error)
                    if response.WhichOneof("message") != "chunk":
                        continue
                    chunk = response.chunk
                    if chunk.HasField("format"):
                        shape = _shape(chunk.format)
                    yield _piece(chunk, shape)
        finally:
            call.cancel()


def _config(config: VoiceConfig) -> tts_pb2.SpeechConfig:
    shape = config.format
    audio = serving_pb2.AudioFormat(
        encoding=serving_pb2.AudioEncoding.ValueType(shape.encoding),
        sample_rate_hz=shape.sample_rate_hz,
        channels=shape.channels,
    )
    ahead = serving_pb2.PRIORITY_BATCH
    return tts_pb2.SpeechConfig(
        voice=config.voice,
        language=config.language,
        style=tts_pb2.Style.ValueType(config.style),
        format=audio,
        priority=ahead if config.ahead else serving_pb2.PRIORITY_INTERACTIVE,
    )


def _shape(shape: serving_pb2.AudioFormat) -> AudioFormat:
    return AudioFormat(
        Encoding(shape.encoding or Encoding.PCM_S16LE),
        shape.sample_rate_hz or None,
        shape.channels or 1,
    )


def _piece(chunk: tts_pb2.SpeechChunk, shape: AudioFormat) -> SpeechPiece:
    return SpeechPiece(
        audio=chunk.audio,
        offset=seconds(chunk.offset),
        duration=seconds(chunk.duration),
        format=shape,
        words=tuple(
            PlacedWord(
                mark.text,
                mark.text_offset + len(mark.text),
                seconds(mark.start),
                seconds(mark.end),
            )
            for mark in chunk.words
        ),
    )
